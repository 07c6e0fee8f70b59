package inkstone.transformer.qwen2;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Block;
import inkstone.transformer.layers.Decoder;
import inkstone.transformer.layers.Experts;
import inkstone.transformer.layers.Norm;
import inkstone.transformer.layers.SelfAttention;
import inkstone.transformer.layers.SharedExperts;

/**
 * Qwen 1.5 and 2 with experts (Yang et al. 2024, arXiv:2407.10671): weights of the chosen are not normalised, and a shared expert is let through as far as a gate says.
 */
public final class Qwen2MoeFamily implements Family {
    @Override public String architecture() { return "qwen2moe"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        var experts = Experts.Sizes.fromGguf(file.metadata(), architecture(), Experts.Sizes.routing(file.metadata(), architecture(), Routing.Scoring.SOFTMAX, false));
        int shared = file.metadata().integer("qwen2moe.expert_shared_feed_forward_length", config.hidden());
        return weights.build(w -> of(config, experts, shared, w, backend));
    }

    private static Decoder of(DecoderConfig c, Experts.Sizes experts, int shared, Weights weights, Backend backend) {
        var rope = c.rope(weights, backend);
        return Decoder.of(c, Norm.Rms::of, weights, (layer, w) -> new Block.PreNorm(Norm.Rms.of(c, w, "attn_norm"), SelfAttention.of(c, layer, rope, w),
            Norm.Rms.of(c, w, "ffn_norm"), SharedExperts.gated(w, c.dim(), experts, shared)));
    }
}
