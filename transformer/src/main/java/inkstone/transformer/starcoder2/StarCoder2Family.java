package inkstone.transformer.starcoder2;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
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

/**
 * StarCoder 2 ("starcoder2"; Lozhkov et al. 2024, arXiv:2402.19173) and CodeShell ("codeshell"; Xie et al. 2024, arXiv:2403.15747): layer norms, biases, GELU, grouped
 * queries, rotary positions.
 */
public record StarCoder2Family(String architecture) implements Family {
    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture, Rope.Pairs.HALVES).withWindow(file.metadata().integer(architecture + ".attention.sliding_window", 0));
        return weights.build(w -> of(config, w, backend));
    }

    private static Decoder of(DecoderConfig c, Weights weights, Backend backend) {
        var rope = c.rope(weights, backend);
        return Decoder.of(c, LayerNorm::of, weights, (layer, w) -> new Block.PreNorm(LayerNorm.of(c, w, "attn_norm"), SelfAttention.of(c, layer, rope, w),
            LayerNorm.of(c, w, "ffn_norm"), Mlp.of(w, c.dim(), c.hidden(), Tensor::gelu)));
    }
}
