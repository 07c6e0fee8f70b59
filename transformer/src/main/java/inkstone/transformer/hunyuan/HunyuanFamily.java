package inkstone.transformer.hunyuan;

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
import inkstone.transformer.layers.FeedForward;
import inkstone.transformer.layers.Norm;
import inkstone.transformer.layers.SharedExperts;
import inkstone.transformer.layers.SwiGlu;

/**
 * Hunyuan, dense ("hunyuan-dense") and with experts ("hunyuan-moe"; Sun et al. 2024, arXiv:2411.02265): Llama's block with norms of each head behind the rotation.
 */
public record HunyuanFamily(String architecture) implements Family {
    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = DecoderConfig.fromGguf(file, architecture, Rope.Pairs.HALVES);
        float alpha = metadata.floating(architecture + ".rope.scaling.alpha", 0);
        // a file of the dense model may speak of one expert
        if (architecture.equals("hunyuan-dense") && metadata.integer(architecture + ".expert_count", 0) <= 1) {
            metadata.has(architecture + ".expert_used_count");
            return weights.build(w -> of(config, alpha, w, backend, at -> SwiGlu.of(at, "", config.dim(), config.hidden())));
        }
        var experts = Experts.Sizes.fromGguf(metadata, architecture, Experts.Sizes.routing(metadata, architecture, Routing.Scoring.SOFTMAX, true));
        int shared = metadata.integer(architecture + ".expert_shared_feed_forward_length", config.hidden());
        return weights.build(w -> of(config, alpha, w, backend, at -> SharedExperts.of(at, config.dim(), experts, shared)));
    }

    private interface FeedForwards {
        FeedForward of(Weights w);
    }

    /** @param alpha stretches the context by a larger base (bloc97 2023, "NTK-aware scaled RoPE"); 0 where it does not */
    private static Decoder of(DecoderConfig c, float alpha, Weights weights, Backend backend, FeedForwards feedForwards) {
        double stretched = c.ropeBase() * Math.pow(alpha, c.headDim() / (c.headDim() - 2.0));
        var rope = alpha > 0 ? c.rope((float) stretched, c.scaling(), backend) : c.rope(weights, backend);
        return Decoder.of(c, Norm.Rms::of, weights, (layer, w) -> new HunyuanBlock(Norm.Rms.of(c, w, "attn_norm"), TurnedFirstAttention.of(c, layer, rope, w),
            Norm.Rms.of(c, w, "ffn_norm"), feedForwards.of(w)));
    }
}
