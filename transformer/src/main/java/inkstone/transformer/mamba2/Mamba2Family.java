package inkstone.transformer.mamba2;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Family;

/** Mamba-2 and Codestral Mamba. */
public final class Mamba2Family implements Family {
    @Override public String architecture() { return "mamba2"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var embedding = file.tensors().get("token_embd.weight");
        if (embedding == null) throw new ModelException("%s: tensor token_embd.weight is missing".formatted(file.metadata().source()));
        var config = Mamba2Config.fromGguf(file.metadata(), embedding.shape().dim(0));
        return weights.build(w -> Mamba2.of(config, w));
    }
}
