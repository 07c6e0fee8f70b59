package inkstone.tokenizer;

import java.util.Set;

/** Text to token ids and back. Immutable and safe for any thread; holds native memory until closed. */
public interface Tokenizer extends AutoCloseable {
    /** Marked text to ids; special tokens are read in trusted spans only. Adds no beginning or end token of its own. */
    int[] encode(MarkedText text);

    /**
     * {@link #encode} of text that follows a token, as where a prompt was encoded and a model goes on: without the space that some vocabularies (SentencePiece) put before
     * a first word, unless they put one there too.
     */
    default int[] encodeAfter(int token, MarkedText text) { return encode(text); }

    /** Plain text to ids; {@code parseSpecial} reads special tokens in it. Adds no beginning or end token of its own. */
    default int[] encode(String text, boolean parseSpecial) {
        return encode(parseSpecial ? MarkedText.trusted(text) : MarkedText.untrusted(text));
    }

    /** {@link #encode} with the beginning and end tokens that the model asks for ({@link #addsBos}, {@link #addsEos}); never a second beginning token. */
    int[] encodePrompt(MarkedText text);

    /** Ids to text. Control tokens print nothing; bytes that are not UTF-8 become U+FFFD. */
    String decode(int... tokens);

    /** A decoder for one stream of tokens, fed one at a time. */
    StreamDecoder streamDecoder();

    int vocabularySize();

    /** The token as the vocabulary spells it, for example {@code Ġthe} or {@code <|im_end|>}. */
    String piece(int token);

    /**
     * What the token prints, bytes of UTF-8 that need not be whole code points; empty for control tokens. The array is the caller's.
     * A space before the first word of a text stays, as in a {@link #streamDecoder}.
     */
    byte[] bytes(int token);

    /** The id of a piece, or -1. */
    int id(String piece);

    /** Whether the token is a control token ({@code <s>}, {@code <|im_end|>}, ...), which prints nothing. */
    boolean isControl(int token);

    /** The id that begins a sequence, or -1. */
    int bos();

    /** The id that ends a text, or -1. */
    int eos();

    /** Every id after which a model has finished its turn: end of text, end of turn, end of message. */
    Set<Integer> endOfGeneration();

    boolean addsBos();

    boolean addsEos();

    /**
     * SHA-256 of all that decides which tokens a text becomes: two tokenizers with the same one encode alike, so that texts encoded once can be kept.
     * Throws {@link UnsupportedOperationException} where it was not made of a file.
     */
    default byte[] fingerprint() { throw new UnsupportedOperationException("this tokenizer was not made of a file and has no fingerprint"); }

    @Override void close();
}
