package inkstone.transformer.deci;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Backend;
import inkstone.tensor.Linear;
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
import inkstone.transformer.layers.SwiGlu;

/**
 * DeciLM and Llama-Nemotron (Bercovich et al. 2024, arXiv:2411.19146): Llama's block pruned layer by layer: fewer key-value heads, a map in place of the attention, narrower
 * feed-forwards, or nothing.
 */
public final class DeciFamily implements Family {
    @Override public String architecture() { return "deci"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var c = DecoderConfig.fromGgufOfLayers(file, architecture(), Rope.Pairs.INTERLEAVED);
        int[] heads = DecoderConfig.perLayer(metadata, "deci.attention.head_count", c.layers());
        int[] kvHeads = DecoderConfig.perLayer(metadata, "deci.attention.head_count_kv", c.layers());
        int[] hiddens = DecoderConfig.perLayer(metadata, "deci.feed_forward_length", c.layers());
        var attentions = new AttentionShape[c.layers()];
        for (int i = 0; i < attentions.length; i++) {
            int layer = i;
            if (heads[i] > 0 && kvHeads[i] > 0) attentions[i] = DecoderConfig.named(metadata, () -> c.withLayer(heads[layer], kvHeads[layer], c.hidden())).attention();
        }
        var config = new LayeredConfig(c, attentions, new int[c.layers()][0]);
        return weights.build(w -> {
            var rope = c.rope(w, backend);
            return Decoder.of(c, Norm.Rms::of, w, (layer, at) -> Pruned.of(c, heads[layer], kvHeads[layer], hiddens[layer], layer, rope, at)).withConfig(config);
        });
    }

    /**
     * @param attnNorm  null, and so {@code attention} and {@code inPlace}, where the layer has none; otherwise one of these two is null
     * @param ffnNorm   null, and so {@code feedForward}, where the layer has none
     */
    private record Pruned(Norm attnNorm, SelfAttention attention, Linear inPlace, Norm ffnNorm, SwiGlu feedForward) implements Block {
        static Pruned of(DecoderConfig c, int heads, int kvHeads, int hidden, int layer, Rope rope, Weights w) {
            boolean attends = heads > 0 && kvHeads > 0;
            return new Pruned(heads > 0 ? Norm.Rms.of(c, w, "attn_norm") : null, attends ? SelfAttention.of(c.withLayer(heads, kvHeads, c.hidden()), layer, rope, w) : null,
                heads > 0 && !attends ? w.linear("attn_output", c.dim(), c.dim()) : null, hidden > 0 ? Norm.Rms.of(c, w, "ffn_norm") : null,
                hidden > 0 ? SwiGlu.of(w, "", c.dim(), hidden) : null);
        }

        @Override public Tensor forward(Tensor x, Context context) {
            var h = x;
            if (attnNorm != null) {
                var normed = attnNorm.forward(x);
                h = x.add(attention == null ? inPlace.forward(normed) : attention.forward(normed, context));
            }
            return feedForward == null ? h : h.add(feedForward.forward(ffnNorm.forward(h)));
        }
    }
}
