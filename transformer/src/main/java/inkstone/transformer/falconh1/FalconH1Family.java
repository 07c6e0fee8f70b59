package inkstone.transformer.falconh1;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Backend;
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
import inkstone.transformer.layers.LayeredConfig;
import inkstone.transformer.layers.Norm;
import inkstone.transformer.layers.SelfAttention;
import inkstone.transformer.layers.Ssd;
import inkstone.transformer.layers.SwiGlu;
import java.util.Arrays;

/** Falcon H1 (Zuo et al. 2025, arXiv:2507.22448): attention and a Mamba-2 state space side by side in every layer. Its multipliers are in the weights of its files. */
public final class FalconH1Family implements Family {
    @Override public String architecture() { return "falcon-h1"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var c = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        var sizes = DecoderConfig.named(file.metadata(), () -> Ssd.Sizes.fromGguf(file.metadata(), architecture()));
        var attentions = new AttentionShape[c.layers()];
        var states = new int[c.layers()][];
        Arrays.fill(attentions, c.attention());
        Arrays.fill(states, sizes.stateWidths());
        var config = DecoderConfig.named(file.metadata(), () -> new LayeredConfig(c, attentions, states));
        return weights.build(w -> of(c, sizes, w, backend).withConfig(config));
    }

    private static Decoder of(DecoderConfig c, Ssd.Sizes sizes, Weights weights, Backend backend) {
        var rope = c.rope(weights, backend);
        return Decoder.of(c, Norm.Rms::of, weights, (layer, w) -> {
            // its files leave the norm without a suffix
            var ffnNorm = new Norm.Rms(w.tensor(w.has("ffn_norm") ? "ffn_norm" : "ffn_norm.weight", c.dim()), c.eps());
            return new SideBySide(Norm.Rms.of(c, w, "attn_norm"), SelfAttention.of(c, layer, rope, w), Ssd.of(sizes, c.dim(), c.eps(), layer, w), ffnNorm,
                SwiGlu.of(w, "", c.dim(), c.hidden()));
        });
    }

    private record SideBySide(Norm attnNorm, SelfAttention attention, Ssd ssd, Norm ffnNorm, SwiGlu feedForward) implements Block {
        @Override public Tensor forward(Tensor x, Context context) {
            var normed = attnNorm.forward(x);
            var h = x.add(attention.forward(normed, context)).add(ssd.forward(normed, context));
            return h.add(feedForward.forward(ffnNorm.forward(h)));
        }
    }
}
