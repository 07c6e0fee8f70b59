package inkstone.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Unigram vocabularies with a character map, on one of 300 pieces that sentencepiece trained (see its "about"). */
class UnigramTest {
    private static final JsonNode SMALL = read();

    @TempDir Path directory;

    private static JsonNode read() {
        try (var file = UnigramTest.class.getResourceAsStream("unigram.json")) {
            return JsonMapper.shared().readTree(file);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static byte[] characterMap() { return Base64.getDecoder().decode(SMALL.path("charsmap").stringValue()); }

    private static Map<String, Object> keys(byte[] characterMap) {
        var keys = new LinkedHashMap<String, Object>();
        keys.put("tokenizer.ggml.model", "t5");
        keys.put("tokenizer.ggml.tokens", SMALL.path("pieces").valueStream().map(JsonNode::stringValue).toList());
        keys.put("tokenizer.ggml.scores", SMALL.path("scores").valueStream().mapToDouble(JsonNode::doubleValue).toArray());
        keys.put("tokenizer.ggml.token_type", SMALL.path("types").valueStream().mapToLong(JsonNode::longValue).toArray());
        var signed = new long[characterMap.length];
        for (int i = 0; i < signed.length; i++) signed[i] = characterMap[i];
        keys.put("tokenizer.ggml.precompiled_charsmap", signed);
        keys.put("tokenizer.ggml.add_space_prefix", true);
        keys.put("tokenizer.ggml.remove_extra_whitespaces", true);
        keys.put("tokenizer.ggml.bos_token_id", 0L);
        keys.put("tokenizer.ggml.eos_token_id", 2L);
        keys.put("tokenizer.ggml.unknown_token_id", 3L);
        keys.put("tokenizer.ggml.add_bos_token", true);
        return keys;
    }

    private static Metadata metadata() { return new Metadata("unigram.gguf", keys(characterMap())); }

    private static void assertCases(Tokenizer tokenizer) { assertCases(tokenizer, ""); }

    /** @param without texts with any of these characters are left out */
    private static void assertCases(Tokenizer tokenizer, String without) {
        for (var example : SMALL.path("cases")) {
            if (example.get(0).stringValue().chars().anyMatch(c -> without.indexOf(c) >= 0)) continue;
            var ids = example.get(1).valueStream().mapToInt(JsonNode::intValue).toArray();
            assertArrayEquals(ids, tokenizer.encode(example.get(0).stringValue(), false), example.get(0).stringValue());
        }
    }

    @Test void ggufGivesTheIdsOfSentencePiece() {
        try (var tokenizer = Tokenizers.fromGguf(metadata())) {
            assertCases(tokenizer);
            assertEquals("Jack painted", tokenizer.decode(tokenizer.encode(" Jack\n painted ", false)));
            int[] prompt = tokenizer.encodePrompt(MarkedText.untrusted("Jack"));
            assertEquals("0 2", prompt[0] + " " + prompt[prompt.length - 1], "a text ends with an end token unless the file says otherwise");
        }
    }

    @Test void theConvertedJsonGivesTheSameIds() throws IOException {
        var file = Files.writeString(directory.resolve("tokenizer.json"), Tokenizers.toJson(metadata()));
        try (var tokenizer = Tokenizers.fromJson(file)) { assertCases(tokenizer); }
    }

    private static String vocabulary() {
        var vocabulary = JsonMapper.shared().createArrayNode();
        for (int id = 0; id < SMALL.path("pieces").size(); id++) vocabulary.addArray().add(SMALL.path("pieces").get(id)).add(SMALL.path("scores").get(id));
        return vocabulary.toString();
    }

    /** As XLM-R's file spells the same: words are cut at white space, also such as this character map leaves alone, and each begins with U+2581. */
    @Test void theJsonOfXlmRobertaGivesTheSameIds() throws IOException {
        try (var tokenizer = openJson(vocabulary(), "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"%s\"}".formatted(SMALL.path("charsmap").stringValue()))) {
            assertCases(tokenizer, "\r\u00A0");
            assertArrayEquals(new int[] {0}, tokenizer.encode("<s>", true), "trusted text may spell a control token");
        }
    }

    private Tokenizer openJson(String vocabulary, String normalizer) throws IOException {
        return Tokenizers.fromJson(Files.writeString(directory.resolve("tokenizer.json"), """
            {"added_tokens": [{"id": 0, "content": "<s>", "special": true}, {"id": 1, "content": "<pad>", "special": true}, {"id": 2, "content": "</s>", "special": true},
             {"id": 3, "content": "<unk>", "special": true}], "normalizer": %s,
             "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": true}]},
             "decoder": {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": true},
             "model": {"type": "Unigram", "unk_id": 3, "vocab": %s}}""".formatted(normalizer, vocabulary)));
    }

    @Test void aBrokenJsonIsRefusedInWords() {
        for (var vocabulary : List.of("{}", "[]", "[5]", "[[\"a\"]]", "[[\"a\", \"b\"]]", "[[\"a\", 0], [\"b\", 0]]")) {
            assertThrows(ModelException.class, () -> openJson(vocabulary, "null").close(), vocabulary);
        }
        var refusal = assertThrows(ModelException.class, () -> openJson(vocabulary(), "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAA\"}").close()).getMessage();
        assertTrue(refusal.endsWith("the character map has 3 bytes"), refusal);
    }

    @Test void aBrokenCharacterMapIsRefusedOrHarmless() {
        var random = new Random(3);
        byte[] map = characterMap();
        int refused = 0;
        for (int n = 0; n < 400; n++) {
            byte[] broken = map.clone();
            for (int flips = 1 + random.nextInt(3); flips > 0; flips--) broken[random.nextInt(broken.length)] ^= (byte) (1 << random.nextInt(8));
            try (var tokenizer = Tokenizers.fromGguf(new Metadata("broken.gguf", keys(broken)))) {
                for (var text : List.of("ABÄ\uFB01\u2026e\u0301\uD55C\t\u3000", Texts.random(random))) tokenizer.encode(text, false);
            } catch (ModelException e) {
                refused++;
            }
        }
        assertTrue(refused > 50, "only " + refused + " of 400 refused");
    }
}
