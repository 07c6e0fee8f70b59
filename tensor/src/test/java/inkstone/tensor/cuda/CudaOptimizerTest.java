package inkstone.tensor.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import inkstone.tensor.AdamStates;
import inkstone.tensor.AdamStep;
import inkstone.tensor.Backend;
import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.reference.ReferenceBackend;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Steps of AdamW and averages of weights on a GPU, or on the stand-in for one: against plain loops, and against what they are for. */
class CudaOptimizerTest {
    private static Backend reference, cuda;

    @BeforeAll static void open() {
        var obstacle = StandIn.obstacle();
        assumeTrue(obstacle == null, () -> "skipped: " + obstacle);
        reference = new ReferenceBackend();
        cuda = new CudaBackend(0, true);
    }

    @AfterAll static void close() {
        if (cuda != null) cuda.close();
        if (reference != null) reference.close();
    }

    private static float[] normal(int count, long seed, float size) {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = size * (float) random.nextGaussian();
        return values;
    }

    private static Tensor zeros(Backend backend, DType dtype, int count) { return Tensor.of(dtype, backend.allocate(dtype.bytes(count)), count); }

    private static byte[] bytes(Backend backend, Tensor tensor) {
        var bytes = new byte[(int) tensor.data().byteSize()];
        backend.download(MemorySegment.ofArray(bytes), tensor.data());
        return bytes;
    }

    private static float[] floats(Backend backend, Tensor tensor) {
        var values = new float[(int) tensor.shape().elements()];
        Blocks.toFloats(tensor.dtype(), MemorySegment.ofArray(bytes(backend, tensor)), 0, values, values.length);
        return values;
    }

    private static double error(float[] expected, float[] actual) {
        double error = 0, size = 0;
        for (int i = 0; i < expected.length; i++) {
            error += Math.pow((double) actual[i] - expected[i], 2);
            size += Math.pow(expected[i], 2);
        }
        return error / size;
    }

    /** Weights, mean and (roots of) mean squares after some steps with random gradients. */
    private static float[][] steps(Backend backend, DType states, int count) {
        try (var scope = Scope.inference(backend)) {
            Tensor weight = scope.floats(normal(count, 1, 1), count), m = zeros(backend, states, count), v = zeros(backend, states, count);
            for (int step = 1; step <= 5; step++) {
                var gradient = scope.floats(normal(count, 10 + step, step == 3 ? 0 : 1e-3f), count);
                backend.kernels().adamW(weight, gradient, m, v, new AdamStep(step, 0.01f, 0.9f, 0.99f, 1e-8f, 0.1f, 0.7f, 99 + step));
            }
            return new float[][] {floats(backend, weight), floats(backend, m), floats(backend, v)};
        }
    }

    @ParameterizedTest @EnumSource(names = {"F32", "Q8_0"}) void stepsEqualReference(DType states) {
        int count = states == DType.F32 ? 20_013 : 20_000;                            // an odd number of blocks: half of the last warp has none
        float[][] expected = steps(reference, states, count), actual = steps(cuda, states, count), again = steps(cuda, states, count);
        assertTrue(error(expected[0], actual[0]) < 1e-12, () -> "weights: " + error(expected[0], actual[0]));
        // where a sum is rounded just above an integer in one and just below in the other, eight bits differ by a level, a hundredth of the number
        double tolerance = states == DType.F32 ? 1e-12 : 1e-7;
        for (int i = 1; i < 3; i++) {
            double error = error(expected[i], actual[i]);
            assertTrue(error < tolerance, "state %d: %.2e".formatted(i, error));
        }
        for (int i = 0; i < 3; i++) assertArrayEquals(actual[i], again[i]);
    }

    /** From nothing a mean is the gradient's share, which no order of operations changes: then every byte is the reference's. */
    @Test void roundingIsTheReferencesToTheBit() {
        int count = 32 * 77;
        byte[][] states = new byte[2][];
        for (var backend : new Backend[] {reference, cuda}) {
            try (var scope = Scope.inference(backend)) {
                Tensor weight = scope.floats(new float[count], count), m = zeros(backend, DType.Q8_0, count), v = zeros(backend, DType.Q8_0, count);
                backend.kernels().adamW(weight, scope.floats(normal(count, 4, 1e-3f), count), m, v, new AdamStep(1, 0.1f, 0.5f, 0.75f, 1e-8f, 0, 1, 0x123456789abcdefL));
                states[backend == cuda ? 1 : 0] = bytes(backend, m);
            }
        }
        assertArrayEquals(states[0], states[1]);
    }

    /** Minimises half of the mean of (scale (weight - target))² with noise on the gradients; returns the root of the mean squared distance. */
    private static double distance(DType states, float size) {
        int count = 1024;
        float[] target = normal(count, 5, 1), scales = normal(count, 6, 1);
        try (var scope = Scope.inference(cuda)) {
            Tensor weight = scope.floats(new float[count], count), m = zeros(cuda, states, count), v = zeros(cuda, states, count), gradient = scope.tensor(DType.F32, count);
            int steps = 400;
            for (int step = 1; step <= steps; step++) {
                float[] at = weight.toFloats(), noise = normal(count, step, 0.1f);
                for (int i = 0; i < count; i++) at[i] = size * ((0.1f + scales[i] * scales[i]) * (at[i] - target[i]) + noise[i]);
                cuda.kernels().adamW(weight, gradient.set(at), m, v, new AdamStep(step, 0.03f * (1 - (float) step / steps), 0.9f, 0.99f, 1e-12f, 0, 1, step));
            }
            return Math.sqrt(error(target, floats(cuda, weight)));
        }
    }

    @ParameterizedTest @ValueSource(floats = {10, 1e-6f}) void eightBitsReachWhatFloatsReach(float gradients) {
        double floats = distance(DType.F32, gradients), bytes = distance(DType.Q8_0, gradients);
        assertTrue(floats < 0.05, () -> "floats: " + floats);
        assertTrue(bytes < 1.3 * floats, () -> "%.4f with eight bits, %.4f with floats".formatted(bytes, floats));
    }

    @Test void statesTooLargeForABlockStayFinite() {
        try (var scope = Scope.inference(cuda)) {
            Tensor weight = scope.floats(new float[32], 32), m = zeros(cuda, DType.Q8_0, 32), v = zeros(cuda, DType.Q8_0, 32);
            for (int step = 1; step < 4; step++) {
                cuda.kernels().adamW(weight, scope.floats(normal(32, 3, 1e6f), 32), m, v, new AdamStep(step, 0.1f, 0.9f, 0.99f, 1e-8f, 0, 1, step));
            }
            for (float value : weight.toFloats()) assertTrue(Math.abs(value) < 1, () -> "weight " + value);
            float largest = 0;
            for (float value : floats(cuda, v)) largest = Math.max(largest, value * AdamStates.UNIT);
            assertEquals(127, largest, 0.1);
        }
    }

    @Test void averagesEqualReference() {
        int count = 9_001;
        var results = new float[2][];
        for (var backend : new Backend[] {reference, cuda}) {
            try (var scope = Scope.inference(backend)) {
                var average = scope.floats(normal(count, 1, 1), count);
                backend.kernels().average(average, scope.floats(normal(count, 2, 1), count), 0.1f);
                results[backend == cuda ? 1 : 0] = average.toFloats();
            }
        }
        assertTrue(error(results[0], results[1]) < 1e-13);
    }
}
