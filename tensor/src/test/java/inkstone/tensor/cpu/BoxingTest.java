package inkstone.tensor.cpu;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * Products of one row, as an answer is written with, leave no garbage once they are compiled. A vector that C2 cannot keep in a register becomes an object at every use,
 * hundreds of thousands a token, and the product runs at a third of its speed or less. It happens in a JVM in which vectors of several lengths were at work, so prompts are read
 * before, and where a method is too large for C1, so that C2 never gets it (SPEED.md tells of both).
 */
class BoxingTest {
    private static final int IN = 2048, OUT = 64;
    /** A call's own objects: the task, the product's record. One boxed vector of every block of a call would take 40 KB. */
    private static final long ALLOWED = 4096;
    private static final List<DType> FORMATS = List.of(DType.F16, DType.Q8_0, DType.Q4_0, DType.Q5_0, DType.Q4_K, DType.Q5_K, DType.Q6_K, DType.Q4_1);

    @Test void productsOfOneRowAllocateNothingAfterAPrompt() {
        try (var arena = Arena.ofConfined(); var backend = new CpuBackend(1)) {
            var weights = new LinkedHashMap<DType, Tensor>();
            for (var format : FORMATS) weights.put(format, Tensor.of(format, arena.allocate(format.bytes((long) IN * OUT), 64), OUT, IN));
            for (int rows : new int[] {16, 3, 2}) {
                for (var weight : weights.values()) for (int i = 0; i < 8; i++) multiply(backend, arena, weight, rows);
            }
            var left = new LinkedHashMap<>(weights);
            for (long end = System.nanoTime() + 90_000_000_000L; !left.isEmpty() && System.nanoTime() < end; ) {
                left.values().removeIf(weight -> allocated(backend, arena, weight) < ALLOWED);
            }
            assertTrue(left.isEmpty(), () -> "bytes a call that products of one row still allocate: " + bytes(backend, arena, left));
        }
    }

    private static Map<DType, Long> bytes(CpuBackend backend, Arena arena, Map<DType, Tensor> weights) {
        var bytes = new LinkedHashMap<DType, Long>();
        weights.forEach((format, weight) -> bytes.put(format, allocated(backend, arena, weight)));
        return bytes;
    }

    /** Bytes that one of ten calls allocates. */
    private static long allocated(CpuBackend backend, Arena arena, Tensor weight) {
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        var x = Tensor.of(DType.F32, arena.allocate(4L * IN, 64), 1, IN);
        var y = Tensor.of(DType.F32, arena.allocate(4L * OUT, 64), 1, OUT);
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < 10; i++) backend.kernels().linear(y, x, weight, null);
        return (threads.getCurrentThreadAllocatedBytes() - before) / 10;
    }

    private static void multiply(CpuBackend backend, Arena arena, Tensor weight, int rows) {
        MemorySegment x = arena.allocate(4L * rows * IN, 64), y = arena.allocate(4L * rows * OUT, 64);
        backend.kernels().linear(Tensor.of(DType.F32, y, rows, OUT), Tensor.of(DType.F32, x, rows, IN), weight, null);
    }
}
