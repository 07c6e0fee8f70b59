package inkstone.gan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Elementwise;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.reference.ReferenceBackend;
import inkstone.tensor.train.Parameters;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

class GradientPenaltyTest {
    private static final long SEED = 20263;
    private static final int N = 3, IN = 6, HIDDEN = 7;

    /** A network of two layers, piecewise linear or smooth, of parameters that learn. */
    private static UnaryOperator<Tensor> network(Parameters p, boolean smooth) {
        Tensor first = p.tensors().get("first"), second = p.tensors().get("second");
        return x -> {
            var h = x.linear(first, null);
            return (smooth ? h.map(Elementwise.TANH) : h.leakyRelu(0.2f)).linear(second, null);
        };
    }

    private static Parameters parameters(ReferenceBackend backend) {
        var p = new Parameters(backend);
        p.add("first", NetworksTest.normal(SEED, HIDDEN * IN), HIDDEN, IN);
        p.add("second", NetworksTest.normal(SEED + 1, HIDDEN), 1, HIDDEN);
        return p;
    }

    private static double penalty(ReferenceBackend backend, UnaryOperator<Tensor> network, float[] x, boolean r1) {
        double sum = 0;
        for (double length : GradientPenalty.gradient(backend, network, x, N, IN).lengths()) sum += r1 ? 5 * length * length : 10 * Math.pow(length - 1, 2);
        return sum;
    }

    /** The gradient of the penalty itself, by finite differences of it. */
    private static void check(boolean smooth, boolean r1, double tolerance) {
        try (var backend = new ReferenceBackend(); var p = parameters(backend)) {
            float[] x = NetworksTest.normal(SEED + 2, N * IN);
            var network = network(p, smooth);
            var gradient = GradientPenalty.gradient(backend, network, x, N, IN);
            p.clearGradients();
            try (var scope = Scope.training(backend)) {
                scope.backward(GradientPenalty.loss(scope, network, gradient, r1 ? GradientPenalty.r1(10) : GradientPenalty.distance(10, 1), x, N, IN));
            }
            List<Double> expected = new ArrayList<>(), found = new ArrayList<>();
            var gradients = p.tensors().values().stream().map(tensor -> floats(backend, tensor.gradient())).toList().iterator();
            for (var tensor : p.tensors().values()) {
                float[] values = floats(backend, tensor), g = gradients.next();
                for (int i = 0; i < values.length; i++) {
                    float before = values[i];
                    double h = 2e-3;
                    values[i] = (float) (before + h);
                    backend.upload(tensor.data(), java.lang.foreign.MemorySegment.ofArray(values));
                    double above = penalty(backend, network, x, r1);
                    values[i] = (float) (before - h);
                    backend.upload(tensor.data(), java.lang.foreign.MemorySegment.ofArray(values));
                    double below = penalty(backend, network, x, r1);
                    values[i] = before;
                    backend.upload(tensor.data(), java.lang.foreign.MemorySegment.ofArray(values));
                    expected.add((above - below) / (2 * h));
                    found.add((double) g[i]);
                }
            }
            double error = 0, size = 0;
            for (int i = 0; i < expected.size(); i++) {
                error += Math.pow(expected.get(i) - found.get(i), 2);
                size += Math.pow(expected.get(i), 2);
            }
            double relative = Math.sqrt(error / size);
            assertTrue(relative < tolerance, () -> "relative error " + relative);
        }
    }

    private static float[] floats(ReferenceBackend backend, Tensor t) {
        var values = new float[Math.toIntExact(t.shape().elements())];
        backend.download(java.lang.foreign.MemorySegment.ofArray(values), t.data());
        return values;
    }

    @Test void r1OfRectifiers() { check(false, true, 2e-3); }
    @Test void r1OfASmoothNetwork() { check(true, true, 2e-3); }
    @Test void distanceFromOneOfRectifiers() { check(false, false, 2e-3); }
    @Test void distanceFromOneOfASmoothNetwork() { check(true, false, 2e-3); }

    /** Of a linear network the gradient is its weight, whatever the input. */
    @Test void gradientOfALinearNetworkIsItsWeight() {
        try (var backend = new ReferenceBackend(); var p = new Parameters(backend)) {
            var weight = p.add("w", new float[] {3, -4}, 1, 2);
            for (double length : GradientPenalty.gradient(backend, x -> x.linear(weight, null), new float[] {1, 2, 3, 4}, 2, 2).lengths()) assertEquals(5, length, 1e-6);
        }
    }
}
