package inkstone.diffusion.layers;

import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/** A linear map of each pixel's channels, which is a convolution with a window of one pixel: [n, h, w, in] -> [n, h, w, out]. */
public record PixelLinear(Linear linear) {
    /** {@code name}.weight [out, in] and {@code name}.bias. */
    public static PixelLinear of(Weights w, String name, int in, int out) { return new PixelLinear(biased(w, name, in, out)); }

    /** A linear map with a bias: where the source has none, that is told as any other parameter that is missing. */
    public static Linear biased(Weights w, String name, int in, int out) {
        if (!w.has(name + ".bias")) w.tensor(name + ".bias", out);
        return w.linear(name, in, out);
    }

    public Tensor forward(Tensor x) {
        var y = linear.forward(rows(x));
        return y.view(x.shape().dim(0), x.shape().dim(1), x.shape().dim(2), y.shape().last());
    }

    /** The pixels of all pictures as rows: [n, h, w, c] -> [n · h · w, c]. */
    public static Tensor rows(Tensor x) { return x.view(x.shape().rows(), x.shape().last()); }
}
