package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** What touches every element once and is limited by memory: lookups, sums, norms, rotations, copies. Parallel over rows or ranges. */
final class CpuRows {
    /* Elements worth a thread's waking: some 10 microseconds from cache. */
    private static final int GRAIN = 1 << 15;
    /* Elements that tasks share a row by: whole blocks of every format that rows are stored in. */
    private static final int BLOCKS = 64;

    private final Workers workers;
    private final Scratch scratch;

    CpuRows(Workers workers, Scratch scratch) {
        this.workers = workers;
        this.scratch = scratch;
    }

    static int rowGrain(int width) { return Math.max(1, GRAIN / width); }

    void embedding(Tensor y, Tensor tokens, Tensor table) {
        int dim = table.shape().last();
        long to = address(y), from = address(table), rowBytes = table.dtype().bytes(dim);
        var rows = Indices.of("embedding: token", tokens, table.shape().dim(0));
        var expand = Expand.of(table.dtype());
        workers.split(rows.count(), rowGrain(dim), (worker, first, end) -> {
            for (int i = first; i < end; i++) expand.row(from + rows.at(i) * rowBytes, to + 4L * i * dim, dim, scratch.lanes(worker));
        });
    }

    void add(Tensor y, Tensor a, Tensor b) {
        long to = address(y), left = address(a), right = address(b);
        workers.split(Math.toIntExact(y.shape().elements()), GRAIN, (worker, from, end) -> add(to + 4L * from, left + 4L * from, right + 4L * from, end - from));
    }

