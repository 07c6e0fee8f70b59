package inkstone.transformer;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.Shape;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.TensorInfo;
import inkstone.tensor.reference.ReferenceBackend;
import inkstone.tokenizer.Tokenizers;
import inkstone.transformer.gpt2.Gpt2;
import inkstone.transformer.llama.Llama;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;

/**
 * A model that has learned nothing yet, as a GGUF file: what training from scratch begins with. Matrices are normal random numbers of standard deviation 0.02, those that write
 * into the residual stream smaller by the root of their number (Radford et al. 2019); norms are 1 and biases 0. The same seed gives the same file.
 */
public final class NewModel {
    private static final float DEVIATION = 0.02f;

    /**
     * @param architecture "llama": RMS norms, rotary positions, SwiGLU; "gpt2": layer norms, learned positions, biases, GELU
     * @param kvHeads      for grouped queries; gpt2 has as many as heads
     * @param hidden       width of the feed-forward
     * @param tied         whether the output head is the table of embeddings
     */
    public record Size(String architecture, int layers, int dim, int heads, int kvHeads, int hidden, int context, boolean tied, float ropeBase) {
        public Size {
            if (!architecture.equals("llama") && !architecture.equals("gpt2")) throw new IllegalArgumentException("architecture: expected llama or gpt2, got " + architecture);
            if (architecture.equals("gpt2") && (kvHeads != heads || !tied)) throw new IllegalArgumentException("gpt2 has as many key-value heads as heads, and a tied head");
            if (heads < 1 || dim % heads != 0 || dim / heads % 2 != 0) throw new IllegalArgumentException("dim %d is not divisible into %d heads of an even size".formatted(dim, heads));
        }

        private DecoderConfig config(int vocabulary) {
            int headDim = dim / heads, rotary = architecture.equals("llama") ? headDim : 0;
            return new DecoderConfig(architecture, vocabulary, dim, hidden, layers, heads, kvHeads, headDim, 1e-5f, context, 0, ropeBase, rotary, RopeScaling.NONE, Rope.Pairs.INTERLEAVED);
        }
    }

    private NewModel() {}

    /**
     * @param tokenizer    folder with tokenizer.json and, for the tokens that begin and end a text, tokenizer_config.json
     * @param chatTemplate Jinja, or null
     * @param name         what the model is called
     */
    public static void write(Size size, Path tokenizer, String chatTemplate, String name, long seed, Path target) throws IOException {
        var vocabulary = Tokenizers.toGguf(tokenizer);
        if (!(vocabulary.get("tokenizer.ggml.tokens") instanceof java.util.List<?> tokens)) throw new ModelException("%s: the tokenizer has no list of tokens".formatted(tokenizer));
        var config = size.config(tokens.size());
        var parameters = parameters(size, tokens.size());
        long numbers = parameters.values().stream().mapToLong(Shape::elements).sum();
        MachineMemory.require(2 * DType.F32.bytes(numbers), "training %s of %,d parameters, with gradients and nothing else,".formatted(name, numbers), "a smaller model");
        var writer = new GgufWriter().string("general.architecture", size.architecture()).string("general.name", name).u32("general.file_type", 0);
        keys(config).forEach((key, value) -> Converter.put(writer, key, value));
        vocabulary.forEach((key, value) -> Converter.put(writer, key, value));
        if (chatTemplate != null) writer.string("tokenizer.chat_template", chatTemplate);
        parameters.forEach((parameter, shape) -> writer.tensor(new TensorInfo(parameter, DType.F32, shape),
            out -> out.write(MemorySegment.ofArray(values(parameter, shape, size.layers(), seed)))));
        writer.write(target);
    }

    private static Map<String, Object> keys(DecoderConfig config) {
        var keys = new LinkedHashMap<>(config.toGguf());
        if (config.architecture().equals("llama")) return keys;
        keys.remove("gpt2.attention.layer_norm_rms_epsilon");
        keys.keySet().removeIf(key -> key.startsWith("gpt2.rope."));
        keys.put("gpt2.attention.layer_norm_epsilon", config.eps());
        return keys;
    }

    /** Weights that have what a model of this size asks for. */
    abstract static class Parts implements Weights {
        private final Size size;

        Parts(Size size) { this.size = size; }

        @Override public final Tensor floats(String name, int... dims) { return tensor(name, dims); }

        @Override public final boolean has(String name) {
            if (name.equals("output.weight")) return !size.tied();
            return size.architecture().equals("gpt2") && (name.endsWith(".bias") || name.endsWith("attn_qkv.weight"));
        }
    }

    static CausalModel build(Size size, int vocabulary, Parts parts, Backend backend) {
        var config = size.config(vocabulary);
        return size.architecture().equals("llama") ? Llama.of(config, null, parts, backend) : Gpt2.of(config, parts);
    }

    /** What the model asks for when it is built. */
    private static Map<String, Shape> parameters(Size size, int vocabulary) {
        var asked = new LinkedHashMap<String, Shape>();
        var blueprint = new Parts(size) {
            @Override public Tensor tensor(String name, int... dims) {
                asked.put(name, new Shape(dims));
                try (var arena = Arena.ofConfined()) {                                                    // a shape without memory
                    return Tensor.of(DType.F32, MemorySegment.NULL.reinterpret(DType.F32.bytes(new Shape(dims).elements()), arena, null), dims);
                }
            }
        };
        try (var backend = new ReferenceBackend()) { build(size, vocabulary, blueprint, backend); }
        return asked;
    }

    static float[] values(String name, Shape shape, int layers, long seed) {
        var values = new float[Math.toIntExact(shape.elements())];
        if (name.endsWith(".bias")) return values;
        if (shape.rank() == 1) {
            java.util.Arrays.fill(values, 1);
            return values;
        }
        boolean residual = name.contains("attn_output") || name.contains("ffn_down");
        float deviation = residual ? DEVIATION / (float) Math.sqrt(2 * layers) : DEVIATION;
        var random = new Random(seed * 31 + name.hashCode());
        for (int i = 0; i < values.length; i++) values[i] = deviation * (float) random.nextGaussian();
        return values;
    }
}
