package inkstone.transformer.cohere;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;

/** Command R and Aya 23; not Command R+, whose heads have norms of their own. */
public final class CommandRFamily implements Family {
    @Override public String architecture() { return "command-r"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.INTERLEAVED);
        float logitScale = file.metadata().floating("command-r.logit_scale", 1);
        return weights.build(w -> CommandR.of(config, logitScale, w, backend));
    }
}
