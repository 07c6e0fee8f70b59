package inkstone.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.cuda.CudaBackend;
import inkstone.tensor.cuda.CudaFailure;
import inkstone.tensor.cuda.StandIn;
import inkstone.tensor.reference.ReferenceBackend;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/**
 * Every case of {@link OpCases} on a GPU, or on the stand-in for one, there in two orders of the threads, whose results must have the same bits; on a GPU twice. Every tensor lies in
 * memory of its own, before forbidden addresses. {@code -Dinkstone.cases=NAME,..} runs the cases whose name begins so. The build runs those of few elements again on kernels that are
 * watched for undefined behaviour ({@code -Dinkstone.cuda=checked}).
 */
@Tag("kernels")
class CudaOpCasesTest {
    /** Forward and backward: of any two lanes, warps or blocks each comes first once. */
    private static final int[] ORDERS = {0, 1};
    /** Watched kernels are a few times slower, and what the sanitizer finds it finds in small cases. */
    private static final int MOST_CHECKED_ELEMENTS = 60_000;

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

    @TestFactory Stream<DynamicTest> cudaEqualsReference() {
        return cases().map(c -> DynamicTest.dynamicTest(c.name(), () -> {
            float[] first = null;
            for (int order : ORDERS) {
                float[] actual = inOrder(order, () -> {
                    try (var memory = new Apart(cuda, true); var scope = Scope.apart(memory, false)) {
                        return c.on(scope);
                    }
                });
                if (first != null) assertArrayEquals(first, actual, "results depend on the order of threads");
                first = actual;
                if (StandIn.isChecked()) break;
            }
            double error = OpCase.normalisedError(c.on(reference), first), allowed = c.cudaTolerance();
            assertTrue(error <= allowed, () -> "%s: normalised mean squared error %.2e, allowed %.0e".formatted(c.name(), error, allowed));
        }));
    }

    @TestFactory Stream<DynamicTest> cudaGradientsEqualReference() {
        return cases().filter(c -> c.learns() != OpCase.Learns.NOTHING).map(c -> DynamicTest.dynamicTest(c.name(), () -> {
            List<float[]> first = null;
            for (int order : ORDERS) {
                var actual = inOrder(order, () -> {
                    try (var gradients = new Apart(cuda, false); var memory = new Apart(cuda, true); var scope = Scope.apart(memory, true)) {
                        return c.gradients(gradients, scope, -1, null).byInput();
                    }
                });
                for (int i = 0; first != null && i < first.size(); i++) assertArrayEquals(first.get(i), actual.get(i), "gradients depend on the order of threads: input " + i);
                first = actual;
                if (StandIn.isChecked()) break;
            }
            List<float[]> expected;
            try (var scope = Scope.training(reference)) {
                expected = c.gradients(reference, scope, -1, null).byInput();
            }
            for (int i = 0; i < expected.size(); i++) {
                if (!c.learns(i)) continue;
                double error = OpCase.normalisedError(expected.get(i), first.get(i)), allowed = Math.max(1e-9, c.cudaTolerance());
                int input = i;
                assertTrue(error <= allowed, () -> "%s: normalised mean squared error of the gradient of input %d: %.2e, allowed %.0e".formatted(c.name(), input, error, allowed));
            }
        }));
    }

    private static Stream<OpCase> cases() {
        return OpCases.asked().stream().filter(c -> !StandIn.isChecked() || c.elements() < MOST_CHECKED_ELEMENTS);
    }

    /** Runs on a device as it is, on the stand-in with the threads in this order; there a fault says what happened, and the next case begins anew. */
    private static <T> T inOrder(int order, Supplier<T> run) {
        if (StandIn.isDevice()) return run.get();
        StandIn.order(order);
        try {
            return run.get();
        } catch (CudaFailure e) {
            var fault = StandIn.fault();
            StandIn.reset();
            if (fault.isEmpty()) throw e;
            throw new AssertionError(fault, e);
        } finally {
            StandIn.order(0);
        }
    }
}
