package inkstone.gan;

import inkstone.tensor.Elementwise;
import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/**
 * Norm of each channel over all pixels of all pictures of a batch (Ioffe & Szegedy 2015, arXiv:1502.03167). While it learns it uses the batch's own mean and variance and remembers them
 * as moving averages, which it uses afterwards, so that a picture then depends on nothing but its latent.
 *
 * @param learning whether the batch's statistics are used and remembered
 */
record BatchNorm(Tensor weight, Tensor bias, Tensor runningMean, Tensor runningVariance, boolean learning) {
    private static final float EPS = 1e-5f, SHARE = 0.1f;
    static final String MEAN = "running_mean", VARIANCE = "running_var";

    static BatchNorm of(Weights w, int channels, boolean learning) {
        return new BatchNorm(w.tensor("weight", channels), w.tensor("bias", channels), w.tensor(MEAN, channels), w.tensor(VARIANCE, channels), learning);
    }

    /** x [n, h, w, channels], or rows [n, channels] */
    Tensor forward(Tensor x) {
        int channels = x.shape().last(), pixels = x.shape().rows();
        if (!learning) {
            var scope = x.scope();
            var factor = Activations.plus(Activations.row(scope, runningVariance), EPS).map(Elementwise.RECIPROCAL_ROOT).mul(Activations.row(scope, weight));
            return x.modulate(Activations.plus(factor, -1), Activations.row(scope, bias).add(Activations.row(scope, runningMean).mul(factor).scale(-1)));
        }
        remember(x.view(1, pixels, 1, channels));
        return x.view(1, pixels, 1, channels).groupNorm(channels, weight, bias, EPS, false).view(x.shape().toArray());
    }

    private void remember(Tensor x) {
        int channels = x.shape().last();
        Tensor mean = x.resize(1, 1, Resampling.AREA).view(channels), squares = x.mul(x).resize(1, 1, Resampling.AREA).view(channels);
        var kernels = x.scope().backend().kernels();
        kernels.average(runningMean, mean, SHARE);
        kernels.average(runningVariance, squares.add(mean.mul(mean).scale(-1)), SHARE);
    }
}
