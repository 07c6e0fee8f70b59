package inkstone.tokenizer;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/**
 * Opens the tokenizer of a model file, and carries it from one kind of file to the other. Byte-level BPE (GPT-2, Llama 3, Qwen, ...), SentencePiece BPE
 * (Llama 2, Phi-3, ...), unigrams (T5, XLM-R) and WordPiece (BERT). A file that is wrong or asks for something else is a {@link ModelException} that says what.
 *
 * <p>{@code decode(encode(text))} is the text for the first two, except: half surrogate pairs become U+FFFD, SentencePiece reads U+2581 as a space, bytes and
 * characters that a vocabulary lacks are dropped or unknown, and tokens that swallow white space or normalizers (NFC) do so. SentencePiece puts a space of its own
 * before the first word: {@code decode} takes it off, a {@link StreamDecoder}, whose text continues a prompt, keeps it, as llama.cpp does. BERT's pieces are joined
 * with one space between words.
 */
public final class Tokenizers {
    private Tokenizers() {}

    /** Says that a tokenizer will be opened soon: what loading it does not need a file for begins in the background. */
    public static void prepare() { Engine.load(); }

    /** From the {@code tokenizer.ggml.*} keys of a GGUF file. */
    public static Tokenizer fromGguf(Metadata metadata) { return new EngineTokenizer(GgufVocabulary.read(metadata)); }

    /**
     * From Hugging Face's files.
     *
     * @param path a model's directory, or the tokenizer.json in it; the beginning and the ends come from the tokenizer_config.json, special_tokens_map.json,
     *             generation_config.json and config.json beside it
     */
    public static Tokenizer fromJson(Path path) throws IOException { return new EngineTokenizer(TokenizerJson.read(path)); }

    /** A GGUF file's tokenizer as the text of a tokenizer.json. */
    public static String toJson(Metadata metadata) { return TokenizerJson.whole(GgufVocabulary.read(metadata)); }

    /**
     * Hugging Face's files as the {@code tokenizer.ggml.*} keys of a GGUF file, with {@link Metadata}'s types: {@code Long} is u32 there, {@code long[]} i32,
     * {@code double[]} f32. Throws {@link ModelException} where GGUF has no key for what the file does, such as cutting words at an unknown regular expression.
     */
    public static Map<String, Object> toGguf(Path path) throws IOException { return GgufVocabulary.write(TokenizerJson.read(path)); }
}
