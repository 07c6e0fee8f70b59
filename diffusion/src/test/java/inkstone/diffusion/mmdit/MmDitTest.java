package inkstone.diffusion.mmdit;

import static inkstone.tensor.SeededWeights.input;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Backend;
import inkstone.tensor.CountedWeights;
import inkstone.tensor.CountingBackend;
import inkstone.tensor.Scope;
import inkstone.tensor.SeededWeights;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.reference.ReferenceBackend;
import org.junit.jupiter.api.Test;

/** Numbers of a program in numpy, written from the paper and from the tensors of Stable Diffusion 3 files; the weights are functions of their names. */
class MmDitTest {
    private static final MmDitConfig TINY = new MmDitConfig(3, 16, 4, 2, 8, 20, 12, true, 2);

    private static float[] velocity(Backend backend) {
        try (backend; var scope = Scope.inference(backend)) {
            var model = MmDit.of(TINY, new SeededWeights(backend));
            return model.forward(scope.floats(input("input.x", 4, 2, 6, 4, 4), 2, 6, 4, 4), new float[] {0.3f, 0.8f},
                scope.floats(input("input.text", 4, 2, 5, 20), 10, 20), scope.floats(input("input.vector", 4, 2, 12), 2, 12)).toFloats();
        }
    }

    @Test void velocityIsThatOfAnotherImplementation() {
        float[] y = velocity(new ReferenceBackend());
        double sum = 0, magnitude = 0;
        for (float v : y) { sum += v; magnitude += Math.abs(v); }
        assertEquals(192, y.length);
        assertEquals(20.15629, sum, 2e-3);
        assertEquals(200.8579, magnitude, 2e-3);
        float[] first = {1.56756f, -2.24298f, -1.159f, 1.06356f, 1.27534f, 1.99674f, 0.270828f, -0.145532f}, last = {-0.422772f, 2.39186f, -0.449789f, 0.321354f};
        for (int i = 0; i < first.length; i++) assertEquals(first[i], y[i], 2e-4, "number " + i);
        for (int i = 0; i < last.length; i++) assertEquals(last[i], y[y.length - last.length + i], 2e-4, "number " + i + " of the last");
    }

    @Test void theCpuAgrees() {
        float[] expected = velocity(new ReferenceBackend()), y = velocity(new CpuBackend(2));
        for (int i = 0; i < y.length; i++) assertEquals(expected[i], y[i], 1e-4, "number " + i);
    }

    /** Sizes as published: 2.03, 2.24 and 8.06 billion. */
    @Test void parametersAreAsManyAsPublished() {
        assertEquals(2_084_951_104L, parameters(MmDitConfig.MEDIUM_3));
        assertTrue(parameters(MmDitConfig.MEDIUM_3_5) > 2_400_000_000L && parameters(MmDitConfig.MEDIUM_3_5) < 2_500_000_000L, () -> "3.5 medium has " + parameters(MmDitConfig.MEDIUM_3_5));
        assertTrue(parameters(MmDitConfig.LARGE_3_5) > 8_000_000_000L && parameters(MmDitConfig.LARGE_3_5) < 8_200_000_000L, () -> "3.5 large has " + parameters(MmDitConfig.LARGE_3_5));
    }

    private static long parameters(MmDitConfig config) {
        var counted = new CountedWeights(new CountingBackend(false));
        MmDit.of(config, counted);
        return counted.elements();
    }

    @Test void picturesOfBrokenPatchesAreRefused() {
        try (var backend = new ReferenceBackend(); var scope = Scope.inference(backend)) {
            var model = MmDit.of(TINY, new SeededWeights(backend));
            var e = assertThrows(IllegalArgumentException.class, () -> model.forward(scope.floats(new float[5 * 4 * 4], 1, 5, 4, 4), new float[1], scope.floats(new float[20], 1, 20), scope.floats(new float[12], 1, 12)));
            assertTrue(e.getMessage().startsWith("expected latents of whole patches of 2, at most 8"), e.getMessage());
        }
    }
}
