package inkstone.transformer.plamo;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Block;
import inkstone.transformer.layers.Decoder;
import inkstone.transformer.layers.Norm;
import inkstone.transformer.layers.SelfAttention;
import inkstone.transformer.layers.SwiGlu;

/** PLaMo 13B (Preferred Networks 2023, "PLaMo-13B"): attention and a SwiGLU feed-forward side by side behind one norm. */
public final class PlamoFamily implements Family {
    @Override public String architecture() { return "plamo"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        return weights.build(w -> of(config, w, backend));
    }

    private static Decoder of(DecoderConfig c, Weights weights, Backend backend) {
        var rope = c.rope(weights, backend);
        return Decoder.of(c, Norm.Rms::of, weights, (layer, w) -> new Block.Parallel(Norm.Rms.of(c, w, "attn_norm"), SelfAttention.of(c, layer, rope, w),
            SwiGlu.of(w, "", c.dim(), c.hidden())));
    }
}
