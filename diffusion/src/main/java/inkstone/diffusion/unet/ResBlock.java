package inkstone.diffusion.unet;

import inkstone.diffusion.layers.Conv2d;
import inkstone.diffusion.layers.GroupNorm;
import inkstone.diffusion.layers.PixelLinear;
import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/** x + conv2(silu(norm2(conv1(silu(norm1(x))) + time))) with x mapped where the channels change. */
record ResBlock(GroupNorm norm1, Conv2d conv1, Linear time, GroupNorm norm2, Conv2d conv2, PixelLinear skip) implements Layer {
    static final int GROUPS = 32;
    static final float EPS = 1e-5f;

    static ResBlock of(UNetConfig c, Weights w, String name, int in, int out) {
        return new ResBlock(GroupNorm.of(w, name + ".in_layers.0", in, GROUPS, EPS), Conv2d.of(w, name + ".in_layers.2", in, out, 3),
            PixelLinear.biased(w, name + ".emb_layers.1", c.embedding(), out), GroupNorm.of(w, name + ".out_layers.0", out, GROUPS, EPS), Conv2d.of(w, name + ".out_layers.3", out, out, 3),
            in == out ? null : PixelLinear.of(w, name + ".skip_connection", in, out));
    }

    @Override public Tensor forward(Tensor x, Conditioning conditioning) {
        return x.local(t -> {
            var h = conv1.forward(norm1.silu(t)).modulate(null, time.forward(conditioning.time()));
            return (skip == null ? t : skip.forward(t)).add(conv2.forward(norm2.silu(h)));
        });
    }
}
