package inkstone.transformer.qwen2;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;

/** The text part of Qwen 2 and 2.5 VL (Wang et al. 2024, arXiv:2409.12191). Its rotation has sections for time, height and width, which are one position for text. */
public final class Qwen2VlFamily implements Family {
    @Override public String architecture() { return "qwen2vl"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        file.metadata().has("qwen2vl.rope.dimension_sections");
        return weights.build(w -> Qwen2.of(config, w, backend));
    }
}
