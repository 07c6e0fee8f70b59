package inkstone.transformer.smollm3;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;

/** SmolLM 3. */
public final class SmolLm3Family implements Family {
    @Override public String architecture() { return "smollm3"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.INTERLEAVED);
        return weights.build(w -> SmolLm3.of(config, w, backend));
    }
}
