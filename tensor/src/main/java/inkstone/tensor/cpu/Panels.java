package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;

import jdk.incubator.vector.FloatVector;

/**
 * Matrix products from packed panels (after Goto & van de Geijn 2008, "Anatomy of high-performance matrix multiplication"). A panel is [k][{@link #ROWS}] floats: the
 * same k of two vectors' worth of rows lie together, so rows are lanes, and the other operand is broadcast and read in place. All arguments are addresses and strides in bytes.
 */
final class Panels {
    /** Rows in a panel: two vectors. */
    static final int ROWS = 2 * L;
    /**
     * Columns of a tile: 2 x 6 sums, two weights and one activation are 15 registers. 94% of the peak on 512 bits, but 44% on 256 and 128,
     * where there are only 16 registers: probably C2 loads all six activations of a step early and spills.
     */
    static final int COLUMNS = 6;
    /** Bytes of one k of a panel. */
    static final long STEP = 4L * ROWS;

    private Panels() {}

    /**
     * c[m][0 .. ROWS) += sum over k of x[m][k] · panel[k], for m of {@link #COLUMNS} columns. c is loaded first: its cache misses overlap with the loop.
     * A while loop over addresses, because C2 unrolls counted loops and then spills sums where there are 16 registers: 57 instead of 120 GFLOP/s on AVX2 (Zen 5, JDK 25.0.3).
     */
    static void tile(long c, long cStride, long panel, long x, long xStride, int k) {
        long c1 = c + cStride, c2 = c1 + cStride, c3 = c2 + cStride, c4 = c3 + cStride, c5 = c4 + cStride, second = 4 * L;
        long x3 = x + 3 * xStride, xStride2 = 2 * xStride, end = panel + k * STEP;
        var s00 = FloatVector.fromMemorySegment(F, MEMORY, c, ORDER);
        var s01 = FloatVector.fromMemorySegment(F, MEMORY, c + second, ORDER);
        var s10 = FloatVector.fromMemorySegment(F, MEMORY, c1, ORDER);
        var s11 = FloatVector.fromMemorySegment(F, MEMORY, c1 + second, ORDER);
        var s20 = FloatVector.fromMemorySegment(F, MEMORY, c2, ORDER);
        var s21 = FloatVector.fromMemorySegment(F, MEMORY, c2 + second, ORDER);
        var s30 = FloatVector.fromMemorySegment(F, MEMORY, c3, ORDER);
        var s31 = FloatVector.fromMemorySegment(F, MEMORY, c3 + second, ORDER);
        var s40 = FloatVector.fromMemorySegment(F, MEMORY, c4, ORDER);
        var s41 = FloatVector.fromMemorySegment(F, MEMORY, c4 + second, ORDER);
        var s50 = FloatVector.fromMemorySegment(F, MEMORY, c5, ORDER);
        var s51 = FloatVector.fromMemorySegment(F, MEMORY, c5 + second, ORDER);
        while (panel != end) {                                                                                         // body
            var w0 = FloatVector.fromMemorySegment(F, MEMORY, panel, ORDER);
            var w1 = FloatVector.fromMemorySegment(F, MEMORY, panel + second, ORDER);
            var v = FloatVector.broadcast(F, MEMORY.get(FLOAT, x));
            s00 = FMA ? w0.fma(v, s00) : w0.mul(v).add(s00);
            s01 = FMA ? w1.fma(v, s01) : w1.mul(v).add(s01);
            v = FloatVector.broadcast(F, MEMORY.get(FLOAT, x + xStride));
            s10 = FMA ? w0.fma(v, s10) : w0.mul(v).add(s10);
            s11 = FMA ? w1.fma(v, s11) : w1.mul(v).add(s11);
            v = FloatVector.broadcast(F, MEMORY.get(FLOAT, x + xStride2));
            s20 = FMA ? w0.fma(v, s20) : w0.mul(v).add(s20);
            s21 = FMA ? w1.fma(v, s21) : w1.mul(v).add(s21);
            v = FloatVector.broadcast(F, MEMORY.get(FLOAT, x3));
            s30 = FMA ? w0.fma(v, s30) : w0.mul(v).add(s30);
            s31 = FMA ? w1.fma(v, s31) : w1.mul(v).add(s31);
            v = FloatVector.broadcast(F, MEMORY.get(FLOAT, x3 + xStride));
            s40 = FMA ? w0.fma(v, s40) : w0.mul(v).add(s40);
            s41 = FMA ? w1.fma(v, s41) : w1.mul(v).add(s41);
            v = FloatVector.broadcast(F, MEMORY.get(FLOAT, x3 + xStride2));
            s50 = FMA ? w0.fma(v, s50) : w0.mul(v).add(s50);
            s51 = FMA ? w1.fma(v, s51) : w1.mul(v).add(s51);
            panel += STEP;
            x += 4;
            x3 += 4;
        }
        s00.intoMemorySegment(MEMORY, c, ORDER);
        s01.intoMemorySegment(MEMORY, c + second, ORDER);
        s10.intoMemorySegment(MEMORY, c1, ORDER);
        s11.intoMemorySegment(MEMORY, c1 + second, ORDER);
        s20.intoMemorySegment(MEMORY, c2, ORDER);
        s21.intoMemorySegment(MEMORY, c2 + second, ORDER);
        s30.intoMemorySegment(MEMORY, c3, ORDER);
        s31.intoMemorySegment(MEMORY, c3 + second, ORDER);
        s40.intoMemorySegment(MEMORY, c4, ORDER);
        s41.intoMemorySegment(MEMORY, c4 + second, ORDER);
        s50.intoMemorySegment(MEMORY, c5, ORDER);
        s51.intoMemorySegment(MEMORY, c5 + second, ORDER);
    }

    /** panel[k][r] = source[r][k] for {@code rows} rows of floats, at most {@link #ROWS}; other lanes keep what they held, which touches no result but their own. */
    static void transpose(long panel, long source, long stride, int rows, int k) {
        for (int from = 0; from < k; from += 64) {                                                                     // 64 k of all rows: what is written stays in L1
            int to = Math.min(k, from + 64);
            for (int r = 0; r < rows; r++) {
                long row = source + r * stride, lane = panel + 4L * r;
                for (int i = from; i < to; i++) MEMORY.set(FLOAT, lane + i * STEP, MEMORY.get(FLOAT, row + 4L * i));
            }
        }
    }

    /** panel[k][r] = source[k][r]: {@code k} rows of which the panel takes {@code width} floats each, at most {@link #ROWS}. */
    static void slice(long panel, long source, long stride, int width, int k) {
        for (int i = 0; i < k; i++, panel += STEP, source += stride) {
            if (width == ROWS) {
                FloatVector.fromMemorySegment(F, MEMORY, source, ORDER).intoMemorySegment(MEMORY, panel, ORDER);
                FloatVector.fromMemorySegment(F, MEMORY, source + 4 * L, ORDER).intoMemorySegment(MEMORY, panel + 4 * L, ORDER);
            } else {
                for (int r = 0; r < width; r++) MEMORY.set(FLOAT, panel + 4L * r, MEMORY.get(FLOAT, source + 4L * r));
            }
        }
    }
}
