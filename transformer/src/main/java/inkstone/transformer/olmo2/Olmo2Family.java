package inkstone.transformer.olmo2;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Windows;

/** OLMo 2 and 3. */
public final class Olmo2Family implements Family {
    @Override public String architecture() { return "olmo2"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        int[] windows = Windows.of(metadata, architecture(), config.layers(), metadata.integer("olmo2.attention.sliding_window", 0), 4);
        return weights.build(w -> Olmo2.of(config, windows, w, backend));
    }
}
