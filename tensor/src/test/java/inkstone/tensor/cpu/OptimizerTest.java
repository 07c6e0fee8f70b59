package inkstone.tensor.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.AdamStates;
import inkstone.tensor.AdamStep;
import inkstone.tensor.Backend;
import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.reference.ReferenceBackend;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Steps of AdamW and averages of weights: the Vector API against plain loops, and both against what they are for. */
class OptimizerTest {
    private final Backend reference = new ReferenceBackend(), cpu = new CpuBackend(2), oneThread = new CpuBackend(1);

    @AfterEach void close() { for (var backend : List.of(reference, cpu, oneThread)) backend.close(); }

    private static float[] normal(int count, long seed, float size) {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = size * (float) random.nextGaussian();
        return values;
    }

    private static Tensor zeros(Backend backend, DType dtype, int count) { return Tensor.of(dtype, backend.allocate(dtype.bytes(count)), count); }

    private static float[] floats(Tensor tensor) {
        var values = new float[(int) tensor.shape().elements()];
        Blocks.toFloats(tensor.dtype(), tensor.data(), 0, values, values.length);
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
            return new float[][] {floats(weight), floats(m), floats(v)};
        }
    }

    @Tag("widths") @ParameterizedTest @EnumSource(names = {"F32", "Q8_0"}) void stepsEqualReference(DType states) {
        int count = states == DType.F32 ? 20_013 : 20_000;
        float[][] expected = steps(reference, states, count), actual = steps(cpu, states, count);
        assertTrue(error(expected[0], actual[0]) < 1e-12, () -> "weights: " + error(expected[0], actual[0]));
        // where a sum is rounded just above an integer in one and just below in the other, eight bits differ by a level, a hundredth of the number
        double tolerance = states == DType.F32 ? 1e-12 : 1e-7;
        for (int i = 1; i < 3; i++) {
            double error = error(expected[i], actual[i]);
            assertTrue(error < tolerance, "state %d: %.2e".formatted(i, error));
        }
        float[][] again = steps(oneThread, states, count);
        for (int i = 0; i < 3; i++) assertArrayEquals(actual[i], again[i]);
    }

    /** Minimises half of the mean of (scale (weight - target))² with noise on the gradients; returns the root of the mean squared distance. */
    private static double distance(Backend backend, DType states, float size) {
        int count = 1024;
        float[] target = normal(count, 5, 1), scales = normal(count, 6, 1);
        try (var scope = Scope.inference(backend)) {
            Tensor weight = scope.floats(new float[count], count), m = zeros(backend, states, count), v = zeros(backend, states, count), gradient = scope.tensor(DType.F32, count);
            int steps = 600;
            for (int step = 1; step <= steps; step++) {
                float[] at = floats(weight), noise = normal(count, step, 0.1f);
                for (int i = 0; i < count; i++) at[i] = size * ((0.1f + scales[i] * scales[i]) * (at[i] - target[i]) + noise[i]);
                backend.kernels().adamW(weight, gradient.set(at), m, v, new AdamStep(step, 0.02f * (1 - (float) step / steps), 0.9f, 0.99f, 1e-12f, 0, 1, step));
            }
            return Math.sqrt(error(target, floats(weight)));
        }
    }

    @ParameterizedTest @ValueSource(floats = {10, 1e-3f, 1e-6f}) void eightBitsReachWhatFloatsReach(float gradients) {
        for (var backend : List.of(reference, cpu)) {
            double floats = distance(backend, DType.F32, gradients), bytes = distance(backend, DType.Q8_0, gradients);
            assertTrue(floats < 0.05, backend.name() + ", floats: " + floats);
            assertTrue(bytes < 1.3 * floats, "%s: %.4f with eight bits, %.4f with floats".formatted(backend.name(), bytes, floats));
        }
    }

    @Test void statesTooLargeForABlockStayFinite() {
        for (var backend : List.of(reference, cpu)) {
            try (var scope = Scope.inference(backend)) {
                Tensor weight = scope.floats(new float[32], 32), m = zeros(backend, DType.Q8_0, 32), v = zeros(backend, DType.Q8_0, 32);
                for (int step = 1; step < 4; step++) {
                    backend.kernels().adamW(weight, scope.floats(normal(32, 3, 1e6f), 32), m, v, new AdamStep(step, 0.1f, 0.9f, 0.99f, 1e-8f, 0, 1, step));
                }
                for (float value : floats(weight)) assertTrue(Math.abs(value) < 1, () -> backend.name() + ": " + value);
                float largest = 0;
                for (float value : floats(v)) largest = Math.max(largest, value * AdamStates.UNIT);
                assertEquals(127, largest, 0.1, backend.name());
            }
        }
    }

    @Tag("widths") @Test void averagesEqualReference() {
        int count = 9_001;
        var results = List.of(reference, cpu).stream().map(backend -> {
            try (var scope = Scope.inference(backend)) {
                var average = scope.floats(normal(count, 1, 1), count);
                backend.kernels().average(average, scope.floats(normal(count, 2, 1), count), 0.1f);
                return floats(average);
            }
        }).toList();
        assertTrue(error(results.get(0), results.get(1)) < 1e-13);
    }

    @Test void clearReachesEveryByte() {
        long bytes = (5L << 20) + 13;
        var memory = cpu.allocate(bytes + 3).fill((byte) 7);
        cpu.clear(memory.asSlice(1, bytes));
        for (long i : new long[] {0, bytes + 1, bytes + 2}) assertEquals(7, memory.get(JAVA_BYTE, i));
        for (long i = 1; i <= bytes; i++) if (memory.get(JAVA_BYTE, i) != 0) throw new AssertionError("byte " + i);
    }
}
