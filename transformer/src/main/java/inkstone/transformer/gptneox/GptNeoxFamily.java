package inkstone.transformer.gptneox;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;

/** GPT-NeoX 20B, Pythia and models of their shape. */
public final class GptNeoxFamily implements Family {
    @Override public String architecture() { return "gptneox"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        boolean parallel = file.metadata().bool("gptneox.use_parallel_residual", true);
        return weights.build(w -> GptNeox.of(config, parallel, w, backend));
    }
}
