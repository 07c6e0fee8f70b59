package inkstone.transformer.llama;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.tensor.reference.ReferenceBackend;
import inkstone.transformer.Converter;
import inkstone.transformer.Models;
import inkstone.transformer.Packed;
import inkstone.transformer.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HuggingFaceLlamaTest {
    private static final Map<String, Object> CONFIG = Map.of("hidden_size", 16L, "num_hidden_layers", 1L, "intermediate_size", 8L, "num_attention_heads", 2L,
        "max_position_embeddings", 32L, "vocab_size", 4L, "partial_rotary_factor", 0.5);

    @Test void tensorsGoByTheirGgufNames() {
        var model = new LlamaFamily().fromHuggingFace(new Metadata("config.json", CONFIG));
        assertEquals("blk.31.attn_q.weight", model.names().apply("model.layers.31.self_attn.q_proj.weight"));
        assertEquals("blk.0.attn_k.bias", model.names().apply("model.layers.0.self_attn.k_proj.bias"));
        assertEquals("blk.0.ffn_norm.weight", model.names().apply("model.layers.0.post_attention_layernorm.weight"));
        assertEquals("output.weight", model.names().apply("lm_head.weight"));
        assertEquals("model.layers.0.self_attn.rotary_emb.inv_freq", model.names().apply("model.layers.0.self_attn.rotary_emb.inv_freq"));
        assertTrue(model.unused().test("model.layers.0.self_attn.rotary_emb.inv_freq"));
        assertEquals("something.else", model.names().apply("something.else"));
    }

    @Test void rowsOfQueriesAndKeysAreDealtInPairs() {
        var model = new LlamaFamily().fromHuggingFace(new Metadata("config.json", CONFIG));
        for (var name : new String[] {"blk.0.attn_q.weight", "blk.0.attn_k.bias"}) {
            assertEquals("[0, 2, 1, 3, 4, 5, 6, 7, 8, 10, 9, 11, 12, 13, 14, 15]", IntStream.range(0, 16).map(model.sourceRow(name)).boxed().toList().toString(),
                "heads of 8, of which 4 rotate");
        }
        assertEquals(5, model.sourceRow("blk.0.attn_v.weight").applyAsInt(5));
    }

    /** Whatever the rotary positions are, the GGUF file made from the directory computes what the directory does. */
    @ParameterizedTest
    @ValueSource(strings = {"\"rope_theta\": 500.0", "\"partial_rotary_factor\": 0.5", "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 2.0}",
        "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 64}",
        "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 128, \"attention_factor\": 1.3}"})
    void theFileMadeFromADirectoryComputesTheSame(String change, @TempDir Path temporary) throws IOException {
        var directory = TestData.storiesDirectory(Files.createDirectory(temporary.resolve("model")));
        var config = Files.readString(directory.resolve("config.json"));
        float[] unchanged = logits(directory);
        Files.writeString(directory.resolve("config.json"), config.replace("\"rope_theta\": 10000.0", change));
        var file = temporary.resolve("model.gguf");
        Converter.convert(directory, file, DType.F32, 2, (name, written, all) -> { });
        float[] expected = logits(directory);
        double difference = TestData.largestDifference(expected, logits(file));
        assertTrue(difference < 1e-4, "off by " + difference + "; frequencies may round differently by one float");
        assertTrue(TestData.largestDifference(expected, unchanged) > 0.1, "the change matters");
    }

    private static float[] logits(Path file) throws IOException {
        try (var backend = new ReferenceBackend(); var model = Models.open(file, backend); var scope = Scope.inference(backend)) {
            int[] tokens = IntStream.range(1, 49).map(i -> 3 + i * 37 % 500).toArray();
            return model.model().logits(model.model().forward(scope.ints(tokens), Packed.of(scope, tokens.length))).toFloats();
        }
    }
}
