package inkstone.diffusion.layers;

import inkstone.tensor.Convolution;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/** A learned convolution: pictures [n, h, w, in] -> [n, h', w', out]. weight [out, window, window, in] in any format, bias F32 [out] or null. Windows of one pixel are {@link PixelLinear}s. */
public record Conv2d(Tensor weight, Tensor bias, Convolution convolution) {
    /** {@code name}.weight and {@code name}.bias; the picture keeps its size. */
    public static Conv2d of(Weights w, String name, int in, int out, int window) { return of(w, name, in, out, window, Convolution.same(window)); }

    /** {@code name}.weight and {@code name}.bias. */
    public static Conv2d of(Weights w, String name, int in, int out, int window, Convolution convolution) {
        return new Conv2d(w.tensor(name + ".weight", out, window, window, in), w.tensor(name + ".bias", out), convolution);
    }

    /** {@code name}.weight. */
    public static Conv2d withoutBias(Weights w, String name, int in, int out, int window, Convolution convolution) {
        return new Conv2d(w.tensor(name + ".weight", out, window, window, in), null, convolution);
    }

    public Tensor forward(Tensor x) { return x.conv2d(weight, bias, convolution); }
}
