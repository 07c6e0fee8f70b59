package inkstone.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.reference.ReferenceBackend;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Every case of {@link OpCases} on every backend. What is tagged "widths" the build runs once for each vector width, and once without fused multiply-add. */
class OpCasesTest {
    private static final Backend REFERENCE = new ReferenceBackend(), CPU = new CpuBackend(2), ONE_THREAD = new CpuBackend(1);

    @AfterAll static void close() {
        REFERENCE.close();
        CPU.close();
        ONE_THREAD.close();
    }

    @Tag("widths") @TestFactory Stream<DynamicTest> cpuEqualsReference() {
        return OpCases.all().stream().map(c -> DynamicTest.dynamicTest(c.name(), () -> {
            double error = OpCase.normalisedError(c.on(REFERENCE), c.on(CPU));
            assertTrue(error <= c.tolerance(), () -> "normalised mean squared error %.2e, allowed %.0e".formatted(error, c.tolerance()));
        }));
    }

    @TestFactory Stream<DynamicTest> sameBitsEveryTimeAndForAnyNumberOfThreads() {
        return OpCases.all().stream().map(c -> DynamicTest.dynamicTest(c.name(), () -> {
            var bits = c.on(CPU);
            assertArrayEquals(bits, c.on(CPU));
            assertArrayEquals(bits, c.on(ONE_THREAD));
        }));
    }

    /** -Dinkstone.timings=true prints what each case takes on the CPU: the median of some runs, after as many to warm up. */
    @Test void timings() {
        assumeTrue(Boolean.getBoolean("inkstone.timings"), "skipped: timings are printed only with -Dinkstone.timings=true");
        for (var c : OpCases.all()) {
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
