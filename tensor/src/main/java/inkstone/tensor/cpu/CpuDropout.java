package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.HALF_I;
import static inkstone.tensor.cpu.Lanes.INT;
import static inkstone.tensor.cpu.Lanes.J;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.address;
import static jdk.incubator.vector.VectorOperators.GE;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_I2L;

import inkstone.tensor.Tensor;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;

/** Dropout and its gradient, which makes the same random numbers again. Parallel over ranges. */
final class CpuDropout {
    private static final int GRAIN = 1 << 13, PIECE = 1 << 10;

    private final Workers workers;
    private final Scratch scratch;

    CpuDropout(Workers workers, Scratch scratch) {
        this.workers = workers;
        this.scratch = scratch;
    }

    void dropout(Tensor y, Tensor x, float rate, long key) {
        long to = address(y), from = address(x);
        scratch.reserve(8L * PIECE);
        workers.split(Math.toIntExact(y.shape().elements()), GRAIN, (worker, first, end) -> {
            for (int i = first; i < end; i += PIECE) drop(to + 4L * i, from + 4L * i, i, Math.min(PIECE, end - i), rate, key, scratch.of(worker));
        });
    }

    void gradient(Tensor dx, Tensor dy, float rate, long key) {
        if (dx == null) return;
        long to = address(dx), from = address(dy);
        scratch.reserve(8L * PIECE);
        workers.split(Math.toIntExact(dy.shape().elements()), GRAIN, (worker, first, end) -> {
            long kept = scratch.of(worker) + 4L * PIECE;
            for (int i = first; i < end; i += PIECE) {
                int count = Math.min(PIECE, end - i);
                drop(kept, from + 4L * i, i, count, rate, key, scratch.of(worker));
                CpuRows.add(to + 4L * i, to + 4L * i, kept, count);
            }
        });
    }

    /** y = x / (1 - rate) or 0; the first element is number {@code index} of all, a multiple of 4. {@code words} is scratch for as many ints. */
    private static void drop(long y, long x, int index, int count, float rate, long key, long words) {
        long odd = words + 2L * PIECE;
        RandomWords.fill(words, odd, index / 4, Math.ceilDiv(count, 4), key);
        int least = (int) Math.ceil(rate * 0x1p24);                                    // the upper 24 bits of what is kept are at least this
        float share = 1 - rate;
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body: words 0 and 2, 1 and 3 of a counter in turn
            var first = (LongVector) IntVector.fromMemorySegment(HALF_I, MEMORY, words + 2L * i, ORDER).convertShape(ZERO_EXTEND_I2L, J, 0);
            var second = (LongVector) IntVector.fromMemorySegment(HALF_I, MEMORY, odd + 2L * i, ORDER).convertShape(ZERO_EXTEND_I2L, J, 0);
            var kept = first.or(second.lanewise(LSHL, 32)).reinterpretAsInts().lanewise(LSHR, 8).compare(GE, least).cast(F);
            var scaled = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).div(share);
            FloatVector.zero(F).blend(scaled, kept).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            int word = MEMORY.get(INT, (i % 2 == 0 ? words : odd) + 4L * (i / 2));
            MEMORY.set(FLOAT, y + 4L * i, word >>> 8 >= least ? MEMORY.get(FLOAT, x + 4L * i) / share : 0);
        }
    }
}
