package inkstone.transformer.rwkv7;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Family;

/** RWKV-7 "Goose". */
public final class Rwkv7Family implements Family {
    @Override public String architecture() { return "rwkv7"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var embedding = file.tensors().get("token_embd.weight");
        if (embedding == null) throw new ModelException("%s: tensor token_embd.weight is missing".formatted(file.metadata().source()));
        var config = Rwkv7Config.fromGguf(file.metadata(), embedding.shape().dim(0));
        return weights.build(w -> Rwkv7.of(config, w));
    }
}
