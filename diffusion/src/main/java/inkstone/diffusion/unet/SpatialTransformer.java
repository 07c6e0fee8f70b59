package inkstone.diffusion.unet;

import inkstone.diffusion.layers.GroupNorm;
import inkstone.diffusion.layers.LayerNorm;
import inkstone.diffusion.layers.PixelLinear;
import inkstone.tensor.AttentionShape;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/** x + transformer blocks over its pixels, which attend to each other and to the rows of a text. */
record SpatialTransformer(GroupNorm norm, Linear in, List<Block> blocks, Linear out) implements Layer {
    private static final float EPS = 1e-6f;

    static SpatialTransformer of(UNetConfig c, Weights w, String name, int channels, int depth) {
        var blocks = new ArrayList<Block>();
        for (int i = 0; i < depth; i++) blocks.add(Block.of(c, w, "%s.transformer_blocks.%d".formatted(name, i), channels));
        return new SpatialTransformer(GroupNorm.of(w, name + ".norm", channels, ResBlock.GROUPS, EPS), PixelLinear.biased(w, name + ".proj_in", channels, channels), List.copyOf(blocks),
            PixelLinear.biased(w, name + ".proj_out", channels, channels));
    }

    @Override public Tensor forward(Tensor x, Conditioning conditioning) {
        int pictures = x.shape().dim(0);
        return x.local(t -> {
            var rows = t.local(p -> in.forward(PixelLinear.rows(norm.forward(p))));
            for (var block : blocks) rows = block.forward(rows, pictures, conditioning.context());
            return t.add(out.forward(rows).view(t.shape().toArray()));
        });
    }

    /** Attention of the pixels to themselves, to the text, and a gated feed-forward, each added to its input: [n · pixels, channels]. */
    record Block(LayerNorm norm1, Attention self, LayerNorm norm2, Attention text, LayerNorm norm3, FeedForward feedForward) {
        static Block of(UNetConfig c, Weights w, String name, int channels) {
            return new Block(LayerNorm.of(w, name + ".norm1", channels), Attention.of(c, w, name + ".attn1", channels, channels), LayerNorm.of(w, name + ".norm2", channels),
                Attention.of(c, w, name + ".attn2", channels, c.context()), LayerNorm.of(w, name + ".norm3", channels), FeedForward.of(w, name + ".ff", channels));
        }

        Tensor forward(Tensor x, int pictures, Tensor context) {
            x = x.local(t -> {
                var y = norm1.forward(t);
                return t.add(self.forward(y, y, pictures));
            });
            x = x.local(t -> t.add(text.forward(norm2.forward(t), context, pictures)));
            return x.local(t -> t.add(feedForward.forward(norm3.forward(t))));
        }
    }

    /** Queries of x [n · pixels, channels], keys and values of what it attends to, [n · m, width]. */
    record Attention(Linear q, Linear k, Linear v, Linear out, AttentionShape shape) {
        static Attention of(UNetConfig c, Weights w, String name, int channels, int width) {
            int heads = c.headsOf(channels), headDim = channels / heads;
            return new Attention(w.linear(name + ".to_q", channels, channels), w.linear(name + ".to_k", width, channels), w.linear(name + ".to_v", width, channels),
                PixelLinear.biased(w, name + ".to_out.0", channels, channels), new AttentionShape(heads, heads, headDim, (float) (1 / Math.sqrt(headDim))).bidirectional());
        }

        Tensor forward(Tensor x, Tensor to, int pictures) {
            return out.forward(q.forward(x).crossAttention(k.forward(to), v.forward(to), pictures, null, null, shape));
        }
    }

    /** out(value(x) · gelu(gate(x))), gelu by the error function; value and gate are the halves of one map of the file (Shazeer 2020, arXiv:2002.05202). */
    record FeedForward(Linear value, Linear gate, Linear out) {
        static FeedForward of(Weights w, String name, int channels) {
            int hidden = 4 * channels;
            var both = PixelLinear.biased(w, name + ".net.0.proj", channels, 2 * hidden);
            return new FeedForward(both.rows(0, hidden), both.rows(hidden, 2 * hidden), PixelLinear.biased(w, name + ".net.2", hidden, channels));
        }

        Tensor forward(Tensor x) { return out.forward(gate.forward(x).map(Elementwise.GELU_ERF).mul(value.forward(x))); }
    }
}
