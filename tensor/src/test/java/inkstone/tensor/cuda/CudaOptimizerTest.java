package inkstone.tensor.cuda;

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
import java.lang.foreign.MemorySegment;
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
        StandIn.require();
        reference = new ReferenceBackend();
        cuda = new CudaBackend(0, true);
    }

    @AfterAll static void close() {
        if (cuda != null) cuda.close();
        if (reference != null) reference.close();
    }

    private static byte[] bytes(Backend backend, Tensor tensor) {
        var bytes = new byte[(int) tensor.data().byteSize()];
        backend.download(MemorySegment.ofArray(bytes), tensor.data());
        return bytes;
    }

    @ParameterizedTest @EnumSource(names = {"F32", "Q8_0"}) void stepsEqualReference(DType states) {
        int count = states == DType.F32 ? 20_013 : 20_000;                            // an odd number of blocks: half of the last warp has none
        float[][] expected = OptimizerSteps.of(reference, states, count), actual = OptimizerSteps.of(cuda, states, count), again = OptimizerSteps.of(cuda, states, count);
        assertNear(states, expected, actual);
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
