package inkstone.transformer.rwkv7;

import inkstone.tensor.Elementwise;
import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import inkstone.transformer.layers.LayerNorm;
import java.util.ArrayList;
import java.util.List;

/**
 * RWKV-7 (Peng et al. 2025, arXiv:2503.14456): each head a square state that a generalised delta rule writes to, rows blended with the row before, no attention.
 * Parameters have the names of GGUF files.
 */
public record Rwkv7(Rwkv7Config config, Tensor tokenEmbd, LayerNorm tokenEmbdNorm, List<Block> blocks, LayerNorm outputNorm, Linear output) implements CausalModel {
    public static Rwkv7 of(Rwkv7Config c, Weights w) {
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(Block.of(c, layer, w.at("blk." + layer + ".")));
        return new Rwkv7(c, w.tensor("token_embd.weight", c.vocabularySize(), c.dim()), LayerNorm.of(w, "token_embd_norm", c.dim(), c.eps()), List.copyOf(blocks),
            LayerNorm.of(w, "output_norm", c.dim(), c.eps()), w.linear("output", c.dim(), c.vocabularySize()));
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokenEmbdNorm.forward(tokens.embedding(tokenEmbd));
        var first = blocks.getFirst().forward(x, null, context);
        x = first.x();
        for (var block : blocks.subList(1, blocks.size())) x = x.local(input -> block.forward(input, first.value(), context).x());
        return outputNorm.forward(x);
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden); }

    /** What a block gives: x [n, dim], and its value [n, dim], of which the first block's goes into those of all others. */
    record Out(Tensor x, Tensor value) {}

    record Block(LayerNorm attnNorm, TimeMix timeMix, LayerNorm attnNorm2, ChannelMix channelMix) {
        static Block of(Rwkv7Config c, int layer, Weights w) {
            return new Block(LayerNorm.of(w, "attn_norm", c.dim(), c.eps()), TimeMix.of(c, layer, w), LayerNorm.of(w, "attn_norm_2", c.dim(), c.eps()),
                ChannelMix.of(c, layer, w));
        }

        Out forward(Tensor x, Tensor firstValue, Context context) {
            var mixed = timeMix.forward(attnNorm.forward(x), firstValue, context);
            var h = x.add(mixed.x());
            return new Out(h.add(channelMix.forward(attnNorm2.forward(h), context)), mixed.value());
        }
    }

    /** The feed-forward: x [n, dim] blended with the row before -> [n, dim]. */
    record ChannelMix(Rwkv7Config config, int layer, Tensor lerp, Linear key, Linear value) {
        private static final int STATE = 1;

        static ChannelMix of(Rwkv7Config c, int layer, Weights w) {
            return new ChannelMix(c, layer, w.floats("channel_mix_lerp_k.weight", 1, 1, c.dim()).view(c.dim()), w.linear("channel_mix_key", c.dim(), c.hidden()),
                w.linear("channel_mix_value", c.hidden(), c.dim()));
        }

        Tensor forward(Tensor x, Context context) {
            var before = x.shift(context.recurrence(layer, STATE, config.dim()));
            return value.forward(key.forward(x.lerp(before, lerp)).map(Elementwise.RELU_SQUARED));
        }
    }
}
