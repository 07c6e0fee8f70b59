package inkstone.diffusion.vae;

import inkstone.diffusion.layers.Conv2d;
import inkstone.diffusion.layers.GroupNorm;
import inkstone.diffusion.layers.PixelLinear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/** x + conv2(silu(norm2(conv1(silu(norm1(x)))))) with x mapped where the channels change: [n, h, w, in] -> [n, h, w, out]. */
record ResBlock(GroupNorm norm1, Conv2d conv1, GroupNorm norm2, Conv2d conv2, PixelLinear shortcut) {
    static final float EPS = 1e-6f;

    static ResBlock of(Weights w, String name, int in, int out, int groups) {
        return new ResBlock(GroupNorm.of(w, name + ".norm1", in, groups, EPS), Conv2d.of(w, name + ".conv1", in, out, 3), GroupNorm.of(w, name + ".norm2", out, groups, EPS),
            Conv2d.of(w, name + ".conv2", out, out, 3), in == out ? null : PixelLinear.of(w, name + ".nin_shortcut", in, out));
    }

    Tensor forward(Tensor x) { return x.local(this::block); }

    /* Each half in a block of its own: at 512 x 512 pixels of 256 channels a tensor takes 268 MB. */
    private Tensor block(Tensor x) {
        var h = x.local(t -> conv1.forward(norm1.silu(t))).local(t -> conv2.forward(norm2.silu(t)));
        return (shortcut == null ? x : shortcut.forward(x)).add(h);
    }
}
