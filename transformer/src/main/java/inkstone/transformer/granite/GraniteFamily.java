package inkstone.transformer.granite;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Experts;

/** Granite 3: "granite" with one feed-forward in each block, "granitemoe" with experts. */
public record GraniteFamily(String architecture) implements Family {
    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var c = DecoderConfig.fromGguf(file, architecture, Rope.Pairs.INTERLEAVED);
        var prefix = architecture + ".";
        var config = DecoderConfig.named(metadata, () -> new GraniteConfig(c, metadata.floating(prefix + "embedding_scale", 1),
            metadata.floating(prefix + "residual_scale", 1), metadata.floating(prefix + "attention.scale", (float) (1 / Math.sqrt(c.headDim()))),
            metadata.floating(prefix + "logit_scale"), metadata.integer(prefix + "expert_shared_feed_forward_length", 0)));
        var experts = Experts.Sizes.orNull(metadata, architecture);
        return weights.build(w -> Granite.of(config, experts, w, backend));
    }
}
