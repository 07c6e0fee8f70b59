package inkstone.gan;

import inkstone.tensor.Backend;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import java.util.function.UnaryOperator;

/**
 * Penalties on the gradient of a network by its input, without gradients of gradients. With g = dF/dx at each input, the gradient by the parameters of p(|g|), any function of the
 * gradient's length, is that of the derivative of F along the constant direction d = p'(|g|) / |g| · g, which is the limit of (F(x + e d) - F(x - e d)) / 2 e: two passes
 * forward, with one back. It is exact where F is linear on the way (as rectifiers are nearly everywhere) and of second order in e elsewhere. |e d| stays three thousandths of |x|: small against
 * the pieces of F, large against the rounding of floats.
 */
public final class GradientPenalty {
    private static final double STEP = 0.003;

    /** p'(|g|) / |g| for one input. */
    public interface Slope { double of(double length); }

    private GradientPenalty() {}

    /** weight / 2 · |g|² (Mescheder et al. 2018, arXiv:1801.04406). */
    public static Slope r1(double weight) { return _ -> weight; }

    /** weight · (|g| - target)² (Gulrajani et al. 2017, arXiv:1704.00028). */
    public static Slope distance(double weight, double target) { return length -> length < 1e-12 ? 0 : 2 * weight * (length - target) / length; }

    /** @param g of all inputs, {@code lengths} of those of each */
    public record Gradient(float[] g, double[] lengths) {}

    /** The gradient of the sum of {@code network(x)} by x, input by input. {@code network} must not learn. */
    public static Gradient gradient(Backend backend, UnaryOperator<Tensor> network, float[] x, int... dims) {
        try (var scope = Scope.training(backend)) {
            var input = scope.floats(x, dims).learning();
            scope.backward(network.apply(input).sum());
            float[] g = input.gradient().toFloats();
            int n = dims[0], size = x.length / n;
            var lengths = new double[n];
            for (int i = 0; i < n; i++) {
                double sum = 0;
                for (int j = 0; j < size; j++) sum += (double) g[i * size + j] * g[i * size + j];
                lengths[i] = Math.sqrt(sum);
            }
            return new Gradient(g, lengths);
        }
    }

    /**
     * Something whose gradient by the parameters is that of the penalties' sum; what it is itself means nothing.
     *
     * @param network as in {@link #gradient}, now of parameters that learn
     */
    public static Tensor loss(Scope scope, UnaryOperator<Tensor> network, Gradient gradient, Slope slope, float[] x, int... dims) {
        return loss(scope, network, gradient, slope, scope.floats(x, dims), x, dims);
    }

    /** The same for an input that was computed by something that learns too: {@code input} with the values {@code x}. */
    static Tensor loss(Scope scope, UnaryOperator<Tensor> network, Gradient gradient, Slope slope, Tensor input, float[] x, int... dims) {
        int n = dims[0], size = x.length / n;
        double inputs = 0, directions = 0;
        var direction = new float[x.length];
        for (int i = 0; i < n; i++) {
            double factor = slope.of(gradient.lengths[i]);
            for (int j = i * size; j < (i + 1) * size; j++) {
                direction[j] = (float) (factor * gradient.g[j]);
                inputs += (double) x[j] * x[j];
                directions += (double) direction[j] * direction[j];
            }
        }
        float e = directions == 0 ? 1 : (float) (STEP * Math.sqrt(Math.max(inputs, 1e-12) / directions));
        var along = scope.floats(direction, dims);
        var difference = network.apply(input.add(along.scale(e))).sum().add(network.apply(input.add(along.scale(-e))).sum().scale(-1));
        return difference.scale(1 / (2 * e));
    }
}
