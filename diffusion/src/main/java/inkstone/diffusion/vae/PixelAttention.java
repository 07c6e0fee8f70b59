package inkstone.diffusion.vae;

import inkstone.diffusion.layers.GroupNorm;
import inkstone.diffusion.layers.PixelLinear;
import inkstone.tensor.AttentionShape;
import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/** x + attention of each pixel to all of its picture, one head as wide as there are channels: [n, h, w, c] -> [n, h, w, c]. */
record PixelAttention(GroupNorm norm, Linear q, Linear k, Linear v, Linear out, AttentionShape shape) {
    static PixelAttention of(Weights w, String name, int channels, int groups) {
        return new PixelAttention(GroupNorm.of(w, name + ".norm", channels, groups, ResBlock.EPS), PixelLinear.biased(w, name + ".q", channels, channels),
            PixelLinear.biased(w, name + ".k", channels, channels), PixelLinear.biased(w, name + ".v", channels, channels), PixelLinear.biased(w, name + ".proj_out", channels, channels),
            new AttentionShape(1, 1, channels, (float) (1 / Math.sqrt(channels))).bidirectional());
    }

    Tensor forward(Tensor x) { return x.local(this::block); }

    private Tensor block(Tensor x) {
        var rows = PixelLinear.rows(norm.forward(x));
        var attended = q.forward(rows).crossAttention(k.forward(rows), v.forward(rows), x.shape().dim(0), null, null, shape);
        return x.add(out.forward(attended).view(x.shape().toArray()));
    }
}
