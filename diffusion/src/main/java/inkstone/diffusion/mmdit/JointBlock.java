package inkstone.diffusion.mmdit;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/** One block: text and picture, each with its own weights, in one attention. The text of the last block only lends its keys and values. */
record JointBlock(Stream text, Stream picture) {
    static JointBlock of(MmDitConfig c, int block, Weights w) {
        return new JointBlock(Stream.of(c, w.at("context_block."), block == c.depth() - 1, false), Stream.of(c, w.at("x_block."), false, block < c.secondaryAttention()));
    }

    /** Rows of all texts [n · tokens, width], null behind the last block, and of all pictures [n · patches, width]. */
    record Streams(Tensor text, Tensor picture) {}

    /** @param steering silu of time and pooled text [n, width] */
    Streams forward(Streams x, Tensor steering) {
        Tensor textModulation = text.modulation.forward(steering), pictureModulation = picture.modulation.forward(steering);
        Tensor textIn = text.modulated(x.text, textModulation, 0), pictureIn = picture.modulated(x.picture, pictureModulation, 0);
        int n = steering.shape().dim(0), tokens = x.text.shape().dim(0) / n, patches = x.picture.shape().dim(0) / n, width = text.width;
        Tensor q = joined(n, text.attention.queries(textIn), picture.attention.queries(pictureIn)), k = joined(n, text.attention.keys(textIn), picture.attention.keys(pictureIn));
        Tensor v = joined(n, text.attention.values(textIn), picture.attention.values(pictureIn));
        var attended = q.crossAttention(k, v, n, null, null, picture.attention.shape).view(n, (tokens + patches) * width);
        var textOut = text.last ? null : text.rest(x.text, attended.columns(0, tokens * width).view(n * tokens, width), null, textModulation);
        var alone = picture.alone == null ? null : picture.alone.among(picture.modulated(x.picture, pictureModulation, 6), n);
        return new Streams(textOut, picture.rest(x.picture, attended.columns(tokens * width, (tokens + patches) * width).view(n * patches, width), alone, pictureModulation));
    }

    /** The rows of each text, then those of its picture. */
    private Tensor joined(int n, Tensor texts, Tensor pictures) {
        int width = text.width;
        return texts.view(n, texts.shape().dim(0) / n * width).concat(pictures.view(n, pictures.shape().dim(0) / n * width)).view(texts.shape().dim(0) + pictures.shape().dim(0), width);
    }

    /**
     * One of the two.
     *
     * @param alone a second attention of the picture to itself, or null
     * @param last  whether only its keys and values count: no way out of the attention, and a modulation of shift and scale alone
     */
    record Stream(int width, Linear modulation, Attention attention, Attention alone, Linear up, Linear down, boolean last) {
        private static final float EPS = 1e-6f;

        static Stream of(MmDitConfig c, Weights w, boolean last, boolean secondAttention) {
            int width = c.width();
            return new Stream(width, w.linear("adaLN_modulation.1", width, (last ? 2 : secondAttention ? 9 : 6) * width), Attention.of(c, w.at("attn."), last),
                secondAttention ? Attention.of(c, w.at("attn2."), false) : null, last ? null : w.linear("mlp.fc1", width, 4 * width), last ? null : w.linear("mlp.fc2", 4 * width, width), last);
        }

        /** The norm of x, modulated by the parts {@code at} (shift) and {@code at + 1} (scale). */
        Tensor modulated(Tensor x, Tensor parts, int at) { return x.layerNorm(null, null, EPS).modulate(part(parts, at + 1), part(parts, at)); }

        /** What follows the attention: its way out, the second attention where there is one, and the feed-forward, each through its gate. */
        Tensor rest(Tensor x, Tensor attended, Tensor alone, Tensor parts) {
            var h = x.gated(attention.out.forward(attended), part(parts, 2));
            if (alone != null) h = h.gated(alone, part(parts, 8));
            return h.gated(down.forward(up.forward(modulated(h, parts, 3)).gelu()), part(parts, 5));
        }

        private Tensor part(Tensor parts, int i) { return parts.columns(i * width, (i + 1) * width); }
    }

    /** @param queryNorm F32 [headDim], or null without norms; {@code out} is null where only keys and values count */
    record Attention(AttentionShape shape, Linear q, Linear k, Linear v, Tensor queryNorm, Tensor keyNorm, Linear out) {
        static Attention of(MmDitConfig c, Weights w, boolean last) {
            int width = c.width();
            var qkv = w.linear("qkv", width, 3 * width);
            return new Attention(new AttentionShape(c.depth(), c.depth(), c.headDim(), (float) (1 / Math.sqrt(c.headDim()))).bidirectional(), qkv.rows(0, width), qkv.rows(width, 2 * width),
                qkv.rows(2 * width, 3 * width), c.queryKeyNorm() ? w.tensor("ln_q.weight", c.headDim()) : null, c.queryKeyNorm() ? w.tensor("ln_k.weight", c.headDim()) : null,
                last ? null : w.linear("proj", width, width));
        }

        Tensor queries(Tensor x) { return normed(q.forward(x), queryNorm); }
        Tensor keys(Tensor x) { return normed(k.forward(x), keyNorm); }
        Tensor values(Tensor x) { return v.forward(x); }

        /** Of the rows of each of n pictures among themselves. */
        Tensor among(Tensor x, int n) { return out.forward(queries(x).crossAttention(keys(x), values(x), n, null, null, shape)); }

        private Tensor normed(Tensor x, Tensor weight) {
            return weight == null ? x : x.view(x.shape().dim(0) * shape.heads(), shape.headDim()).rmsNorm(weight, Stream.EPS).view(x.shape().toArray());
        }
    }
}
