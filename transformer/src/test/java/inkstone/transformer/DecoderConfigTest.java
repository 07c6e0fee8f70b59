package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Metadata;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class DecoderConfigTest {
    private static final Map<String, Object> GGUF = Map.of("llama.embedding_length", 64L, "llama.block_count", 5L, "llama.feed_forward_length", 172L,
        "llama.attention.head_count", 8L, "llama.attention.head_count_kv", 4L, "llama.context_length", 512L, "llama.attention.layer_norm_rms_epsilon", 1e-5);
    private static final Map<String, Object> HUGGING_FACE = Map.of("hidden_size", 64L, "num_hidden_layers", 5L, "intermediate_size", 172L, "num_attention_heads", 8L,
        "num_key_value_heads", 4L, "max_position_embeddings", 512L, "rms_norm_eps", 1e-5, "vocab_size", 512L);

    private static Metadata with(Map<String, Object> base, String key, Object value) {
        var values = new HashMap<>(base);
        if (value == null) values.remove(key);
        else values.put(key, value);
        return new Metadata("model.gguf", values);
    }

    private static DecoderConfig gguf(String key, Object value) { return DecoderConfig.fromGguf(with(GGUF, key, value), "llama", 512, null, Rope.Pairs.INTERLEAVED, false); }

    private static DecoderConfig huggingFace(String key, Object value) { return DecoderConfig.fromHuggingFace(with(HUGGING_FACE, key, value), "llama"); }

    @Test void bothKindsOfFileSayTheSame() {
        var gguf = gguf("general.name", "x");
        assertEquals(8, gguf.headDim());
        assertEquals(8, gguf.rotaryDim());
        assertEquals(10_000, gguf.ropeBase());
        assertEquals(Rope.Pairs.INTERLEAVED, gguf.pairs());
        var same = huggingFace("head_dim", null);
        assertEquals(Rope.Pairs.HALVES, same.pairs());
        assertEquals(gguf.toGguf(), same.toGguf());
    }

    @Test void aConfigSurvivesItsOwnMetadata() {
        var values = TestData.readBack(gguf("llama.rope.freq_base", 500_000.0).toGguf());
        assertEquals(gguf("llama.rope.freq_base", 500_000.0), DecoderConfig.fromGguf(new Metadata("again", values), "llama", 512, null, Rope.Pairs.INTERLEAVED, false));
    }

    @Test void headDimensionAndRotaryDimensionsMayDifferFromTheUsual() {
        assertEquals(32, gguf("llama.attention.key_length", 32L).headDim());
        assertEquals(4, gguf("llama.rope.dimension_count", 4L).rotaryDim());
        assertEquals(4, huggingFace("partial_rotary_factor", 0.5).rotaryDim());
        assertEquals(16, huggingFace("head_dim", 16L).headDim());
    }

    @Test void aWindowBelongsToTheAttention() {
        assertEquals(0, gguf("general.name", "x").attention().window());
        assertEquals(128, gguf("general.name", "x").withWindow(128).attention().window());
        assertThrows(ModelException.class, () -> gguf("general.name", "x").withWindow(-1));
    }

    @Test void badNumbersAreRefusedWithTheFileAndTheReason() {
        refused("head count", "llama.attention.head_count", 0L);
        refused("7 key-value heads", "llama.attention.head_count_kv", 7L);
        refused("divisible by 7 heads", "llama.attention.head_count", 7L);
        refused("context length", "llama.context_length", 0L);
        refused("context_length is missing", "llama.context_length", null);
        refused("layer count", "llama.block_count", -1L);
        refused("rotary", "llama.rope.dimension_count", 9L);
        refused("rotary", "llama.rope.dimension_count", 10L);
        refused("epsilon", "llama.attention.layer_norm_rms_epsilon", Double.NaN);
        refused("rope base", "llama.rope.freq_base", 0.0);
        refused("no reader expects", "llama.embedding_length", 1L << 40);
        refused("layers are more than any model", "llama.block_count", 1_000_000_000L);
        refused("more than any model", "llama.attention.key_length", 1L << 30);
        refused("values of 16", "llama.attention.value_length", 16L);
        refused("differs from layer to layer", "llama.attention.head_count_kv", new long[] {4, 2});
        refused("should be an integer", "llama.attention.head_count_kv", new double[] {4, 4});
        assertThrows(ModelException.class, () -> DecoderConfig.fromGguf(new Metadata("model.gguf", GGUF), "llama", 512, new float[3], Rope.Pairs.INTERLEAVED, false), "4 pairs, 3 factors");
        assertThrows(ModelException.class, () -> DecoderConfig.requireActivation(with(HUGGING_FACE, "hidden_act", "gelu"), "hidden_act", "silu"));
    }

    private static void refused(String reason, String key, Object value) {
        var message = assertThrows(ModelException.class, () -> gguf(key, value), key).getMessage();
        assertTrue(message.startsWith("model.gguf: ") && message.contains(reason), message);
    }
}
