package inkstone.transformer.qwen3;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Experts;

/** Qwen 3: "qwen3" with one feed-forward in each block, "qwen3moe" with experts. */
public record Qwen3Family(String architecture) implements Family {
    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture, Rope.Pairs.HALVES);
        var experts = Experts.Sizes.orNull(file.metadata(), architecture);
        return weights.build(w -> Qwen3.of(config, experts, w, backend));
    }
}
