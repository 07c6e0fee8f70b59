package inkstone.gan;

import inkstone.tensor.Convolution;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/**
 * Layers with an equalized learning rate (Karras et al. 2017, arXiv:1710.10196, section 4.1): weights are stored with variance 1 and scaled by gain / sqrt(inputs) when they are used,
 * so that Adam, whose steps do not depend on a gradient's size, moves all of them at one pace.
 */
final class Equalized {
    static final float ROOT_2 = (float) Math.sqrt(2);

    private Equalized() {}

    /** @param scale of the weight, {@code biasScale} of the bias when they are used; bias may be null */
    record Linear(Tensor weight, Tensor bias, float scale, float biasScale) {
        static Linear of(Weights w, String name, int in, int out, float gain) { return of(w, name, in, out, gain, 1); }

        /** @param rate learning rate of this layer as a share of the others' */
        static Linear of(Weights w, String name, int in, int out, float gain, float rate) {
            return new Linear(w.tensor(name + ".weight", out, in), w.tensor(name + ".bias", out), (float) (gain / Math.sqrt(in)) * rate, rate);
        }

        Tensor forward(Tensor x) {
            if (biasScale == 1) return x.scale(scale).linear(weight, bias);
            return x.scale(scale).linear(weight, null).modulate(null, Activations.row(x.scope(), bias).scale(biasScale));
        }
    }

    /** @param weight [out, window, window, in] */
    record Conv(Tensor weight, Tensor bias, float scale) {
        static Conv of(Weights w, String name, int in, int out, int window, float gain) {
            return new Conv(w.tensor(name + ".weight", out, window, window, in), w.tensor(name + ".bias", out), (float) (gain / Math.sqrt(in * window * window)));
        }

        Tensor forward(Tensor x) {
            int window = weight.shape().dim(1);
            return x.conv2d(Activations.rows(x.scope(), weight).scale(scale).view(weight.shape().toArray()), bias, Convolution.same(window));
        }
    }
}
