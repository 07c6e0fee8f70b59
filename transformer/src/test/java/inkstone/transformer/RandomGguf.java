package inkstone.transformer;

import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.Shape;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.TensorData;
import inkstone.tensor.checkpoint.TensorInfo;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;

/** A tiny model of any family whose weights are seeded by the names of its tensors, so that the same file can be made again anywhere. */
final class RandomGguf {
    static final int VOCABULARY = 512, DIM = 64, HIDDEN = 96, HEADS = 4, KV_HEADS = 2, HEAD_DIM = 16;

    private final String architecture;
    private final Map<String, Object> keys = new LinkedHashMap<>();
    private final Map<String, int[]> tensors = new LinkedHashMap<>();

    RandomGguf(String architecture, int layers, boolean layerNorm) {
        this.architecture = architecture;
        key("block_count", layers).key("context_length", 512).key("embedding_length", DIM).key("feed_forward_length", HIDDEN).key("attention.head_count", HEADS)
            .key("attention.head_count_kv", KV_HEADS).key(layerNorm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", 2e-3f)
            .key("rope.dimension_count", HEAD_DIM).key("rope.freq_base", 5000f).key("vocab_size", VOCABULARY).tensor("token_embd.weight", VOCABULARY, DIM);
    }

    RandomGguf key(String name, Object value) {
        keys.put(architecture + "." + name, value);
        return this;
    }

    RandomGguf withoutKeys(String... names) {
        for (var name : names) keys.remove(architecture + "." + name);
        return this;
    }

    /** A key that does not begin with the architecture's name. */
    RandomGguf plainKey(String name, Object value) {
        keys.put(name, value);
        return this;
    }

    RandomGguf tensor(String name, int... dims) {
        tensors.put(name, dims);
        return this;
    }

    RandomGguf without(String name) {
        tensors.remove(name);
        return this;
    }

    /** Weight and bias. */
    RandomGguf affine(String name, int... dims) { return tensor(name + ".weight", dims).tensor(name + ".bias", dims[0]); }

    RandomGguf bias(String p, int width, String... names) {
        for (var name : names) tensor(p + name + ".bias", width);
        return this;
    }

    RandomGguf attention(String p) {
        return tensor(p + "attn_q.weight", HEADS * HEAD_DIM, DIM).tensor(p + "attn_k.weight", KV_HEADS * HEAD_DIM, DIM).tensor(p + "attn_v.weight", KV_HEADS * HEAD_DIM, DIM)
            .tensor(p + "attn_output.weight", DIM, HEADS * HEAD_DIM);
    }

    RandomGguf gated(String p, String suffix, int hidden) {
        return tensor(p + "ffn_gate" + suffix + ".weight", hidden, DIM).tensor(p + "ffn_up" + suffix + ".weight", hidden, DIM).tensor(p + "ffn_down" + suffix + ".weight", DIM, hidden);
    }

    RandomGguf experts(String p, int count, int hidden) {
        return tensor(p + "ffn_gate_inp.weight", count, DIM).tensor(p + "ffn_gate_exps.weight", count, hidden, DIM).tensor(p + "ffn_up_exps.weight", count, hidden, DIM)
            .tensor(p + "ffn_down_exps.weight", count, DIM, hidden);
    }

    RandomGguf norms(String p, int width, String... names) {
        for (var name : names) tensor(p + name + ".weight", width);
        return this;
    }

    /** Writes the file, with the vocabulary of {@code vocabulary}. */
    void write(Path vocabulary, Path target) throws IOException {
        var writer = new GgufWriter().string("general.architecture", architecture);
        try (var source = Gguf.open(vocabulary); var arena = Arena.ofConfined()) {
            for (var key : source.metadata().values().keySet()) if (key.startsWith("tokenizer.")) writer.copy(source, key);
            keys.forEach((key, value) -> {
                switch (value) {
                    case Integer integer -> writer.u32(key, integer);
                    case Float number -> writer.f32(key, number);
                    case int[] each -> writer.i32s(key, each);
                    case float[] each -> writer.f32s(key, each);
                    case Boolean bool -> writer.bool(key, bool);
                    default -> writer.string(key, value.toString());
                }
            });
            tensors.forEach((name, dims) -> {
                float[] values = values(name, dims);
                var bytes = arena.allocate(DType.F32.bytes(values.length));
                Blocks.fromFloats(DType.F32, values, bytes, 0, values.length);
                writer.tensor(new TensorInfo(name, DType.F32, new Shape(dims)), TensorData.of(bytes));
            });
            writer.write(target);
        }
    }

    /** Decays of state spaces are uniform below zero, norms around one and rotary factors above it, biases normal, matrices normal with variance 2 / columns, and embeddings with 1 each. */
    private static float[] values(String name, int... dims) {
        var random = new Random(name.hashCode());
        var values = new float[Math.toIntExact(new Shape(dims).elements())];
        boolean norm = name.contains("norm") && !name.endsWith("bias");
        double scale = name.endsWith("bias") ? 0.3 : name.startsWith("token_embd") ? 1 : Math.sqrt(2.0 / dims[dims.length - 1]);
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (name.endsWith("ssm_a") ? -0.1 - random.nextDouble() : norm ? 0.5 + 1.1 * random.nextDouble() : name.startsWith("rope_f") ? 1 + random.nextDouble() : scale * random.nextGaussian());
        }
        return values;
    }
}
