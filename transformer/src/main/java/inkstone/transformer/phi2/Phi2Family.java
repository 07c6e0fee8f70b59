package inkstone.transformer.phi2;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;

/** Phi 1, 1.5 and 2. */
public final class Phi2Family implements Family {
    @Override public String architecture() { return "phi2"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        return weights.build(w -> Phi2.of(config, w, backend));
    }
}
