package inkstone.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.reference.ReferenceBackend;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Every case of {@link OpCases} on every backend, or those asked for with {@code -Dinkstone.cases=NAME,..}. What is tagged "widths" the build runs once for each vector width, and once without fused multiply-add. */
class OpCasesTest {
    private static final Backend REFERENCE = new ReferenceBackend(), CPU = new CpuBackend(2), ONE_THREAD = new CpuBackend(1);

    @AfterAll static void close() {
        REFERENCE.close();
        CPU.close();
        ONE_THREAD.close();
    }

    @Tag("widths") @TestFactory Stream<DynamicTest> cpuEqualsReference() {
        return OpCases.asked().stream().map(c -> DynamicTest.dynamicTest(c.name(), () -> {
            double error = OpCase.normalisedError(c.on(REFERENCE), c.on(CPU));
            assertTrue(error <= c.tolerance(), () -> "%s: normalised mean squared error %.2e, allowed %.0e".formatted(c.name(), error, c.tolerance()));
        }));
    }

    /* Far fewer digits than a result has: differences of sums in single precision, and terms that cancel. */
    private static final double GRADIENT_ERROR = 1e-9;

    @Tag("widths") @TestFactory Stream<DynamicTest> cpuGradientsEqualReference() {
        return learning().map(c -> DynamicTest.dynamicTest(c.name(), () -> {
            var expected = gradients(c, REFERENCE);
            var actual = gradients(c, CPU);
            for (int i = 0; i < expected.size(); i++) {
                if (!c.learns(i)) continue;
                double error = OpCase.normalisedError(expected.get(i), actual.get(i));
                int input = i;
                assertTrue(error <= GRADIENT_ERROR, () -> "%s: normalised mean squared error of the gradient of input %d: %.2e".formatted(c.name(), input, error));
            }
        }));
    }

    @TestFactory Stream<DynamicTest> sameGradientsEveryTimeAndForAnyNumberOfThreads() {
        return learning().map(c -> DynamicTest.dynamicTest(c.name(), () -> {
            var bits = gradients(c, CPU);
            for (var again : List.of(gradients(c, CPU), gradients(c, ONE_THREAD))) for (int i = 0; i < bits.size(); i++) assertArrayEquals(bits.get(i), again.get(i));
        }));
    }

    /** Along a random direction of each input: (loss(x + h d) - loss(x - h d)) / 2h against gradient · d, whose size is that of the gradient. */
    @TestFactory Stream<DynamicTest> gradientsEqualFiniteDifferences() {
        return learning().filter(c -> c.elements() < 12_000).map(c -> DynamicTest.dynamicTest(c.name(), () -> {
            float step = 1e-3f;
            var gradients = gradients(c, REFERENCE);
            for (int input = 0; input < gradients.size(); input++) {
                float[] gradient = gradients.get(input);
                if (gradient == null) continue;
                float[] direction = new float[gradient.length], back = new float[gradient.length];
                var random = new Random(input);
                double expected = 0, size = 0;
                for (int i = 0; i < gradient.length; i++) {
                    direction[i] = step * (float) random.nextGaussian();
                    back[i] = -direction[i];
                    expected += (double) gradient[i] * direction[i] / step;
                    size += (double) gradient[i] * gradient[i];
                }
                double difference = (loss(c, input, direction) - loss(c, input, back)) / (2 * step);
                assertEquals(expected, difference, 0.01 * Math.sqrt(size) + 1e-3, c.name() + ", input " + input);
            }
        }));
    }

    private static double loss(OpCase c, int shifted, float[] shift) {
        try (var scope = Scope.training(REFERENCE)) {
            return c.loss(c.gradients(REFERENCE, scope, shifted, shift).result());
        }
    }

    private static Stream<OpCase> learning() { return OpCases.asked().stream().filter(c -> c.learns() != OpCase.Learns.NOTHING); }

    private static List<float[]> gradients(OpCase c, Backend backend) {
        try (var scope = Scope.training(backend)) {
            return c.gradients(backend, scope, -1, null).byInput();
        }
    }

    @TestFactory Stream<DynamicTest> sameBitsEveryTimeAndForAnyNumberOfThreads() {
        return OpCases.asked().stream().map(c -> DynamicTest.dynamicTest(c.name(), () -> {
            var bits = c.on(CPU);
            assertArrayEquals(bits, c.on(CPU));
            assertArrayEquals(bits, c.on(ONE_THREAD));
        }));
    }

    /** -Dinkstone.timings=true prints what each case takes on the CPU: the median of some runs, after as many to warm up. */
    @Test void timings() {
        assumeTrue(Boolean.getBoolean("inkstone.timings"), "skipped: timings are printed only with -Dinkstone.timings=true");
        for (var c : OpCases.asked()) {
            try (var scope = Scope.inference(CPU)) {
                var inputs = c.make(scope);
                var nanos = new long[400];
                for (int i = 0; i < nanos.length; i++) {
                    long start = System.nanoTime();
                    c.run().apply(inputs);
                    nanos[i] = System.nanoTime() - start;
                }
                System.out.printf("%-110s %9.1f us%n", c.name(), Arrays.stream(nanos).skip(200).sorted().skip(100).findFirst().orElseThrow() / 1e3);
            }
        }
    }
}
