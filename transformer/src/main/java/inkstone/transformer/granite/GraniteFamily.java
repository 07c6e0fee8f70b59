package inkstone.transformer.granite;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Arrangement;
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
import java.util.Map;
import java.util.Set;

/** Granite 3: "granite" with one feed-forward in each block, "granitemoe" with experts. MiniCPM ("minicpm"; Hu et al. 2024, arXiv:2404.06395) has the same multipliers. */
public record GraniteFamily(String architecture) implements Family {
    private static final HuggingFaceNames NAMES = HuggingFaceNames.LLAMA.with(Map.of("block_sparse_moe.router.layer", "ffn_gate_inp",
        "block_sparse_moe.output_linear", "ffn_down_exps", "shared_mlp.output_linear", "ffn_down_shexp"));

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var c = DecoderConfig.fromGguf(file, architecture, Rope.Pairs.INTERLEAVED);
        var prefix = architecture + ".";
        // MiniCPM's older files leave its multipliers out: 12, 1.4 / sqrt(layers), dim / 256 in the paper
        boolean mini = architecture.equals("minicpm");
        float embedding = mini ? 12 : 1, residual = mini ? (float) (1.4 / Math.sqrt(c.layers())) : 1, logits = mini ? c.dim() / 256f : 1;
        if (!mini) metadata.floating(prefix + "logit_scale");
        var config = DecoderConfig.named(metadata, () -> new GraniteConfig(c, metadata.floating(prefix + "embedding_scale", embedding),
            metadata.floating(prefix + "residual_scale", residual), metadata.floating(prefix + "attention.scale", (float) (1 / Math.sqrt(c.headDim()))),
            metadata.floating(prefix + "logit_scale", logits), metadata.integer(prefix + "expert_shared_feed_forward_length", 0),
            mini || metadata.bool(prefix + "rope.scaling.finetuned", true)));
        var experts = Experts.Sizes.orNull(metadata, architecture);
        return weights.build(w -> Granite.of(config, experts, w, backend));
    }

    @Override public AdapterLayout adapterLayout() { return huggingFaceArchitectures().isEmpty() ? null : AdapterLayout.halved(NAMES); }

    @Override public Set<String> huggingFaceArchitectures() {
        return switch (architecture) {
            case "granite" -> Set.of("GraniteForCausalLM");
            case "granitemoe" -> Set.of("GraniteMoeForCausalLM", "GraniteMoeSharedForCausalLM");
            default -> Set.of();
        };
    }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "silu");
        var c = DecoderConfig.fromHuggingFace(config, architecture);
        var prefix = architecture + ".";
        var model = HuggingFaceModel.of(NAMES::gguf, c.toGguf()).halved(c).with(prefix + "embedding_scale", config.floating("embedding_multiplier", 1))
            .with(prefix + "residual_scale", config.floating("residual_multiplier", 1)).with(prefix + "attention.scale", config.floating("attention_multiplier", 1))
            .with(prefix + "logit_scale", config.floating("logits_scaling", 1));
        int experts = config.integer("num_local_experts", 0), shared = config.integer("shared_intermediate_size", 0);
        if (experts == 0) return model;
        if (shared > 0) model = model.with(prefix + "expert_shared_feed_forward_length", shared);
        return model.with(prefix + "expert_count", experts).with(prefix + "expert_used_count", config.integer("num_experts_per_tok")).arranged(to -> {
            for (int layer = 0; layer < c.layers(); layer++) {
                String from = "model.layers." + layer + ".", block = "blk." + layer + ".";
                var both = Arrangement.of(from + "block_sparse_moe.input_linear.weight", experts, 2, c.hidden(), c.dim());
                to.put(block + "ffn_gate_exps.weight", both.at(1, 0));
                to.put(block + "ffn_up_exps.weight", both.at(1, 1));
                if (shared == 0) continue;
                var sharedBoth = Arrangement.of(from + "shared_mlp.input_linear.weight", 2, shared, c.dim());
                to.put(block + "ffn_gate_shexp.weight", sharedBoth.at(0, 0));
                to.put(block + "ffn_up_shexp.weight", sharedBoth.at(0, 1));
            }
        });
    }
}
