package inkstone.transformer.qwen2;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;

/** Qwen 2 and 2.5. */
public final class Qwen2Family implements Family {
    @Override public String architecture() { return "qwen2"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        return weights.build(w -> Qwen2.of(config, w, backend));
    }
}
