package inkstone.transformer.gemma3;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.tensor.checkpoint.Stored;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.HuggingFaceNames;
import inkstone.transformer.layers.Windows;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** Gemma 3, text. */
public final class Gemma3Family implements Family {
    /* The 27B model, alone in having 62 layers, divides scores by the root of dim / heads; its files do not say so. */
    private static final int LAYERS_27B = 62;

    @Override public String architecture() { return "gemma3"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var c = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        int[] windows = Windows.of(metadata, architecture(), c.layers(), metadata.integer("gemma3.attention.sliding_window", 0), 6);
        float localBase = metadata.floating("gemma3.rope.freq_base_swa", 10_000), logitCap = metadata.floating("gemma3.final_logit_softcapping", 0);
        return weights.build(w -> Gemma3.of(c, queryScale(c), windows, localBase, logitCap, w, backend));
    }

    private static float queryScale(DecoderConfig c) { return (float) (1 / Math.sqrt(c.layers() == LAYERS_27B ? c.dim() / c.heads() : c.headDim())); }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("Gemma3ForCausalLM"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_activation", "gelu_pytorch_tanh", "gelu");
        var c = DecoderConfig.fromHuggingFace(config, architecture());
        int window = config.integer("sliding_window", 0);
        int[] windows = config.has("layer_types") ? config.strings("layer_types").stream().mapToInt(type -> type.equals("sliding_attention") ? window : 0).toArray()
            : Windows.of(config, architecture(), c.layers(), window, config.integer("sliding_window_pattern", 6));
        if (windows.length != c.layers()) throw new ModelException("%s: layer_types speaks of %d layers, the model has %d".formatted(config.source(), windows.length, c.layers()));
        return new HuggingFaceGemma3(c, (float) (1 / Math.sqrt(config.floating("query_pre_attn_scalar", c.headDim()))), windows, window,
            config.floating("rope_local_base_freq", 10_000), config.floating("final_logit_softcapping", 0));
    }

    private record HuggingFaceGemma3(DecoderConfig config, float queryScale, int[] windows, int window, float localBase, float logitCap) implements HuggingFaceModel {
        private static final HuggingFaceNames NAMES = HuggingFaceNames.LLAMA.with(Map.of("post_attention_layernorm", "post_attention_norm",
            "pre_feedforward_layernorm", "ffn_norm", "post_feedforward_layernorm", "post_ffw_norm",
            "self_attn.q_norm", "attn_q_norm", "self_attn.k_norm", "attn_k_norm"));

        @Override public String ggufName(String tensor) { return NAMES.gguf(tensor); }
        @Override public Stored stored(String ggufName) { return ggufName.endsWith("_norm.weight") ? Stored.LESS_ONE : Stored.AS_ASKED; }

        @Override public CausalModel of(CheckpointWeights weights, Backend backend) {
            return weights.build(w -> Gemma3.of(config, queryScale, windows, localBase, logitCap, w, backend));
        }

        @Override public Map<String, Object> ggufMetadata() {
            if (queryScale != Gemma3Family.queryScale(config)) throw new ModelException("query_pre_attn_scalar is not the usual one, and a GGUF file cannot tell");
            var keys = new LinkedHashMap<>(config.toGguf());
            keys.put("gemma3.attention.sliding_window", window);
            int period = 1;
            while (period <= windows.length && windows[period - 1] > 0) period++;
            if (window > 0) keys.put("gemma3.attention.sliding_window_pattern", period);
            keys.put("gemma3.rope.freq_base_swa", localBase);
            if (logitCap > 0) keys.put("gemma3.final_logit_softcapping", logitCap);
            return keys;
        }
    }
}
