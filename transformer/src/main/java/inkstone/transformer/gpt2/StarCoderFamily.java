package inkstone.transformer.gpt2;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;

/** StarCoder, SantaCoder and Granite 20B code (Li et al. 2023, arXiv:2305.06161): GPT-2's block whose heads share one key and value (Shazeer 2019, arXiv:1911.02150). */
public final class StarCoderFamily implements Family {
    @Override public String architecture() { return "starcoder"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        return weights.build(w -> Gpt2.of(config, w));
    }
}
