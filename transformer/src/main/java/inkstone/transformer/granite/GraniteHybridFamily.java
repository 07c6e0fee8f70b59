package inkstone.transformer.granite;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Block;
import inkstone.transformer.layers.Decoder;
import inkstone.transformer.layers.Experts;
import inkstone.transformer.layers.FeedForward;
import inkstone.transformer.layers.LayeredConfig;
import inkstone.transformer.layers.Norm;
import inkstone.transformer.layers.SelfAttention;
import inkstone.transformer.layers.SharedExperts;
import inkstone.transformer.layers.Ssd;
import inkstone.transformer.layers.SwiGlu;

/** Granite 4 (IBM 2025, "Granite 4.0"): Granite's multipliers around layers of Mamba-2 and a few of attention, mostly without positions, dense or with experts. */
public final class GraniteHybridFamily implements Family {
    @Override public String architecture() { return "granitehybrid"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var c = DecoderConfig.fromGgufOfLayers(file, architecture(), Rope.Pairs.INTERLEAVED);
        var numbers = DecoderConfig.named(metadata, () -> new GraniteConfig(c, metadata.floating("granitehybrid.embedding_scale", 1),
            metadata.floating("granitehybrid.residual_scale", 1), metadata.floating("granitehybrid.attention.scale", (float) (1 / Math.sqrt(c.headDim()))),
            metadata.floating("granitehybrid.logit_scale", 1), metadata.integer("granitehybrid.expert_shared_feed_forward_length", 0),
            metadata.bool("granitehybrid.rope.scaling.finetuned", true)));
        var experts = Experts.Sizes.orNull(metadata, architecture());
        int[] kvHeads = DecoderConfig.perLayer(metadata, "granitehybrid.attention.head_count_kv", c.layers());
        var attentions = new AttentionShape[c.layers()];
        var states = new int[c.layers()][];
        var sizes = DecoderConfig.named(metadata, () -> Ssd.Sizes.fromGguf(metadata, architecture()));
        for (int layer = 0; layer < c.layers(); layer++) {
            boolean attends = kvHeads[layer] > 0;
            if (attends && kvHeads[layer] != c.kvHeads()) {
                throw new ModelException("%s: layers with %d and %d key-value heads are not supported".formatted(metadata.source(), kvHeads[layer], c.kvHeads()));
            }
            attentions[layer] = attends ? numbers.attention() : null;
            states[layer] = attends ? new int[0] : sizes.stateWidths();
        }
        var config = DecoderConfig.named(metadata, () -> new LayeredConfig(c, attentions, states));
        return weights.build(w -> of(numbers, config, sizes, experts, w, backend));
    }

    private static Decoder of(GraniteConfig numbers, LayeredConfig config, Ssd.Sizes sizes, Experts.Sizes experts, Weights weights, Backend backend) {
        var c = config.decoder();
        var turning = c.rope(weights, backend);
        var rope = numbers.turns() ? turning : null;
        return Decoder.of(c, Norm.Rms::of, weights, (layer, w) -> {
            Norm attnNorm = Norm.Rms.of(c, w, "attn_norm"), ffnNorm = Norm.Rms.of(c, w, "ffn_norm");
            FeedForward feedForward = experts == null ? SwiGlu.of(w, "", c.dim(), c.hidden()) : SharedExperts.of(w, c.dim(), experts, numbers.shared());
            var shape = config.attention(layer);
            if (shape == null) return new HybridBlock(numbers.residualScale(), attnNorm, null, Ssd.of(sizes, c.dim(), c.eps(), layer, w), ffnNorm, feedForward);
            return new HybridBlock(numbers.residualScale(), attnNorm, SelfAttention.of(c, layer, rope, w).withShape(shape), null, ffnNorm, feedForward);
        }).withEmbeddingScale(numbers.embeddingScale()).withLogitScale(1 / numbers.logitScale()).withConfig(config);
    }

    /** @param attention or {@code ssd}: one of both, the other null */
    private record HybridBlock(float residualScale, Norm attnNorm, SelfAttention attention, Ssd ssd, Norm ffnNorm, FeedForward feedForward) implements Block {
        @Override public Tensor forward(Tensor x, Context context) {
            var normed = attnNorm.forward(x);
            var h = x.add((ssd == null ? attention.forward(normed, context) : ssd.forward(normed, context)).scale(residualScale));
            return h.add(feedForward.forward(ffnNorm.forward(h)).scale(residualScale));
        }
    }
}
