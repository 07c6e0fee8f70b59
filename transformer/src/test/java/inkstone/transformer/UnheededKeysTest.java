package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UnheededKeysTest {
    private static Metadata file(Object... keysAndValues) {
        var values = new HashMap<String, Object>();
        for (int i = 0; i < keysAndValues.length; i += 2) values.put("x." + keysAndValues[i], keysAndValues[i + 1]);
        return new Metadata("file.gguf", values);
    }

    @Test void whatNobodyAskedForIsNamed() {
        var file = file("attention.scale", 0.5, "embedding_scale", 12.0, "rope.dimension_sections", new long[] {4, 2, 2, 0}, "block_count", 3L, "vocab_size", 512L);
        file.floating("x.embedding_scale");
        assertEquals("file.gguf: this family does not know what to make of x.attention.scale, x.rope.dimension_sections, so its answers would be wrong",
            assertThrows(ModelException.class, () -> UnheededKeys.refuse(file, "x")).getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"expert_group_count", "attention.sliding_window", "attention.temperature_length", "nextn_predict_layers", "ssm.group_count", "moe_every_n_layers"})
    void numbersOfOtherComputationsAreRefused(String key) {
        assertThrows(ModelException.class, () -> UnheededKeys.refuse(file(key, 2L), "x"));
        assertDoesNotThrow(() -> UnheededKeys.refuse(file(key, 0L), "x"));
    }

    @Test void whatSaysNothingNewPasses() {
        var keys = new HashMap<String, Object>(Map.of("rope.scaling.type", "none", "rope.scaling.factor", 1.0, "logit_scale", 1.0, "attention.causal", true, "use_parallel_residual", false,
            "rope.freq_base", 10_000.0, "rope.freq_base_swa", 10_000.0, "rope.scaling.original_context_length", 4096L, "attention.layer_norm_epsilon", 1e-5, "pooling_type", 1L));
        keys.forEach((key, value) -> {
            var file = file(key, value, "rope.freq_base", 10_000.0);
            file.has("x.rope.freq_base");
            assertDoesNotThrow(() -> UnheededKeys.refuse(file, "x"), key);
        });
        assertThrows(ModelException.class, () -> UnheededKeys.refuse(file("attention.causal", false), "x"));
        assertThrows(ModelException.class, () -> UnheededKeys.refuse(file("rope.freq_base_swa", 500.0), "x"));
    }
}
