package inkstone.transformer;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Backend;
import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.Metadata;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.LongStream;

/**
 * The numbers that every decoder has, whatever its blocks look like. What only some families have stands in a record of that family.
 *
 * @param hidden        width of the feed-forward
 * @param eps           of the norms
 * @param contextLength tokens the model was made for
 * @param window        tokens that a token attends to in every layer, itself included (Mistral 7B v0.1); 0: all before it
 * @param rotaryDim     leading dimensions of each head that rotate; the rest pass. 0 where positions are learned
 * @param pairs         which dimensions rotate together: a property of the file's layout, not of the model
 */
public record DecoderConfig(String architecture, int vocabularySize, int dim, int hidden, int layers, int heads, int kvHeads, int headDim, float eps,
                            int contextLength, int window, float ropeBase, int rotaryDim, RopeScaling scaling, Rope.Pairs pairs) implements ModelConfig {
    /** Tables of LongRoPE (Ding et al. 2024, arXiv:2402.13753): what frequencies are divided by in contexts up to the original length, and in longer ones. */
    public static final String SHORT_FACTORS = "rope_factors_short.weight", LONG_FACTORS = "rope_factors_long.weight";
    private static final String ROPE_FREQS = "rope_freqs.weight";
    /** Behind the architecture's name: "halves" in what a folder is seen as, where its pairs lie otherwise than in GGUF files, which have no such key. */
    static final String ROPE_PAIRS = ".rope.pairs";
    /* Ten times what the largest models have: beyond, a file is broken, and checking a billion layers by name would never end. */
    private static final int MOST_LAYERS = 1 << 11, MOST_FEATURES = 1 << 20;

    public DecoderConfig {
        positive("vocabulary", vocabularySize);
        positive("embedding length", dim);
        positive("feed-forward length", hidden);
        positive("layer count", layers);
        positive("head count", heads);
        positive("key-value head count", kvHeads);
        positive("head dimension", headDim);
        positive("context length", contextLength);
        require(heads % kvHeads == 0, "%d heads cannot be shared evenly by %d key-value heads".formatted(heads, kvHeads));
        require(layers <= MOST_LAYERS, "%d layers are more than any model has".formatted(layers));
        require(dim <= MOST_FEATURES && hidden <= MOST_FEATURES && (long) heads * headDim <= MOST_FEATURES,
            "embedding length %d, feed-forward length %d, or %d heads of %d are more than any model has".formatted(dim, hidden, heads, headDim));
        require(rotaryDim >= 0 && rotaryDim % 2 == 0 && rotaryDim <= headDim, "rotary dimensions must be even and 2 to %d, got %d".formatted(headDim, rotaryDim));
        require(window >= 0, "sliding window must be 0 or more, got " + window);
        require(eps >= 0 && eps < 1, "norm epsilon must be 0 to 1, got " + eps);
        require(ropeBase > 1 && ropeBase < Float.POSITIVE_INFINITY, "rope base must be above 1, got " + ropeBase);
    }

    @Override public AttentionShape attention() { return new AttentionShape(heads, kvHeads, headDim, (float) (1 / Math.sqrt(headDim))).withWindow(window); }

    /** Floats in a row of queries, and of what attention returns. */
    public int queryDim() { return heads * headDim; }
    /** Floats in a row of keys, and of values. */
    public int keyDim() { return kvHeads * headDim; }

    /** The rotation of this model's heads. Tables that the file has are in {@link #scaling} already; here they are asked for, so that they count as used. */
    public Rope rope(Weights w, Backend backend) {
        for (var table : new String[] {ROPE_FREQS, SHORT_FACTORS, LONG_FACTORS}) if (w.has(table)) w.tensor(table, rotaryDim / 2);
        return rope(ropeBase, scaling, backend);
    }

    /** The same heads turned by another base or scaling, as some layers of some models do. */
    public Rope rope(float base, RopeScaling scaling, Backend backend) {
        float[] frequencies = scaling.frequencies(base, rotaryDim);
        var table = backend.resident(Arena.ofAuto().allocateFrom(ValueLayout.JAVA_FLOAT, frequencies));
        return new Rope(Tensor.of(DType.F32, table, frequencies.length), scaling.magnitude(), pairs, headDim);
    }

    /**
     * Asks for the tensors of layers behind the model's last, which guess tokens further ahead (Gloeckle et al. 2024, arXiv:2404.19737) and are not used, so that they count as
     * known.
     */
    public void passOverFurtherLayers(Checkpoint file, Weights w) {
        if (file.metadata().integer(architecture + ".nextn_predict_layers", 0) == 0) return;
        for (var name : file.tensors().keySet()) {
            var parts = name.split("\\.", 3);
            if (parts[0].equals("blk") && parts.length == 3 && parts[1].matches("\\d{1,4}") && Integer.parseInt(parts[1]) >= layers) w.has(name);
        }
    }

    /** One layer of a model whose layers differ. */
    public DecoderConfig withLayer(int heads, int kvHeads, int hidden) {
        return new DecoderConfig(architecture, vocabularySize, dim, hidden, layers, heads, kvHeads, headDim, eps, contextLength, window, ropeBase, rotaryDim, scaling, pairs);
    }

    public DecoderConfig withScaling(RopeScaling scaling) {
        return new DecoderConfig(architecture, vocabularySize, dim, hidden, layers, heads, kvHeads, headDim, eps, contextLength, window, ropeBase, rotaryDim, scaling, pairs);
    }

    /**
     * With the table for short contexts. Keys in a cache cannot change from one table to the other, so the context ends where the long one would begin.
     */
    public DecoderConfig withLongRope(float[] shortFactors, float magnitude, int originalContext) {
        return withScaling(new RopeScaling.Divided(RopeScaling.NONE, shortFactors, magnitude)).withContextLength(Math.min(contextLength, originalContext));
    }

    public DecoderConfig withWindow(int window) {
        return new DecoderConfig(architecture, vocabularySize, dim, hidden, layers, heads, kvHeads, headDim, eps, contextLength, window, ropeBase, rotaryDim, scaling, pairs);
    }

    public DecoderConfig withContextLength(int contextLength) {
        return new DecoderConfig(architecture, vocabularySize, dim, hidden, layers, heads, kvHeads, headDim, eps, contextLength, window, ropeBase, rotaryDim, scaling, pairs);
    }

    // ---- files -----------------------------------------------------------------------------------------------------------------------------------------

    /** From the {@code architecture.*} keys of a GGUF file, the rows of its token_embd, and its tables of rotary factors where it has some (Llama 3.1, LongRoPE). */
    public static DecoderConfig fromGguf(Checkpoint file, String architecture, Rope.Pairs pairs) { return fromGguf(file, architecture, pairs, false); }

    /** Of a model whose layers differ: heads and the width of the feed-forward are those of the widest. */
    public static DecoderConfig fromGgufOfLayers(Checkpoint file, String architecture, Rope.Pairs pairs) { return fromGguf(file, architecture, pairs, true); }

    private static DecoderConfig fromGguf(Checkpoint file, String architecture, Rope.Pairs pairs, boolean differ) {
        var embedding = file.tensors().get("token_embd.weight");
        if (embedding == null) throw new ModelException("%s: tensor token_embd.weight is missing".formatted(file.metadata().source()));
        var config = fromGguf(file.metadata(), architecture, embedding.shape().dim(0), vector(file, ROPE_FREQS), pairs, differ);
        float[] shortFactors = vector(file, SHORT_FACTORS);
        if (shortFactors == null) return config;
        return named(file.metadata(), () -> {
            require(shortFactors.length == config.rotaryDim() / 2, "%d rotary dimensions do not fit the size of rope_factors_short".formatted(config.rotaryDim()));
            return config.withLongRope(shortFactors, config.scaling().magnitude(),
                file.metadata().integer(architecture + ".rope.scaling.original_context_length", config.contextLength()));
        });
    }

    /** The numbers of a vector in the file, null where it has none of that name. */
    public static float[] vector(Checkpoint file, String name) {
        var info = file.tensors().get(name);
        if (info == null) return null;
        var values = new float[Math.toIntExact(info.shape().elements())];
        Blocks.toFloats(info.dtype(), file.data(name), 0, values, values.length);
        return values;
    }

    /**
     * @param ropeFactors what each frequency is divided by, or null
     * @param differ      whether layers may
     */
    static DecoderConfig fromGguf(Metadata file, String architecture, int vocabularySize, float[] ropeFactors, Rope.Pairs pairs, boolean differ) {
        return named(file, () -> {
            String prefix = architecture + ".";
            int dim = file.integer(prefix + "embedding_length"), heads = positive("head count", everywhere(file, prefix + "attention.head_count", differ));
            int headDim = file.integer(prefix + "attention.key_length", dim / heads), valueDim = file.integer(prefix + "attention.value_length", headDim);
            require(file.has(prefix + "attention.key_length") || dim % heads == 0, "embedding length %d is not divisible by %d heads".formatted(dim, heads));
            require(valueDim == headDim, "keys of %d and values of %d dimensions differ, which no model of this family has".formatted(headDim, valueDim));
            int rotaryDim = file.integer(prefix + "rope.dimension_count", headDim);
            require(ropeFactors == null || ropeFactors.length == rotaryDim / 2, "%d rotary dimensions do not fit the size of rope_freqs".formatted(rotaryDim));
            var scaling = RopeScaling.fromGguf(file, architecture);
            var layerNorm = prefix + "attention.layer_norm_epsilon";
            boolean halved = file.string(architecture + ROPE_PAIRS, "").equals("halves");
            return new DecoderConfig(architecture, vocabularySize, dim, everywhere(file, prefix + "feed_forward_length", differ), file.integer(prefix + "block_count") - file.integer(prefix + "nextn_predict_layers", 0), heads,
                file.has(prefix + "attention.head_count_kv") ? everywhere(file, prefix + "attention.head_count_kv", differ) : heads, headDim,
                file.has(layerNorm) ? file.floating(layerNorm) : file.floating(prefix + "attention.layer_norm_rms_epsilon"),
                file.integer(prefix + "context_length"), 0, file.floating(prefix + "rope.freq_base", 10_000), rotaryDim,
                ropeFactors == null ? scaling : new RopeScaling.Divided(scaling, ropeFactors, scaling.magnitude()), halved ? Rope.Pairs.HALVES : pairs);
        });
    }

    /** A config.json under the names that Llama's uses: theirs and Llama's in turn, each read where Llama's is not there. */
    public static Metadata renamed(Metadata config, String... names) {
        var values = new LinkedHashMap<>(config.values());
        for (int i = 0; i < names.length; i += 2) if (config.has(names[i])) values.putIfAbsent(names[i + 1], config.values().get(names[i]));
        return new Metadata(config.source(), values);
    }

    /** An integer that a file may also say of each layer: the same of all, or the largest where they may differ. */
    private static int everywhere(Metadata file, String key, boolean differ) {
        if (!(file.values().get(key) instanceof long[])) return file.integer(key);
        var said = LongStream.of(file.integers(key)).summaryStatistics();
        require(said.getCount() > 0 && said.getMax() == (int) said.getMax() && (differ || said.getMin() == said.getMax()),
            "%s differs from layer to layer, which no model of this family has".formatted(key));
        return (int) said.getMax();
    }

    /** An integer of each of the {@code layers}, or one said of all. */
    public static int[] perLayer(Metadata file, String key, int layers) {
        var numbers = new int[layers];
        if (!(file.values().get(key) instanceof long[])) {
            Arrays.fill(numbers, file.integer(key));
            return numbers;
        }
        long[] said = file.integers(key);
        if (said.length < layers) throw new ModelException("%s: %s speaks of %d layers, the model has %d".formatted(file.source(), key, said.length, layers));
        for (int layer = 0; layer < layers; layer++) {
            if (said[layer] != (int) said[layer] || said[layer] < 0 || said[layer] > MOST_FEATURES) {
                throw new ModelException("%s: %s of layer %d is %d, which no model has".formatted(file.source(), key, layer, said[layer]));
            }
            numbers[layer] = (int) said[layer];
        }
        return numbers;
    }

    /** From a config.json that uses the names that Llama's has, as most do. */
    public static DecoderConfig fromHuggingFace(Metadata config, String architecture) {
        return named(config, () -> {
            int dim = config.integer("hidden_size"), heads = positive("num_attention_heads", config.integer("num_attention_heads"));
            require(config.has("head_dim") || dim % heads == 0, "hidden_size %d is not divisible by %d heads".formatted(dim, heads));
            int headDim = config.integer("head_dim", dim / heads);
            return new DecoderConfig(architecture, config.integer("vocab_size"), dim, config.integer("intermediate_size"), config.integer("num_hidden_layers"), heads,
                config.integer("num_key_value_heads", heads), headDim, config.floating("rms_norm_eps", 1e-6f), config.integer("max_position_embeddings"), 0,
                config.floating("rope_theta", 10_000), (int) (headDim * config.floating("partial_rotary_factor", 1) + 1e-3), RopeScaling.fromHuggingFace(config), Rope.Pairs.HALVES);
        });
    }

    /** Throws where config.json names an activation that the family's blocks do not have. */
    public static void requireActivation(Metadata config, String key, String... expected) {
        var found = config.string(key, expected[0]);
        for (var name : expected) if (name.equals(found)) return;
        throw new ModelException("%s: %s is \"%s\", models of this family use %s".formatted(config.source(), key, found, String.join(" or ", expected)));
    }

    /** The {@code architecture.*} keys of a GGUF file of a model with RMS norms. */
    public Map<String, Object> toGguf() {
        var keys = new LinkedHashMap<String, Object>();
        String prefix = architecture + ".";
        keys.put(prefix + "vocab_size", vocabularySize);
        keys.put(prefix + "context_length", contextLength);
        keys.put(prefix + "embedding_length", dim);
        keys.put(prefix + "block_count", layers);
        keys.put(prefix + "feed_forward_length", hidden);
        keys.put(prefix + "attention.head_count", heads);
        keys.put(prefix + "attention.head_count_kv", kvHeads);
        keys.put(prefix + "attention.key_length", headDim);
        keys.put(prefix + "attention.value_length", headDim);
        keys.put(prefix + "attention.layer_norm_rms_epsilon", eps);
        if (window > 0) keys.put(prefix + "attention.sliding_window", window);
        keys.put(prefix + "rope.freq_base", ropeBase);
        keys.put(prefix + "rope.dimension_count", rotaryDim);
        keys.putAll(scaling.toGguf(architecture));
        return keys;
    }

    /** The same of a model with layer norms. */
    public Map<String, Object> toGgufWithLayerNorm() {
        var keys = new LinkedHashMap<>(toGguf());
        keys.remove(architecture + ".attention.layer_norm_rms_epsilon");
        keys.put(architecture + ".attention.layer_norm_epsilon", eps);
        return keys;
    }

    private static int positive(String name, int value) {
        require(value > 0, "%s must be 1 or more, got %d".formatted(name, value));
        return value;
    }

    private static void require(boolean good, String otherwise) {
        if (!good) throw new ModelException(otherwise);
    }

    /** What {@code read} returns; its complaints begin with the file's name. */
    public static <C> C named(Metadata file, Supplier<C> read) {
        try {
            return read.get();
        } catch (ModelException e) {
            throw e.getMessage().startsWith(file.source()) ? e : new ModelException(file.source() + ": " + e.getMessage(), e);
        } catch (ArithmeticException e) {
            throw new ModelException(file.source() + ": a size is larger than any model's", e);
        }
    }
}
