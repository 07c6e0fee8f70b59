package inkstone.tensor.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static inkstone.tensor.OptimizerSteps.assertNear;
import static inkstone.tensor.OptimizerSteps.error;
import static inkstone.tensor.OptimizerSteps.floats;
import static inkstone.tensor.OptimizerSteps.normal;
import static inkstone.tensor.OptimizerSteps.zeros;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.AdamStates;
import inkstone.tensor.AdamStep;
import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.OptimizerSteps;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.reference.ReferenceBackend;
import java.util.List;
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

    @Tag("widths") @ParameterizedTest @EnumSource(names = {"F32", "Q8_0"}) void stepsEqualReference(DType states) {
        int count = states == DType.F32 ? 20_013 : 20_000;
        float[][] expected = OptimizerSteps.of(reference, states, count), actual = OptimizerSteps.of(cpu, states, count);
        assertNear(states, expected, actual);
        float[][] again = OptimizerSteps.of(oneThread, states, count);
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
                float[] at = floats(backend, weight), noise = normal(count, step, 0.1f);
                for (int i = 0; i < count; i++) at[i] = size * ((0.1f + scales[i] * scales[i]) * (at[i] - target[i]) + noise[i]);
                backend.kernels().adamW(weight, gradient.set(at), m, v, new AdamStep(step, 0.02f * (1 - (float) step / steps), 0.9f, 0.99f, 1e-12f, 0, 1, step));
            }
            return Math.sqrt(error(target, floats(backend, weight)));
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
                for (float value : floats(backend, weight)) assertTrue(Math.abs(value) < 1, () -> backend.name() + ": " + value);
                float largest = 0;
                for (float value : floats(backend, v)) largest = Math.max(largest, value * AdamStates.UNIT);
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
                return floats(backend, average);
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
