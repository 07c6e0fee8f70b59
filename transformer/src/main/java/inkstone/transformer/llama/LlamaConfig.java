package inkstone.transformer.llama;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.ModelConfig;
import inkstone.transformer.RopeScaling;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;

/**
 * The numbers of a Llama-shaped model (Llama 1-3, Mistral, TinyLlama, SmolLM).
 *
 * @param hidden        width of the feed-forward
 * @param contextLength tokens the model was made for. A model with a sliding window (Mistral 7B v0.1) gets the window here: within it, windowed and
 *                      full attention are the same, and beyond it this family has no kernel
 * @param rotaryDim     leading dimensions of each head that rotate; the rest pass
 * @param pairs         which dimensions rotate together: a property of the file's layout, not of the model
 */
public record LlamaConfig(int vocabularySize, int dim, int hidden, int layers, int heads, int kvHeads, int headDim, float eps, int contextLength,
                          float ropeBase, int rotaryDim, RopeScaling scaling, Rope.Pairs pairs) implements ModelConfig {
    /* Ten times what the largest models have: beyond, a file is broken, and checking a billion layers by name would never end. */
    private static final int MOST_LAYERS = 1 << 11, MOST_FEATURES = 1 << 20;

    public LlamaConfig {
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
        require(rotaryDim > 0 && rotaryDim % 2 == 0 && rotaryDim <= headDim, "rotary dimensions must be even and 2 to %d, got %d".formatted(headDim, rotaryDim));
        require(eps >= 0 && eps < 1, "norm epsilon must be 0 to 1, got " + eps);
        require(ropeBase > 1 && ropeBase < Float.POSITIVE_INFINITY, "rope base must be above 1, got " + ropeBase);
    }

    @Override public String architecture() { return "llama"; }

    @Override public AttentionShape attention() { return new AttentionShape(heads, kvHeads, headDim, (float) (1 / Math.sqrt(headDim))); }

    /**
     * From the {@code llama.*} keys of a GGUF file.
     *
     * @param vocabularySize rows of its token_embd
     * @param ropeFactors    its rope_freqs (Llama 3.1 and later), null where it has none
     */
    static LlamaConfig fromGguf(Metadata file, int vocabularySize, float[] ropeFactors) {
        return named(file, () -> {
            if (file.integer("llama.expert_count", 0) > 0) throw new ModelException("a mixture of experts (Mixtral) is not supported; use a dense model");
            int dim = file.integer("llama.embedding_length"), heads = positive("head count", file.integer("llama.attention.head_count"));
            int headDim = file.integer("llama.attention.key_length", dim / heads), valueDim = file.integer("llama.attention.value_length", headDim);
            require(file.has("llama.attention.key_length") || dim % heads == 0, "embedding length %d is not divisible by %d heads".formatted(dim, heads));
            require(valueDim == headDim, "keys of %d and values of %d dimensions differ, which no model of this family has".formatted(headDim, valueDim));
            int rotaryDim = file.integer("llama.rope.dimension_count", headDim);
            require(ropeFactors == null || ropeFactors.length == rotaryDim / 2, "%d rotary dimensions do not fit the size of rope_freqs".formatted(rotaryDim));
            var scaling = RopeScaling.fromGguf(file, "llama");
            return new LlamaConfig(vocabularySize, dim, file.integer("llama.feed_forward_length"), file.integer("llama.block_count"), heads,
                file.integer("llama.attention.head_count_kv", heads), headDim, file.floating("llama.attention.layer_norm_rms_epsilon"),
                window(file.integer("llama.context_length"), file.integer("llama.attention.sliding_window", 0)),
                file.floating("llama.rope.freq_base", 10_000), rotaryDim,
                ropeFactors == null ? scaling : new RopeScaling.Divided(scaling, ropeFactors), Rope.Pairs.INTERLEAVED);
        });
    }

    /** From the config.json of a LlamaForCausalLM or MistralForCausalLM. */
    static LlamaConfig fromHuggingFace(Metadata config) {
        return named(config, () -> {
            String activation = config.string("hidden_act", "silu");
            require(activation.equals("silu"), "hidden_act is \"%s\", models of this family use silu".formatted(activation));
            int dim = config.integer("hidden_size"), heads = positive("num_attention_heads", config.integer("num_attention_heads"));
            require(config.has("head_dim") || dim % heads == 0, "hidden_size %d is not divisible by %d heads".formatted(dim, heads));
            int headDim = config.integer("head_dim", dim / heads);
            return new LlamaConfig(config.integer("vocab_size"), dim, config.integer("intermediate_size"), config.integer("num_hidden_layers"), heads,
                config.integer("num_key_value_heads", heads), headDim, config.floating("rms_norm_eps", 1e-6f),
                window(config.integer("max_position_embeddings"), config.integer("sliding_window", 0)),
                config.floating("rope_theta", config.floating("rope_parameters.rope_theta", 10_000)),
                Math.round(headDim * config.floating("partial_rotary_factor", 1)), RopeScaling.fromHuggingFace(config), Rope.Pairs.HALVES);
        });
    }

    /** The {@code llama.*} keys of a GGUF file of this model. */
    Map<String, Object> toGguf() {
        var keys = new LinkedHashMap<String, Object>();
        keys.put("llama.vocab_size", vocabularySize);
        keys.put("llama.context_length", contextLength);
        keys.put("llama.embedding_length", dim);
        keys.put("llama.block_count", layers);
        keys.put("llama.feed_forward_length", hidden);
        keys.put("llama.attention.head_count", heads);
        keys.put("llama.attention.head_count_kv", kvHeads);
        keys.put("llama.attention.key_length", headDim);
        keys.put("llama.attention.value_length", headDim);
        keys.put("llama.attention.layer_norm_rms_epsilon", eps);
        keys.put("llama.rope.freq_base", ropeBase);
        keys.put("llama.rope.dimension_count", rotaryDim);
        keys.putAll(scaling.toGguf("llama"));
        return keys;
    }

    private static int window(int contextLength, int window) { return window > 0 ? Math.min(contextLength, window) : contextLength; }

    private static int positive(String name, int value) {
        require(value > 0, "%s must be 1 or more, got %d".formatted(name, value));
        return value;
    }

    private static void require(boolean good, String otherwise) {
        if (!good) throw new ModelException(otherwise);
    }

    /** What {@code read} returns; its complaints begin with the file's name. */
    private static LlamaConfig named(Metadata file, Supplier<LlamaConfig> read) {
        try {
            return read.get();
        } catch (ModelException e) {
            throw e.getMessage().startsWith(file.source()) ? e : new ModelException(file.source() + ": " + e.getMessage(), e);
        }
    }
}
