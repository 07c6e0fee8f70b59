package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

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

    /* Four lanes, which change places with their neighbour or by halves: 0.11 ns a weight on every width. Choosing from two vectors at once (selectFrom): 0.14 to 0.21. */
    private static final VectorSpecies<Float> QUAD = FloatVector.SPECIES_128;
    private static final VectorShuffle<Float> NEIGHBOURS = VectorShuffle.fromValues(QUAD, 1, 0, 3, 2), HALVES = VectorShuffle.fromValues(QUAD, 2, 3, 0, 1);
    private static final VectorMask<Float> SECOND = VectorMask.fromLong(QUAD, 0b1010), UPPER = VectorMask.fromLong(QUAD, 0b1100);

    private Panels() {}

    /**
     * c[m][0 .. ROWS) = start[m][0 .. ROWS) + sum over k of x[m][k] · panel[k], for m of {@link #COLUMNS} columns; start may be c, or one row for all columns with a
     * stride of 0. It is loaded first: its cache misses overlap with the loop. x[m][k] lies at x + m · xStride + k · xStep.
     * A while loop over addresses, because C2 unrolls counted loops and then spills sums where there are 16 registers: 57 instead of 120 GFLOP/s on AVX2 (Zen 5, JDK 25.0.3).
     */
    static void tile(long c, long cStride, long start, long startStride, long panel, long x, long xStride, long xStep, int k) {
        long second = 4 * L, x3 = x + 3 * xStride, xStride2 = 2 * xStride, end = panel + k * STEP;
        var s00 = FloatVector.fromMemorySegment(F, MEMORY, start, ORDER);
        var s01 = FloatVector.fromMemorySegment(F, MEMORY, start + second, ORDER);
        start += startStride;
        var s10 = FloatVector.fromMemorySegment(F, MEMORY, start, ORDER);
        var s11 = FloatVector.fromMemorySegment(F, MEMORY, start + second, ORDER);
        start += startStride;
        var s20 = FloatVector.fromMemorySegment(F, MEMORY, start, ORDER);
        var s21 = FloatVector.fromMemorySegment(F, MEMORY, start + second, ORDER);
        start += startStride;
        var s30 = FloatVector.fromMemorySegment(F, MEMORY, start, ORDER);
        var s31 = FloatVector.fromMemorySegment(F, MEMORY, start + second, ORDER);
        start += startStride;
        var s40 = FloatVector.fromMemorySegment(F, MEMORY, start, ORDER);
        var s41 = FloatVector.fromMemorySegment(F, MEMORY, start + second, ORDER);
        start += startStride;
        var s50 = FloatVector.fromMemorySegment(F, MEMORY, start, ORDER);
        var s51 = FloatVector.fromMemorySegment(F, MEMORY, start + second, ORDER);
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
            x += xStep;
            x3 += xStep;
        }
        s00.intoMemorySegment(MEMORY, c, ORDER);
        s01.intoMemorySegment(MEMORY, c + second, ORDER);
        c += cStride;
        s10.intoMemorySegment(MEMORY, c, ORDER);
        s11.intoMemorySegment(MEMORY, c + second, ORDER);
        c += cStride;
        s20.intoMemorySegment(MEMORY, c, ORDER);
        s21.intoMemorySegment(MEMORY, c + second, ORDER);
        c += cStride;
        s30.intoMemorySegment(MEMORY, c, ORDER);
        s31.intoMemorySegment(MEMORY, c + second, ORDER);
        c += cStride;
        s40.intoMemorySegment(MEMORY, c, ORDER);
        s41.intoMemorySegment(MEMORY, c + second, ORDER);
        c += cStride;
        s50.intoMemorySegment(MEMORY, c, ORDER);
        s51.intoMemorySegment(MEMORY, c + second, ORDER);
    }

    /**
     * panel[k][r] = source[r][k] for {@code rows} rows of floats, at most {@link #ROWS}; other lanes keep what they held, which touches no result but their own.
     * Squares of 4 x 4 change sides in registers: half the loads and a quarter of the stores of a loop over single floats.
     */
    static void transpose(long panel, long source, long stride, int rows, int k) {
        int r = 0;
        for (; r <= rows - 4; r += 4) {                                                                                // body
            long row = source + r * stride, to = panel + 4L * r;
            int i = 0;
            for (; i <= k - 4; i += 4, to += 4 * STEP) {
                long from = row + 4L * i;
                var a = FloatVector.fromMemorySegment(QUAD, MEMORY, from, ORDER);
                var b = FloatVector.fromMemorySegment(QUAD, MEMORY, from + stride, ORDER);
                var c = FloatVector.fromMemorySegment(QUAD, MEMORY, from + 2 * stride, ORDER);
                var d = FloatVector.fromMemorySegment(QUAD, MEMORY, from + 3 * stride, ORDER);
                var ab0 = a.blend(b.rearrange(NEIGHBOURS), SECOND);                                                    // a0 b0 a2 b2
                var ab1 = a.rearrange(NEIGHBOURS).blend(b, SECOND);                                                    // a1 b1 a3 b3
                var cd0 = c.blend(d.rearrange(NEIGHBOURS), SECOND);
                var cd1 = c.rearrange(NEIGHBOURS).blend(d, SECOND);
                ab0.blend(cd0.rearrange(HALVES), UPPER).intoMemorySegment(MEMORY, to, ORDER);                          // a0 b0 c0 d0
                ab1.blend(cd1.rearrange(HALVES), UPPER).intoMemorySegment(MEMORY, to + STEP, ORDER);
                ab0.rearrange(HALVES).blend(cd0, UPPER).intoMemorySegment(MEMORY, to + 2 * STEP, ORDER);               // a2 b2 c2 d2
                ab1.rearrange(HALVES).blend(cd1, UPPER).intoMemorySegment(MEMORY, to + 3 * STEP, ORDER);
            }
            for (; i < k; i++, to += STEP) for (int q = 0; q < 4; q++) MEMORY.set(FLOAT, to + 4L * q, MEMORY.get(FLOAT, row + q * stride + 4L * i));
        }
        for (; r < rows; r++) for (int i = 0; i < k; i++) MEMORY.set(FLOAT, panel + 4L * r + i * STEP, MEMORY.get(FLOAT, source + r * stride + 4L * i));  // scalar tail
    }

    /** panel[k][r] = source[k][r]: {@code k} rows of which the panel takes {@code width} floats each, at most {@link #ROWS}. */
    static void slice(long panel, long source, long stride, int width, int k) {
        for (int i = 0; i < k; i++, panel += STEP, source += stride) spread(panel, 0, source, width);
    }

    /** panel[r / ROWS][r mod ROWS] = row[r]: one k of all panels, {@code panelBytes} apart, from a row of {@code width} floats. Lanes beyond the last keep what they held. */
    static void spread(long panel, long panelBytes, long row, int width) {
        int r = 0;
        for (; r <= width - ROWS; r += ROWS, panel += panelBytes, row += STEP) {                                       // body
            FloatVector.fromMemorySegment(F, MEMORY, row, ORDER).intoMemorySegment(MEMORY, panel, ORDER);
            FloatVector.fromMemorySegment(F, MEMORY, row + 4 * L, ORDER).intoMemorySegment(MEMORY, panel + 4 * L, ORDER);
        }
        if (r <= width - L) {                                                                                          // vector tail
            FloatVector.fromMemorySegment(F, MEMORY, row, ORDER).intoMemorySegment(MEMORY, panel, ORDER);
            r += L;
            panel += 4 * L;
            row += 4 * L;
        }
        for (; r < width; r++, panel += 4, row += 4) MEMORY.set(FLOAT, panel, MEMORY.get(FLOAT, row));                 // scalar tail
    }

    /**
     * to[m / COLUMNS][k][m mod COLUMNS] = source[k][m] for {@code columns} columns m, zeros where the last group has no more: the columns of a matrix as a tile broadcasts
     * them, without a cache line and a page for every k.
     */
    static void interleave(long to, long source, long stride, int columns, int k) {
        long step = 4L * COLUMNS, group = k * step;
        int whole = columns / COLUMNS * COLUMNS;
        for (int i = 0; i < k; i++, source += stride, to += step) {
            long from = source, target = to;
            for (long end = source + 4L * whole; from != end; from += step, target += group) {                         // body: six floats as two fours
                FloatVector.fromMemorySegment(QUAD, MEMORY, from, ORDER).intoMemorySegment(MEMORY, target, ORDER);
                FloatVector.fromMemorySegment(QUAD, MEMORY, from + 8, ORDER).intoMemorySegment(MEMORY, target + 8, ORDER);
            }
            if (whole < columns) for (int m = 0; m < COLUMNS; m++) MEMORY.set(FLOAT, target + 4L * m, whole + m < columns ? MEMORY.get(FLOAT, from + 4L * m) : 0);
        }
    }
}
