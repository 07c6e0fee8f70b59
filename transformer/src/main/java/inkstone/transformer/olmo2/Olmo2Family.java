package inkstone.transformer.olmo2;

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

/** OLMo 2 and 3. */
public final class Olmo2Family implements Family {
    private static final HuggingFaceNames NAMES = HuggingFaceNames.LLAMA.with(Map.of("post_attention_layernorm", "post_attention_norm",
        "post_feedforward_layernorm", "post_ffw_norm", "self_attn.q_norm", "attn_q_norm", "self_attn.k_norm", "attn_k_norm"));

    @Override public String architecture() { return "olmo2"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        int[] windows = Windows.of(metadata, architecture(), config.layers(), metadata.integer("olmo2.attention.sliding_window", 0), 4);
        return weights.build(w -> Olmo2.of(config, windows, w, backend));
    }

    @Override public AdapterLayout adapterLayout() { return AdapterLayout.of(NAMES); }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("Olmo2ForCausalLM", "Olmo3ForCausalLM"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "silu");
        var c = DecoderConfig.fromHuggingFace(config, architecture());
        int window = config.integer("sliding_window", 0);
        var keys = new LinkedHashMap<>(c.toGguf());
        keys.putAll(Windows.toGguf(architecture(), Windows.ofHuggingFace(config, c.layers(), window, 4), window));
        return HuggingFaceModel.of(NAMES::gguf, keys);
    }
}
