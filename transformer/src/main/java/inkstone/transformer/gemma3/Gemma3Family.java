package inkstone.transformer.gemma3;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Windows;

/** Gemma 3, text. */
public final class Gemma3Family implements Family {
    /* The 27B model, alone in having 62 layers, divides scores by the root of dim / heads; its files do not say so. */
    private static final int LAYERS_27B = 62;

    @Override public String architecture() { return "gemma3"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var c = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        int divisor = c.layers() == LAYERS_27B ? c.dim() / c.heads() : c.headDim();
        int[] windows = Windows.of(metadata, architecture(), c.layers(), metadata.integer("gemma3.attention.sliding_window", 0), 6);
        float localBase = metadata.floating("gemma3.rope.freq_base_swa", 10_000), logitCap = metadata.floating("gemma3.final_logit_softcapping", 0);
        return weights.build(w -> Gemma3.of(c, (float) (1 / Math.sqrt(divisor)), windows, localBase, logitCap, w, backend));
    }
}
