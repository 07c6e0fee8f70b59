package inkstone.transformer.gemma4;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;

/** Gemma 4, text, without experts: those of the 26B model are refused by their keys. */
public final class Gemma4Family implements Family {
    @Override public String architecture() { return "gemma4"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = Gemma4Config.fromGguf(file, DecoderConfig.fromGgufOfLayers(file, architecture(), Rope.Pairs.HALVES));
        return weights.build(w -> Gemma4.of(config, w, backend));
    }
}
