package inkstone.transformer.exaone;

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
import inkstone.transformer.layers.Windows;

/**
 * EXAONE 4 (LG AI Research 2025, arXiv:2507.11407): norms of each head and behind each part, none before. In the 32B model three of four layers are windowed, and only
 * they turn.
 */
public final class Exaone4Family implements Family {
    @Override public String architecture() { return "exaone4"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        int window = file.metadata().integer("exaone4.attention.sliding_window", 0);
        int[] windows = Windows.of(file.metadata(), architecture(), config.layers(), window, 4);
        return weights.build(w -> {
            config.passOverFurtherLayers(file, w);
            return of(config, windows, window == 0, w, backend);
        });
    }

    private static Decoder of(DecoderConfig c, int[] windows, boolean allTurn, Weights weights, Backend backend) {
        var rope = c.rope(weights, backend);
        return Decoder.of(c, Norm.Rms::of, weights, (layer, w) -> {
            var attention = SelfAttention.of(c, layer, allTurn || windows[layer] > 0 ? rope : null, w).withShape(c.attention().withWindow(windows[layer])).withHeadNorms(c, w);
            return new Block.PostNorm(attention, Norm.Rms.of(c, w, "post_attention_norm"), SwiGlu.of(w, "", c.dim(), c.hidden()), Norm.Rms.of(c, w, "post_ffw_norm"));
        });
    }
}
