package inkstone.transformer.gemma2;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Windows;

/** Gemma 2. */
public final class Gemma2Family implements Family {
    /* The 27B model, alone in having 46 layers, divides scores by the root of dim / heads; its files do not say so. */
    private static final int LAYERS_27B = 46;

    @Override public String architecture() { return "gemma2"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var c = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        int divisor = c.layers() == LAYERS_27B ? c.dim() / c.heads() : c.headDim(), window = metadata.integer("gemma2.attention.sliding_window", 4096);
        var config = DecoderConfig.named(metadata, () -> new Gemma2Config(c, (float) (1 / Math.sqrt(divisor)), metadata.floating("gemma2.attn_logit_softcapping", 50),
            metadata.floating("gemma2.final_logit_softcapping", 30), Windows.of(metadata, architecture(), c.layers(), window, 2)));
        return weights.build(w -> Gemma2.of(config, w, backend));
    }
}
