package inkstone.tensor;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.Random;

/** Steps of AdamW on any backend, and how far two of them may be apart. */
public final class OptimizerSteps {
    private OptimizerSteps() {}

    public static float[] normal(int count, long seed, float size) {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = size * (float) random.nextGaussian();
        return values;
    }

    public static Tensor zeros(Backend backend, DType dtype, int count) { return Tensor.of(dtype, backend.allocate(dtype.bytes(count)), count); }

    public static float[] floats(Backend backend, Tensor tensor) {
        var host = MemorySegment.ofArray(new byte[(int) tensor.data().byteSize()]);
        backend.download(host, tensor.data());
        var values = new float[(int) tensor.shape().elements()];
        Blocks.toFloats(tensor.dtype(), host, 0, values, values.length);
        return values;
    }

    public static double error(float[] expected, float[] actual) { return OpCase.normalisedError(expected, actual); }

    /** Weights, mean and (roots of) mean squares after some steps with random gradients. */
    public static float[][] of(Backend backend, DType states, int count) {
        try (var scope = Scope.inference(backend)) {
            Tensor weight = scope.floats(normal(count, 1, 1), count), m = zeros(backend, states, count), v = zeros(backend, states, count);
            for (int step = 1; step <= 5; step++) {
                var gradient = scope.floats(normal(count, 10 + step, step == 3 ? 0 : 1e-3f), count);
                backend.kernels().adamW(weight, gradient, m, v, new AdamStep(step, 0.01f, 0.9f, 0.99f, 1e-8f, 0.1f, 0.7f, 99 + step));
            }
            return new float[][] {floats(backend, weight), floats(backend, m), floats(backend, v)};
        }
    }

    public static void assertNear(DType states, float[][] expected, float[][] actual) {
        assertTrue(error(expected[0], actual[0]) < 1e-12, () -> "weights: " + error(expected[0], actual[0]));
        // where a sum is rounded just above an integer in one and just below in the other, eight bits differ by a level, a hundredth of the number
        double tolerance = states == DType.F32 ? 1e-12 : 1e-7;
        for (int i = 1; i < 3; i++) {
            double error = error(expected[i], actual[i]);
            assertTrue(error < tolerance, "state %d: %.2e".formatted(i, error));
        }
    }
}
