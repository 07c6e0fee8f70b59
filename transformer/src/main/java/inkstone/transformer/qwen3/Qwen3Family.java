package inkstone.transformer.qwen3;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
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
import inkstone.transformer.layers.Experts;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Qwen 3: "qwen3" with one feed-forward in each block, "qwen3moe" with experts; "qwen3vl" and "qwen3vlmoe": the text part of Qwen 3 VL, whose rotation has sections for time,
 * height and width, which are one position for text, and whose first layers take in what is seen.
 */
public record Qwen3Family(String architecture) implements Family {
    private static final HuggingFaceNames NAMES = HuggingFaceNames.LLAMA
        .with(Map.of("self_attn.q_norm", "attn_q_norm", "self_attn.k_norm", "attn_k_norm", "mlp.gate", "ffn_gate_inp"));

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture, Rope.Pairs.HALVES);
        if (architecture.startsWith("qwen3vl")) for (var key : new String[] {".rope.dimension_sections", ".n_deepstack_layers"}) file.metadata().has(architecture + key);
        var experts = Experts.Sizes.orNull(file.metadata(), architecture);
        return weights.build(w -> Qwen3.of(config, experts, w, backend));
    }

    @Override public AdapterLayout adapterLayout() { return AdapterLayout.of(NAMES); }

    @Override public Set<String> huggingFaceArchitectures() {
        return switch (architecture) {
            case "qwen3" -> Set.of("Qwen3ForCausalLM");
            case "qwen3moe" -> Set.of("Qwen3MoeForCausalLM");
            default -> Set.of();
        };
    }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "silu");
        if (config.bool("use_sliding_window", false)) throw new ModelException("%s: use_sliding_window is not supported".formatted(config.source()));
        var c = DecoderConfig.fromHuggingFace(config, architecture);
        var model = HuggingFaceModel.of(NAMES::gguf, c.toGguf());
        return architecture.equals("qwen3") ? model : withExperts(model, c, config);
    }

    private static HuggingFaceModel withExperts(HuggingFaceModel model, DecoderConfig c, Metadata config) {
        boolean everywhere = config.integer("decoder_sparse_step", 1) == 1 && (!config.has("mlp_only_layers") || config.values().get("mlp_only_layers").equals(List.of()));
        if (!everywhere || !config.bool("norm_topk_prob", false)) {
            throw new ModelException("%s: only models with experts in every layer, whose weights are normalised (norm_topk_prob), are supported".formatted(config.source()));
        }
        int experts = config.integer("num_experts"), hidden = config.integer("moe_intermediate_size");
        return model.with("qwen3moe.expert_count", experts).with("qwen3moe.expert_used_count", config.integer("num_experts_per_tok"))
            .with("qwen3moe.expert_feed_forward_length", hidden).arranged(to -> {
                for (int layer = 0; layer < c.layers(); layer++) {
                    to.experts(layer, experts, "model.layers.%d.mlp.experts.".formatted(layer), ".gate_proj.weight", ".up_proj.weight", ".down_proj.weight", hidden, c.dim());
                }
            });
    }
}
