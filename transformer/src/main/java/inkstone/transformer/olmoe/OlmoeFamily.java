package inkstone.transformer.olmoe;

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
import inkstone.transformer.layers.HeadNorm;
import inkstone.transformer.layers.Norm;
import inkstone.transformer.layers.SelfAttention;

/** OLMoE (Muennighoff et al. 2024, arXiv:2409.02060): a norm over all heads of queries, and of keys, together; experts whose weights are not normalised. */
public final class OlmoeFamily implements Family {
    @Override public String architecture() { return "olmoe"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        var experts = Experts.Sizes.fromGguf(file.metadata(), architecture(), Experts.Sizes.routing(file.metadata(), architecture(), Routing.Scoring.SOFTMAX, false));
        return weights.build(w -> of(config, experts, w, backend));
    }

    private static Decoder of(DecoderConfig c, Experts.Sizes experts, Weights weights, Backend backend) {
        var rope = c.rope(weights, backend);
        return Decoder.of(c, Norm.Rms::of, weights, (layer, w) -> {
            var attention = SelfAttention.of(c, layer, rope, w).withNorms(new HeadNorm.Together(w.tensor("attn_q_norm.weight", c.queryDim()), c.eps()),
                new HeadNorm.Together(w.tensor("attn_k_norm.weight", c.keyDim()), c.eps()));
            return new Block.PreNorm(Norm.Rms.of(c, w, "attn_norm"), attention, Norm.Rms.of(c, w, "ffn_norm"), Experts.of(w, c.dim(), experts));
        });
    }
}
