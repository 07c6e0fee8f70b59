package inkstone.transformer.cohere;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.AdapterLayout;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.HuggingFaceModel;
import inkstone.transformer.HuggingFaceNames;
import inkstone.transformer.layers.Windows;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** Command R, R+ and Aya 23 ("command-r"); Command R7B and A ("cohere2"). */
public record CommandRFamily(String architecture) implements Family {
    private static final HuggingFaceNames NAMES = HuggingFaceNames.LLAMA.with(Map.of("self_attn.q_norm", "attn_q_norm", "self_attn.k_norm", "attn_k_norm"))
        .outside(Map.of("model.norm.bias", "output_norm.bias"));

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = DecoderConfig.fromGguf(file, architecture, Rope.Pairs.INTERLEAVED);
        float logitScale = metadata.floating(architecture + ".logit_scale", 1);
        var window = architecture + ".attention.sliding_window";
        int[] windows = metadata.has(window) ? Windows.of(metadata, architecture, config.layers(), metadata.integer(window), 4) : null;
        return weights.build(w -> CommandR.of(config, logitScale, windows, w, backend));
    }

    @Override public AdapterLayout adapterLayout() { return AdapterLayout.of(NAMES); }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of(architecture.equals("cohere2") ? "Cohere2ForCausalLM" : "CohereForCausalLM"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "silu");
        var c = DecoderConfig.fromHuggingFace(DecoderConfig.renamed(config, "layer_norm_eps", "rms_norm_eps", "rotary_pct", "partial_rotary_factor"), architecture);
        if (config.has("model_max_length")) c = c.withContextLength(config.integer("model_max_length"));
        var keys = new LinkedHashMap<>(c.toGgufWithLayerNorm());
        keys.put(architecture + ".logit_scale", config.floating("logit_scale", 0.0625f));
        if (architecture.equals("cohere2")) {
            int window = config.integer("sliding_window", 4096);
            keys.putAll(Windows.toGguf(architecture, Windows.ofHuggingFace(config, c.layers(), window, 4), window));
        }
        // some releases hold biases of norms that are all zero
        return HuggingFaceModel.of(NAMES::gguf, keys).without(name -> name.endsWith("_norm.bias"));
    }
}
