package inkstone.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.ModelException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that are wrong, by accident or on purpose, end in one line of ModelException: the engine's own answer to some of them is to end the process. */
class HostileFilesTest {
    private static final String SMALL = """
            {"added_tokens": [{"id": 3, "content": "<end>", "special": true}], "normalizer": null,
             "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}, "post_processor": null, "decoder": {"type": "ByteLevel"},
             "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}}""";

    @TempDir Path directory;

    private Tokenizer open(String json) throws IOException {
        return Tokenizers.fromJson(Files.writeString(directory.resolve("tokenizer.json"), json));
    }

    @Test void theSmallFileItselfOpens() throws IOException {
        try (var tokenizer = open(SMALL)) {
            assertArrayEquals(new int[] {2, 0}, tokenizer.encode("aba", false));
            assertArrayEquals(new int[] {2, 3}, tokenizer.encode("ab<end>", true));
            assertEquals(4, tokenizer.vocabularySize());
        }
    }

    @ParameterizedTest @ValueSource(strings = {"", "{", "[]", "null", "5", "{\"model\": 5}", "{\"model\": {\"type\": \"BPE\"}}", "{\"model\": {\"type\": \"Unigram\", \"vocab\": []}}",
            "\u0000", "{\"model\": {\"type\": \"BPE\", \"vocab\": {}, \"merges\": []}}"})
    void notATokenizer(String json) { assertThrows(ModelException.class, () -> open(json)); }

    @Test void deepNestingIsRefused() { assertThrows(ModelException.class, () -> open("[".repeat(200_000))); }

    @ParameterizedTest @CsvSource(delimiter = '#', value = {
            "\"ab\": 2 # \"ab\": 1000000000 # from 0 to 4194303", "\"ab\": 2 # \"ab\": 99999999999 # from 0 to", "\"ab\": 2 # \"ab\": -1 # from 0 to", "\"ab\": 2 # \"ab\": \"x\" # from 0 to",
            "\"ab\": 2 # \"ab\": 1 # is both", "\"id\": 3 # \"id\": 0 # is both", "\"id\": 3 # \"id\": 3000000000 # from 0 to",
            "[\"a\", \"b\"] # [\"a\", \"z\"] # not in the vocabulary", "[\"a\", \"b\"] # [\"a\"] # should be two pieces", "[[\"a\", \"b\"]] # {} # should be a list",
            "\"merges\" # \"continuing_subword_prefix\": \"__\", \"merges\" # not supported",
            "\"type\": \"BPE\" # \"type\": \"Unigrams\" # not supported", "\"type\": \"BPE\" # \"type\": \"Unigram\" # list of pieces and scores",
            "\"normalizer\": null # \"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAA\"} # character map has 3 bytes",
            "\"normalizer\": null # \"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"String\": \"a\"}, \"content\": \"aaaaaaaaaa\"} # makes text longer",
            "\"normalizer\": null # \"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"(a|aa)+$\"}, \"content\": \"\"} # known to end in time",
            "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": true} # {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a|aa)+[bc]d\"}, \"behavior\": \"Isolated\"} # known to end in time",
            "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": true} # 7 # not supported",
            "\"use_regex\": true # \"use_regex\": \"yes\" # true or false",
    })
    void wrongInOnePlace(String from, String to, String message) {
        assertTrue(SMALL.contains(from), from);
        var text = assertThrows(ModelException.class, () -> open(SMALL.replace(from, to))).getMessage();
        assertTrue(text.contains(message) && text.contains("tokenizer.json") && !text.contains("\n"), text);
    }

    @Test void randomlyDamagedFilesOpenOrSayWhy() throws IOException {
        var random = new Random(3);
        for (int n = 0; n < 300; n++) {
            var bytes = SMALL.getBytes(StandardCharsets.UTF_8);
            for (int changes = 1 + random.nextInt(3); changes > 0; changes--) bytes[random.nextInt(bytes.length)] = (byte) (' ' + random.nextInt(95));
            Files.write(directory.resolve("tokenizer.json"), bytes);
            try (var tokenizer = Tokenizers.fromJson(directory)) {
                tokenizer.decode(tokenizer.encode("abc <end> ab", true));
            } catch (ModelException e) {
                assertFalse(e.getMessage().isEmpty(), "seed 3, case " + n);
            }
        }
    }

    @Test void aDirectoryWithoutTheFileSaysSo() {
        assertTrue(assertThrows(ModelException.class, () -> Tokenizers.fromJson(directory)).getMessage().contains("has no tokenizer.json"));
    }

    @Test void wrongMetadata() {
        assertWrong("has no tokenizer", new Tiny());
        assertWrong("\"rwkv\" is not supported", Tiny.byteLevel("gpt-2").set("model", "rwkv"));
        assertWrong("tokens should be an array of strings", Tiny.byteLevel("gpt-2").set("tokens", 5L));
        assertWrong("not believable", Tiny.byteLevel("gpt-2").set("tokens", List.of()));
        assertWrong("should be an array of strings", Tiny.byteLevel("gpt-2").set("tokens", List.of("a", 5L)));
        assertWrong("outside the vocabulary", Tiny.byteLevel("gpt-2").set("eos_token_id", 100_000L));
        assertWrong("outside the vocabulary", Tiny.byteLevel("gpt-2").set("bos_token_id", -7L));
        assertWrong("should be an integer", Tiny.byteLevel("gpt-2").set("bos_token_id", "x"));
        assertWrong("add_bos_token is true, but", Tiny.byteLevel("gpt-2").set("add_bos_token", true));
        assertWrong("token types", Tiny.byteLevel("gpt-2").set("token_type", new long[3]));
        assertWrong("two pieces with a space", Tiny.byteLevel("gpt-2").set("merges", List.of("ab")));
        assertWrong("not in the vocabulary", Tiny.byteLevel("gpt-2").set("merges", List.of("a b")));
        assertWrong("scores", Tiny.sentence("a").set("scores", new double[2]));
        assertWrong("spelled", Tiny.sentence("a").piece("<0xZZ>", Kind.BYTE));
        assertWrong("not believable", Tiny.sentence("a").piece("a".repeat(1000), Kind.NORMAL));
        try (var tokenizer = Tiny.byteLevel("gpt-2").set("padding_token_id", 0xFFFFFFFFL).open()) { assertEquals(-1, tokenizer.bos()); }
    }

    private static void assertWrong(String message, Tiny tiny) {
        var text = assertThrows(ModelException.class, () -> {
            var metadata = tiny.values.isEmpty() ? new inkstone.tensor.checkpoint.Metadata("tiny.gguf", tiny.values) : tiny.metadata();
            Tokenizers.fromGguf(metadata).close();
        }).getMessage();
        assertTrue(text.contains(message) && text.startsWith("tiny.gguf: "), text);
    }

    @Test void wrongCalls() {
        var tokenizer = Tiny.byteLevel("gpt-2").open();
        assertThrows(IllegalArgumentException.class, () -> tokenizer.decode(256));
        assertThrows(IllegalArgumentException.class, () -> tokenizer.piece(-1));
        assertThrows(IllegalArgumentException.class, () -> tokenizer.isControl(1 << 30));
        assertEquals(-1, tokenizer.id("no such piece"));
        tokenizer.close();
        tokenizer.close();
        assertThrows(IllegalStateException.class, () -> tokenizer.encode("a", false));
    }
}
