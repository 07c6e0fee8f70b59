package inkstone.transformer.cohere;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Windows;

/** Command R, R+ and Aya 23 ("command-r"); Command R7B and A ("cohere2"). */
public record CommandRFamily(String architecture) implements Family {
    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = DecoderConfig.fromGguf(file, architecture, Rope.Pairs.INTERLEAVED);
        float logitScale = metadata.floating(architecture + ".logit_scale", 1);
        var window = architecture + ".attention.sliding_window";
        int[] windows = metadata.has(window) ? Windows.of(metadata, architecture, config.layers(), metadata.integer(window), 4) : null;
        return weights.build(w -> CommandR.of(config, logitScale, windows, w, backend));
    }
}
