package inkstone.gan;

import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import java.util.Arrays;

/** Parameters and constants as activations, for arithmetic with them that carries gradients back. */
final class Activations {
    private Activations() {}

    /** A parameter [rows, ..] as [rows, the rest]. */
    static Tensor rows(Scope scope, Tensor weight) {
        int rows = weight.shape().dim(0);
        var all = new int[rows];
        Arrays.setAll(all, i -> i);
        return scope.ints(all).embedding(weight.view(rows, Math.toIntExact(weight.shape().elements() / rows)));
    }

    /** A parameter [d] as one row [1, d]. */
    static Tensor row(Scope scope, Tensor weight) { return scope.ints(0).embedding(weight.view(1, weight.shape().last())); }

    static Tensor constant(Scope scope, float value, int... dims) {
        int count = 1;
        for (int dim : dims) count *= dim;
        var values = new float[count];
        Arrays.fill(values, value);
        return scope.floats(values, dims);
    }

    /** x + value */
    static Tensor plus(Tensor x, float value) { return x.add(constant(x.scope(), value, x.shape().toArray())); }

    /** x · factors with one row of factors [s, d] for so many rows of x. */
    static Tensor times(Tensor x, Tensor factors) { return x.modulate(plus(factors, -1), null); }

    /** x / sqrt(mean(x²) + eps) over the last axis (Karras et al. 2017, arXiv:1710.10196, section 4.2). */
    static Tensor pixelNorm(Tensor x) { return x.rmsNorm(constant(x.scope(), 1, x.shape().last()), 1e-8f); }
}