    /** y = a + b; y may be a. */
    static void add(long y, long a, long b, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var sum = FloatVector.fromMemorySegment(F, MEMORY, a + 4L * i, ORDER).add(FloatVector.fromMemorySegment(F, MEMORY, b + 4L * i, ORDER));
            sum.intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, y + 4L * i, MEMORY.get(FLOAT, a + 4L * i) + MEMORY.get(FLOAT, b + 4L * i));  // scalar tail
    }

    void rmsNorm(Tensor y, Tensor x, Tensor weight, float eps) {
        int d = x.shape().last();
        long to = address(y), from = address(x), scale = address(weight);
        workers.split(x.shape().rows(), rowGrain(d), (worker, first, end) -> {
            for (int r = first; r < end; r++) {
                float inverse = (float) (1 / Math.sqrt(squares(from + 4L * r * d, d, scratch.lanes(worker)) / (double) d + eps));
                scale(to + 4L * r * d, from + 4L * r * d, scale, inverse, d);
            }
        });
    }

    /** The sum of x². */
    static float squares(long x, int count, long lanes) {
        var sum0 = FloatVector.zero(F);
        var sum1 = FloatVector.zero(F);
        int i = 0;
        for (int end = count - 2 * L; i <= end; i += 2 * L) {                                                         // body
            var x0 = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER);
            var x1 = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * (i + L), ORDER);
            sum0 = FMA ? x0.fma(x0, sum0) : x0.mul(x0).add(sum0);
            sum1 = FMA ? x1.fma(x1, sum1) : x1.mul(x1).add(sum1);
        }
        sum0.add(sum1).intoMemorySegment(MEMORY, lanes, ORDER);                                                       // reduce
        float sum = Lanes.sum(lanes);
        for (; i < count; i++) sum += MEMORY.get(FLOAT, x + 4L * i) * MEMORY.get(FLOAT, x + 4L * i);                  // scalar tail
        return sum;
    }

    /** Pieces of a fixed length, added in order. */
    void sumOfSquares(Tensor y, Tensor x) {
        long from = address(x);
        int count = Math.toIntExact(x.shape().elements());
        var parts = new double[Math.ceilDiv(count, GRAIN)];
        workers.run(parts.length, (worker, part) -> parts[part] = squares(from + 4L * part * GRAIN, Math.min(GRAIN, count - part * GRAIN), scratch.lanes(worker)));
        double sum = 0;
        for (double part : parts) sum += part;
        MEMORY.set(FLOAT, address(y), (float) sum);
    }

    /** y = x · factor · weight */
    private static void scale(long y, long x, long weight, float factor, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var scaled = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).mul(factor);
            scaled.mul(FloatVector.fromMemorySegment(F, MEMORY, weight + 4L * i, ORDER)).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, y + 4L * i, MEMORY.get(FLOAT, x + 4L * i) * factor * MEMORY.get(FLOAT, weight + 4L * i));  // scalar tail
    }

    /** Two passes: of x² - mean² little is left where the mean is large. */
    void layerNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, float eps) {
        int d = x.shape().last(), heads = weight == null ? 1 : weight.shape().rows();
        long to = address(y), from = address(x), scale = weight == null ? 0 : address(weight), shift = bias == null ? 0 : address(bias);
        workers.split(x.shape().rows(), rowGrain(d), (worker, first, end) -> {
            for (int r = first; r < end; r++) {
                long row = to + 4L * r * d, head = 4L * (r % heads) * d, lanes = scratch.lanes(worker);
                centre(row, from + 4L * r * d, d, lanes);
                float inverse = (float) (1 / Math.sqrt(squares(row, d, lanes) / (double) d + eps));
                if (scale == 0) CpuActivations.scale(row, row, inverse, d); else scale(row, row, scale + head, inverse, d);
                if (shift != 0) add(row, row, shift + head, d);
            }
        });
    }

    /** y = x - mean(x) */
    static void centre(long y, long x, int count, long lanes) {
        var sums = FloatVector.zero(F);
        int i = 0;
        for (int end = count - L; i <= end; i += L) sums = sums.add(FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER));   // body
        sums.intoMemorySegment(MEMORY, lanes, ORDER);                                                                 // reduce
        float sum = Lanes.sum(lanes);
        for (; i < count; i++) sum += MEMORY.get(FLOAT, x + 4L * i);                                                  // scalar tail
        float mean = sum / count;
        i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).sub(mean).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, y + 4L * i, MEMORY.get(FLOAT, x + 4L * i) - mean);                   // scalar tail
    }

    void swiglu(Tensor y, Tensor gate, Tensor up) {
        long to = address(y), z = address(gate), factor = address(up);
        int piece = 1024;                                                              // the exponentials are read back from the first-level cache
        workers.split(Math.toIntExact(y.shape().elements()), GRAIN / 4, (worker, from, end) -> {
            for (int i = from; i < end; i += piece) swiglu(to + 4L * i, z + 4L * i, factor + 4L * i, Math.min(piece, end - i), scratch.lanes(worker));
        });
    }

    private static void swiglu(long y, long gate, long up, int count, long lanes) {
        Exponential.exp(y, gate, count, -1, 0, lanes);
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var silu = FloatVector.fromMemorySegment(F, MEMORY, gate + 4L * i, ORDER).div(FloatVector.fromMemorySegment(F, MEMORY, y + 4L * i, ORDER).add(1));
            silu.mul(FloatVector.fromMemorySegment(F, MEMORY, up + 4L * i, ORDER)).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            MEMORY.set(FLOAT, y + 4L * i, MEMORY.get(FLOAT, gate + 4L * i) / (MEMORY.get(FLOAT, y + 4L * i) + 1) * MEMORY.get(FLOAT, up + 4L * i));
        }
    }

    void scatterRows(Tensor cache, Tensor x, Tensor slots) {
        int d = x.shape().last();
        long to = address(cache), from = address(x);
        var rows = Indices.of("scatterRows: slot", slots, cache.shape().rows());
        var store = Store.of(cache.dtype());
        int share = GRAIN / Math.max(1, rows.count()) / BLOCKS * BLOCKS;
        // every task takes all rows in order: of two rows for one slot the last stays
        workers.split(d, Math.max(BLOCKS, share), (worker, first, end) -> {
            for (int i = 0; i < rows.count(); i++) {
                store.row(to + cache.dtype().bytes((long) rows.at(i) * d) + cache.dtype().bytes(first), from + 4L * ((long) i * d + first), end - first);
            }
        });
    }

    void gatherRows(Tensor y, Tensor x, Tensor rows) {
        int d = x.shape().last();
        long to = address(y), from = address(x);
        var indices = Indices.of("gatherRows: row", rows, x.shape().dim(0));
        for (int i = 0; i < indices.count(); i++) MemorySegment.copy(MEMORY, from + 4L * indices.at(i) * d, MEMORY, to + 4L * i * d, 4L * d);
    }

    void concat(Tensor y, Tensor a, Tensor b) {
        int n = y.shape().dim(0);
        long to = address(y), left = 4L * a.shape().last(), right = 4L * b.shape().last(), first = address(a), second = address(b);
        for (int r = 0; r < n; r++) {
            MemorySegment.copy(MEMORY, first + r * left, MEMORY, to + r * (left + right), left);
            MemorySegment.copy(MEMORY, second + r * right, MEMORY, to + r * (left + right) + left, right);
        }
    }

    void columns(Tensor y, Tensor x, int from) {
        long to = address(y), width = 4L * y.shape().last(), source = address(x) + 4L * from, row = 4L * x.shape().last();
        for (int r = 0; r < y.shape().dim(0); r++) MemorySegment.copy(MEMORY, source + r * row, MEMORY, to + r * width, width);
    }
}
