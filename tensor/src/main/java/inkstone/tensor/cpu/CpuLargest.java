package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.Tensor;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** The largest entries of rows, from a heap of the k largest so far with the smallest on top: most of a row is compared with that one alone, a vector at a time. Parallel over rows. */
final class CpuLargest {
    private final Workers workers;

    CpuLargest(Workers workers) { this.workers = workers; }

    void largest(Tensor y, Tensor x) {
        int d = x.shape().last(), k = y.shape().last() / 2;
        long to = address(y), from = address(x);
        workers.split(x.shape().dim(0), CpuRows.rowGrain(d), (worker, first, end) -> {
            var heap = new long[k];
            for (int row = first; row < end; row++) {
                fill(heap, from + 4L * row * d, d);
                Arrays.sort(heap);
                long values = to + 8L * row * k, indices = values + 4L * k;
                for (int j = 0; j < k; j++) {
                    long key = heap[k - 1 - j];
                    MEMORY.set(FLOAT, values + 4L * j, value(key));
                    MEMORY.set(FLOAT, indices + 4L * j, 0xFFFFFFFFL - (key & 0xFFFFFFFFL));
                }
            }
        });
    }

    private static void fill(long[] heap, long row, int d) {
        for (int i = 0; i < heap.length; i++) heap[i] = key(row, i);
        Arrays.sort(heap);                                                            // ascending is a heap
        for (int i = heap.length; (i = above(row, i, d, value(heap[0]))) < d; i += L) {
            for (int j = i; j < Math.min(i + L, d); j++) {
                long key = key(row, j);
                if (key > heap[0]) sink(heap, key);
            }
        }
    }

    /** The first of vectors from {@code i} on that has anything above, or the scalar tail. NaN is not below anything. */
    private static int above(long row, int i, int d, float threshold) {
        while (i <= d - L && FloatVector.fromMemorySegment(F, MEMORY, row + 4L * i, ORDER).compare(VectorOperators.LE, threshold).allTrue()) i += L;
        return i;
    }

    /** In the place of the smallest. */
    private static void sink(long[] heap, long key) {
        int parent = 0;
        for (int child; (child = 2 * parent + 1) < heap.length; parent = child) {
            if (child + 1 < heap.length && heap[child + 1] < heap[child]) child++;
            if (heap[child] >= key) break;
            heap[parent] = heap[child];
        }
        heap[parent] = key;
    }

    /** Orders by value, NaN above all, then by lower index. */
    private static long key(long row, int index) {
        float value = MEMORY.get(FLOAT, row + 4L * index) + 0f;                       // + 0: one zero, not two
        int bits = value != value ? Integer.MAX_VALUE : Float.floatToRawIntBits(value);
        return (long) (bits ^ bits >> 31 & Integer.MAX_VALUE) << 32 | 0xFFFFFFFFL - index;
    }

    private static float value(long key) {
        int order = (int) (key >> 32);
        return Float.intBitsToFloat(order ^ order >> 31 & Integer.MAX_VALUE);
    }
}
