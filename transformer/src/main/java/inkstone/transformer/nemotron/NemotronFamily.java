package inkstone.transformer.nemotron;

import inkstone.tensor.Backend;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Rope;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Block;
import inkstone.transformer.layers.Decoder;
import inkstone.transformer.layers.LayerNorm;
import inkstone.transformer.layers.Mlp;
import inkstone.transformer.layers.SelfAttention;

/** Nemotron 4 and Minitron (Parmar et al. 2024, arXiv:2402.16819): layer norms, half of each head turning, squared ReLU. */
public final class NemotronFamily implements Family {
    @Override public String architecture() { return "nemotron"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        return weights.build(w -> of(config, w, backend));
    }

    private static Decoder of(DecoderConfig c, Weights weights, Backend backend) {
        var rope = c.rope(weights, backend);
        return Decoder.of(c, LayerNorm::of, weights, (layer, w) -> new Block.PreNorm(LayerNorm.of(c, w, "attn_norm"), SelfAttention.of(c, layer, rope, w),
            LayerNorm.of(c, w, "ffn_norm"), Mlp.of(w, c.dim(), c.hidden(), x -> x.map(Elementwise.RELU_SQUARED))));
    }
}
