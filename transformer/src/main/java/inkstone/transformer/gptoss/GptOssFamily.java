package inkstone.transformer.gptoss;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Experts;
import inkstone.transformer.layers.Windows;

/** gpt-oss 20B and 120B. */
public final class GptOssFamily implements Family {
    @Override public String architecture() { return "gpt-oss"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        var experts = Experts.Sizes.fromGguf(metadata, architecture(), Routing.softmax(Experts.Sizes.used(metadata, architecture())));
        int[] windows = Windows.of(metadata, architecture(), config.layers(), metadata.integer("gpt-oss.attention.sliding_window"), 2);
        return weights.build(w -> GptOss.of(config, experts, windows, w, backend));
    }
}
