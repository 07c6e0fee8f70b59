package inkstone.diffusion.unet;

import inkstone.diffusion.layers.Conv2d;
import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;

/** A part of a block of the UNet: pictures [n, h, w, in] -> [n, h', w', out]. */
sealed interface Layer permits Layer.In, Layer.Down, Layer.Up, ResBlock, SpatialTransformer {
    Tensor forward(Tensor x, Conditioning conditioning);

    record In(Conv2d conv) implements Layer {
        @Override public Tensor forward(Tensor x, Conditioning conditioning) { return conv.forward(x); }
    }

    /** Half the width and height, by a convolution with stride 2. */
    record Down(Conv2d conv) implements Layer {
        @Override public Tensor forward(Tensor x, Conditioning conditioning) { return conv.forward(x); }
    }

    /** Twice the width and height. */
    record Up(Conv2d conv) implements Layer {
        @Override public Tensor forward(Tensor x, Conditioning conditioning) {
            return x.local(t -> conv.forward(t.resize(2 * t.shape().dim(1), 2 * t.shape().dim(2), Resampling.NEAREST)));
        }
    }
}
