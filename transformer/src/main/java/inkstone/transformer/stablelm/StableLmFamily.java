package inkstone.transformer.stablelm;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Arrangement;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.AdapterLayout;
import inkstone.transformer.Arrangements;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.HuggingFaceModel;
import inkstone.transformer.HuggingFaceNames;
import java.util.Map;
import java.util.Set;

/** StableLM 3B, StableLM 2 1.6B and 12B ("stablelm"); Orion 14B ("orion"; Chen et al. 2024, arXiv:2401.12246), whose block is the same. */
public record StableLmFamily(String architecture) implements Family {
    private static final HuggingFaceNames NAMES = HuggingFaceNames.LLAMA.outside(Map.of("model.norm.bias", "output_norm.bias"));

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture, Rope.Pairs.HALVES);
        file.metadata().has(architecture + ".use_parallel_residual");        // the norm that is there or not says the same
        return weights.build(w -> StableLm.of(config, w, backend));
    }

    @Override public AdapterLayout adapterLayout() { return huggingFaceArchitectures().isEmpty() ? null : AdapterLayout.of(NAMES); }

    @Override public Set<String> huggingFaceArchitectures() { return architecture.equals("stablelm") ? Set.of("StableLmForCausalLM", "StableLMEpochForCausalLM") : Set.of(); }

    /** Norms of heads are there one by one. */
    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "silu");
        var renamed = DecoderConfig.renamed(config, "layer_norm_eps", "rms_norm_eps", "norm_eps", "rms_norm_eps", "rope_pct", "partial_rotary_factor");
        var c = DecoderConfig.fromHuggingFace(renamed, architecture);
        return HuggingFaceModel.of(NAMES::gguf, c.toGgufWithLayerNorm()).with("stablelm.use_parallel_residual", config.bool("use_parallel_residual", false)).arranged(to -> {
            for (int layer = 0; layer < c.layers(); layer++) {
                stack(to, layer, "q", c.heads(), c.headDim());
                stack(to, layer, "k", c.kvHeads(), c.headDim());
            }
        });
    }

    private static void stack(Arrangements to, int layer, String which, int heads, int headDim) {
        var prefix = "model.layers.%d.self_attn.%s_layernorm.norms.".formatted(layer, which);
        if (to.has(prefix + "0.weight")) {
            to.put("blk.%d.attn_%s_norm.weight".formatted(layer, which), Arrangement.stacked(heads, head -> Arrangement.of(prefix + head + ".weight", headDim)));
        }
    }
}
