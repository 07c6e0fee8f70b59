package inkstone.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model's directory: tokenizer.json with the files beside it, and its way to GGUF. */
class HuggingFaceFilesTest {
    /* Ids: letters 0-4, then pieces, then added tokens 10-13; 9 is a hole. */
    private static final String FILE = """
            {"added_tokens": [
               {"id": 10, "content": "<s>", "special": true}, {"id": 11, "content": "</s>", "special": true},
               {"id": 12, "content": "<|im_end|>", "special": true, "rstrip": true, "lstrip": true}, {"id": 13, "content": "<think>", "special": false}],
             "normalizer": %s, "pre_tokenizer": %s, "post_processor": %s, "decoder": %s,
             "model": {"type": "BPE", "ignore_merges": false, "unk_token": null, "byte_fallback": false,
               "vocab": {"a": 0, "b": 1, "c": 2, "\u2581": 3, "\u0120": 4, "ab": 5, "\u2581ab": 6, "\u0120ab": 7, "abc": 8},
               "merges": ["a b", "\u2581 ab", "\u0120 ab", "ab c"]}}""";
    private static final String BYTE_LEVEL = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": true}";
    private static final String TEMPLATE = """
            {"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
              {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}], "pair": [], "special_tokens": {}}]}""";

    @TempDir Path directory;

    private void write(String name, String text) throws IOException { Files.writeString(directory.resolve(name), text); }

    private Tokenizer open(String normalizer, String preTokenizer, String processor) throws IOException {
        write("tokenizer.json", FILE.formatted(normalizer, preTokenizer, processor, preTokenizer.equals(BYTE_LEVEL) ? BYTE_LEVEL : "null"));
        return Tokenizers.fromJson(directory);
    }

    private static void assertPieces(String expected, Tokenizer tokenizer, int[] ids) { assertEquals(expected, Tiny.pieces(tokenizer, ids)); }

    @Test void addedTokensAreControlOrUserDefined() throws IOException {
        try (var tokenizer = open("null", BYTE_LEVEL, "null")) {
            assertEquals(14, tokenizer.vocabularySize());
            assertEquals("[PAD9]", tokenizer.piece(9));
            assertPieces("ab|<think>|abc|</s>", tokenizer, tokenizer.encode("ab<think>abc</s>", true));
            assertPieces("ab|<think>|abc", tokenizer, tokenizer.encode("ab<think>abc", false));
            for (int id : tokenizer.encode("<s></s><|im_end|>", false)) assertFalse(tokenizer.isControl(id));
            assertPieces("ab|<|im_end|>|abc", tokenizer, tokenizer.encode("ab \n<|im_end|>  abc", true));
            assertEquals("ab<think>", tokenizer.decode(5, 13, 11));
        }
    }

    @Test void theTemplateSaysWhatIsAdded() throws IOException {
        try (var tokenizer = open("null", BYTE_LEVEL, TEMPLATE)) {
            assertPieces("<s>|ab|</s>", tokenizer, tokenizer.encodePrompt(MarkedText.trusted("ab")));
            assertPieces("<s>|ab|</s>", tokenizer, tokenizer.encodePrompt(MarkedText.trusted("<s>ab</s>")));
            assertEquals(Set.of(11, 12), tokenizer.endOfGeneration());
        }
    }

    @Test void configurationsOverrule() throws IOException {
        write("tokenizer_config.json", "{\"add_bos_token\": true, \"add_eos_token\": false, \"bos_token\": {\"content\": \"<s>\"}, \"eos_token\": \"<|im_end|>\"}");
        write("generation_config.json", "{\"eos_token_id\": [11, 13]}");
        try (var tokenizer = open("null", BYTE_LEVEL, TEMPLATE)) {
            assertEquals(10, tokenizer.bos());
            assertEquals(12, tokenizer.eos());
            assertEquals(Set.of(11, 12, 13), tokenizer.endOfGeneration());
            assertPieces("<s>|ab", tokenizer, tokenizer.encodePrompt(MarkedText.trusted("ab")));
        }
    }

    @Test void aSpaceIsPutBeforeTheFirstWordOrEachFragment() throws IOException {
        var metaspace = "{\"type\": \"Metaspace\", \"replacement\": \"\u2581\", \"prepend_scheme\": \"%s\", \"split\": false}";
        try (var tokenizer = open("null", metaspace.formatted("first"), "null")) {
            assertPieces("\u2581ab|<s>|ab", tokenizer, tokenizer.encode("ab<s>ab", true));
            assertPieces("\u2581ab", tokenizer, tokenizer.encode(" ab", true));
            assertEquals("ab", tokenizer.decode(6));
        }
        try (var tokenizer = open("null", metaspace.formatted("always"), "null")) { assertPieces("\u2581ab|<s>|\u2581ab", tokenizer, tokenizer.encode("ab<s>ab", true)); }
        try (var tokenizer = open("null", metaspace.formatted("never"), "null")) {
            assertPieces("ab", tokenizer, tokenizer.encode("ab", true));
            assertEquals(" ab", tokenizer.decode(6));
        }
        var legacy = "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", \"prepend\": \"\u2581\"}, {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"\u2581\"}]}";
        try (var tokenizer = open(legacy, "null", "null")) {
            assertPieces("\u2581ab|<s>|\u2581ab", tokenizer, tokenizer.encode("ab<s>ab", true));
            assertPieces("\u2581|\u2581ab", tokenizer, tokenizer.encode(" ab", true));
        }
    }

    @Test void ggufKeysComeFromTheFiles() throws IOException {
        write("tokenizer_config.json", "{\"add_bos_token\": true, \"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}");
        open("null", BYTE_LEVEL, "null").close();
        var keys = Tokenizers.toGguf(directory);
        assertEquals("gpt2", keys.get("tokenizer.ggml.model"));
        assertEquals("gpt-2", keys.get("tokenizer.ggml.pre"));
        assertEquals(List.of("a b", "\u2581 ab", "\u0120 ab", "ab c"), keys.get("tokenizer.ggml.merges"));
        assertArrayEquals(new long[] {1, 1, 1, 1, 1, 1, 1, 1, 1, 5, 3, 3, 3, 4}, (long[]) keys.get("tokenizer.ggml.token_type"));
        assertEquals(10L, keys.get("tokenizer.ggml.bos_token_id"));
        assertEquals(11L, keys.get("tokenizer.ggml.eos_token_id"));
        assertEquals(12L, keys.get("tokenizer.ggml.eot_token_id"));
        try (var tokenizer = Tokenizers.fromGguf(new Metadata("again", keys)); var direct = Tokenizers.fromJson(directory)) {
            assertEquals(direct.endOfGeneration(), tokenizer.endOfGeneration());
            assertArrayEquals(direct.encodePrompt(MarkedText.trusted("ab<think> ab</s>")), tokenizer.encodePrompt(MarkedText.trusted("ab<think> ab</s>")));
        }
    }

    @Test void whatGgufCannotHoldIsRefused() throws IOException {
        assertRefused("no pre-tokenizer of GGUF cuts words as", "null", "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Whitespace\"}, " + BYTE_LEVEL + "]}");
        assertRefused("no key for the normalizer", "{\"type\": \"Lowercase\"}", BYTE_LEVEL);
        assertRefused("neither byte-level nor SentencePiece's", "null", "{\"type\": \"Whitespace\"}");
    }

    private void assertRefused(String message, String normalizer, String preTokenizer) throws IOException {
        open(normalizer, preTokenizer, "null").close();
        var text = assertThrows(ModelException.class, () -> Tokenizers.toGguf(directory)).getMessage();
        assertTrue(text.contains(message), text);
    }
}
