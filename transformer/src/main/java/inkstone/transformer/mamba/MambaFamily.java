package inkstone.transformer.mamba;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Family;

/** Mamba, the first. */
public final class MambaFamily implements Family {
    @Override public String architecture() { return "mamba"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var embedding = file.tensors().get("token_embd.weight");
        if (embedding == null) throw new ModelException("%s: tensor token_embd.weight is missing".formatted(file.metadata().source()));
        if (file.metadata().bool("mamba.ssm.dt_b_c_rms", false)) throw new ModelException("%s: Falcon Mamba is not supported".formatted(file.metadata().source()));
        var config = MambaConfig.fromGguf(file.metadata(), embedding.shape().dim(0));
        return weights.build(w -> Mamba.of(config, w));
    }
}
