package inkstone.transformer.phi3;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.RopeScaling;

/**
 * Phi 3 and 4. Those made for 128k tokens have two tables of rotary factors, one for contexts up to the original length and one for longer ones
 * (LongRoPE, Ding et al. 2024, arXiv:2402.13753). Keys in a cache cannot change from one to the other, so the former is used and the context ends where it does.
 */
public final class Phi3Family implements Family {
    @Override public String architecture() { return "phi3"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = longrope(DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES).withWindow(metadata.integer("phi3.attention.sliding_window", 0)),
            DecoderConfig.vector(file, Phi3.SHORT_FACTORS), metadata.floating("phi3.rope.scaling.attn_factor", 1),
            metadata.integer("phi3.rope.scaling.original_context_length", Integer.MAX_VALUE));
        return weights.build(w -> Phi3.of(config, w, backend));
    }

    private static DecoderConfig longrope(DecoderConfig c, float[] factors, float magnitude, int originalContext) {
        if (factors == null) return c;
        return c.withScaling(new RopeScaling.Divided(RopeScaling.NONE, factors, magnitude)).withContextLength(Math.min(c.contextLength(), originalContext));
    }
}
