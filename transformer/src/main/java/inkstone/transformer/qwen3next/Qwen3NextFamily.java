package inkstone.transformer.qwen3next;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
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
import inkstone.transformer.layers.SharedExperts;
import inkstone.transformer.layers.Ssd;
import inkstone.transformer.layers.SwiGlu;

/**
 * Qwen 3 Next ("qwen3next"; Qwen Team 2025, "Qwen3-Next: towards ultimate training and inference efficiency"), Qwen 3.5, text, dense ("qwen35") and with experts ("qwen35moe"):
 * three of four layers are gated delta nets, the fourth is gated attention. The rotation of Qwen 3.5 has sections for time, height and width, which are one position for text.
 * Layers that guess tokens further ahead are passed over.
 */
public record Qwen3NextFamily(String architecture) implements Family {
    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var c = DecoderConfig.fromGguf(file, architecture, Rope.Pairs.HALVES);
        if (!architecture.equals("qwen3next")) metadata.has(architecture + ".rope.dimension_sections");
        var sizes = DecoderConfig.named(metadata, () -> Ssd.Sizes.fromGguf(metadata, architecture));
        boolean[] recurrent = recurrent(metadata, c.layers());
        var attentions = new AttentionShape[c.layers()];
        var states = new int[c.layers()][];
        for (int layer = 0; layer < c.layers(); layer++) {
            attentions[layer] = recurrent[layer] ? null : c.attention();
            states[layer] = recurrent[layer] ? sizes.stateWidths() : new int[0];
        }
        var config = DecoderConfig.named(metadata, () -> new LayeredConfig(c, attentions, states));
        var experts = architecture.equals("qwen35") ? null
            : Experts.Sizes.fromGguf(metadata, architecture, Experts.Sizes.routing(metadata, architecture, Routing.Scoring.SOFTMAX, true));
        int shared = experts == null ? 0 : metadata.integer(architecture + ".expert_shared_feed_forward_length", c.hidden());
        return weights.build(w -> {
            c.passOverFurtherLayers(file, w);
            return of(config, sizes, experts, shared, w, backend);
        });
    }

    private boolean[] recurrent(Metadata file, int layers) {
        var key = architecture + ".attention.recurrent_layers";
        int every = file.integer(architecture + ".full_attention_interval", 4);
        if (every < 1) throw new ModelException("%s: full_attention_interval must be 1 or more, got %d".formatted(file.source(), every));
        var recurrent = new boolean[layers];
        for (int layer = 0; layer < layers; layer++) recurrent[layer] = (layer + 1) % every != 0;
        if (!file.has(key)) return recurrent;
        if (!(file.values().get(key) instanceof boolean[] said) || said.length < layers) {
            throw new ModelException("%s: %s should say yes or no of each layer".formatted(file.source(), key));
        }
        return said;
    }

    private Decoder of(LayeredConfig config, Ssd.Sizes sizes, Experts.Sizes experts, int shared, Weights weights, Backend backend) {
        var c = config.decoder();
        var rope = c.rope(weights, backend);
        boolean tiled = !architecture.equals("qwen3next");
        return Decoder.of(c, Norm.Rms::of, weights, (layer, w) -> {
            Norm attnNorm = Norm.Rms.of(c, w, "attn_norm"), ffnNorm = Norm.Rms.of(c, w, "post_attention_norm");
            FeedForward feedForward = experts == null ? SwiGlu.of(w, "", c.dim(), c.hidden()) : SharedExperts.gated(w, c.dim(), experts, shared);
            boolean attends = config.attention(layer) != null;
            return new HybridBlock(attnNorm, attends ? GatedAttention.of(c, layer, rope, w) : null, attends ? null : GatedDeltaNet.of(sizes, tiled, c.dim(), c.eps(), layer, w),
                ffnNorm, feedForward);
        }).withConfig(config);
    }

    /** @param attention or {@code deltaNet}: one of both, the other null */
    private record HybridBlock(Norm attnNorm, GatedAttention attention, GatedDeltaNet deltaNet, Norm ffnNorm, FeedForward feedForward) implements Block {
        @Override public Tensor forward(Tensor x, Context context) {
            var normed = attnNorm.forward(x);
            var h = x.add(deltaNet == null ? attention.forward(normed, context) : deltaNet.forward(normed, context));
            return h.add(feedForward.forward(ffnNorm.forward(h)));
        }
    }
}
