package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.INT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static jdk.incubator.vector.VectorOperators.GT;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Products of a few query columns with rows of keys and values that lie as they are, for attention of few rows. Panels would have to be made of every key and value for
 * at most a handful of columns. Rows are few as well, so that they and all that is made of them stay in the first-level cache. A column's sums have one order whatever
 * the number of columns, so it does not depend on its neighbours. All arguments are addresses and strides in bytes but for counts.
 */
final class RowTiles {
    /** Rows of keys in a call of {@link #dots}. */
    static final int ROWS = 4;
    /** Columns that share a load of a row. */
    private static final int COLUMNS = 4;
    /** Floats that a row of keys must be a multiple of, with zeros behind the last of its queries. */
    static final int KEY_STEP = L;
    /** Floats that a column of {@link #mix} takes a multiple of; as many may be read behind the last value row. */
    static final int VALUE_STEP = 4 * L;
    /** Bytes of scratch for each column of {@link #dots}. */
    static final long LANES = 4L * ROWS * L;

    private static final VectorSpecies<Float> QUAD = FloatVector.SPECIES_128;
    private static final VectorShuffle<Float> NEIGHBOURS = VectorShuffle.fromValues(QUAD, 1, 0, 3, 2), HALVES = VectorShuffle.fromValues(QUAD, 2, 3, 0, 1);
    private static final VectorMask<Float> SECOND = VectorMask.fromLong(QUAD, 0b1010), UPPER = VectorMask.fromLong(QUAD, 0b1100);

    private RowTiles() {}

    /**
     * scores[head][c][i] = x[head][c] · rows[i][head] over {@code dims} floats for {@link #ROWS} rows, {@code stride} apart, of {@code heads} heads, each with
     * {@code columns} columns. Heads, and columns, of x are {@code dims} floats long. {@code lanes} is scratch of {@link #LANES} bytes for each column of each head.
     */
    static void dots(long scores, long scoreStride, long rows, long stride, long x, int heads, int columns, int dims, long lanes) {
        long next = 4L * dims;
        for (int c = 0; c < columns; c += COLUMNS) {
            long to = lanes + c * LANES, from = x + c * next;
            switch (columns - c) {
                case 1 -> one(to, rows, stride, from, heads, columns, dims);
                case 2 -> two(to, rows, stride, from, heads, columns, dims);
                case 3 -> four(to, rows, stride, from, heads, columns, dims, 2);
                default -> four(to, rows, stride, from, heads, columns, dims, 3);
            }
        }
        sums(scores, scoreStride, lanes, heads * columns);
    }

    /** Lanes of [column][row], each a vector that is still to be summed. */
    private static void one(long lanes, long rows, long stride, long x, int heads, int columns, int dims) {
        long next = 4 * L, skip = 4L * (columns - 1) * dims, row1 = stride, row2 = 2 * stride, row3 = 3 * stride;
        for (long end = rows + 4L * heads * dims; rows != end; x += skip, lanes += columns * LANES) {
            FloatVector s0 = FloatVector.zero(F), s1 = s0, s2 = s0, s3 = s0;
            for (long headEnd = rows + 4L * dims; rows != headEnd; rows += next, x += next) {                         // body
                var v = FloatVector.fromMemorySegment(F, MEMORY, x, ORDER);
                var w0 = FloatVector.fromMemorySegment(F, MEMORY, rows, ORDER);
                var w1 = FloatVector.fromMemorySegment(F, MEMORY, rows + row1, ORDER);
                var w2 = FloatVector.fromMemorySegment(F, MEMORY, rows + row2, ORDER);
                var w3 = FloatVector.fromMemorySegment(F, MEMORY, rows + row3, ORDER);
                s0 = FMA ? w0.fma(v, s0) : w0.mul(v).add(s0);
                s1 = FMA ? w1.fma(v, s1) : w1.mul(v).add(s1);
                s2 = FMA ? w2.fma(v, s2) : w2.mul(v).add(s2);
                s3 = FMA ? w3.fma(v, s3) : w3.mul(v).add(s3);
            }
            s0.intoMemorySegment(MEMORY, lanes, ORDER);
            s1.intoMemorySegment(MEMORY, lanes + next, ORDER);
            s2.intoMemorySegment(MEMORY, lanes + 2 * next, ORDER);
            s3.intoMemorySegment(MEMORY, lanes + 3 * next, ORDER);
        }
    }

    private static void two(long lanes, long rows, long stride, long x, int heads, int columns, int dims) {
        long next = 4 * L, apart = 4L * dims, skip = (columns - 1) * apart, row1 = stride, row2 = 2 * stride, row3 = 3 * stride;
        for (long end = rows + 4L * heads * dims; rows != end; x += skip, lanes += columns * LANES) {
            FloatVector a0 = FloatVector.zero(F), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
            for (long headEnd = rows + 4L * dims; rows != headEnd; rows += next, x += next) {                         // body
                var va = FloatVector.fromMemorySegment(F, MEMORY, x, ORDER);
                var vb = FloatVector.fromMemorySegment(F, MEMORY, x + apart, ORDER);
                var w0 = FloatVector.fromMemorySegment(F, MEMORY, rows, ORDER);
                var w1 = FloatVector.fromMemorySegment(F, MEMORY, rows + row1, ORDER);
                a0 = FMA ? w0.fma(va, a0) : w0.mul(va).add(a0);
                b0 = FMA ? w0.fma(vb, b0) : w0.mul(vb).add(b0);
                a1 = FMA ? w1.fma(va, a1) : w1.mul(va).add(a1);
                b1 = FMA ? w1.fma(vb, b1) : w1.mul(vb).add(b1);
                w0 = FloatVector.fromMemorySegment(F, MEMORY, rows + row2, ORDER);
                w1 = FloatVector.fromMemorySegment(F, MEMORY, rows + row3, ORDER);
                a2 = FMA ? w0.fma(va, a2) : w0.mul(va).add(a2);
                b2 = FMA ? w0.fma(vb, b2) : w0.mul(vb).add(b2);
                a3 = FMA ? w1.fma(va, a3) : w1.mul(va).add(a3);
                b3 = FMA ? w1.fma(vb, b3) : w1.mul(vb).add(b3);
            }
            a0.intoMemorySegment(MEMORY, lanes, ORDER);
            a1.intoMemorySegment(MEMORY, lanes + next, ORDER);
            a2.intoMemorySegment(MEMORY, lanes + 2 * next, ORDER);
            a3.intoMemorySegment(MEMORY, lanes + 3 * next, ORDER);
            b0.intoMemorySegment(MEMORY, lanes + LANES, ORDER);
            b1.intoMemorySegment(MEMORY, lanes + LANES + next, ORDER);
            b2.intoMemorySegment(MEMORY, lanes + LANES + 2 * next, ORDER);
            b3.intoMemorySegment(MEMORY, lanes + LANES + 3 * next, ORDER);
        }
    }

    /** @param last number of the last column: 3, or 2 where there are three, which is then computed twice and stored twice */
    private static void four(long lanes, long rows, long stride, long x, int heads, int columns, int dims, int last) {
        long next = 4 * L, b = 4L * dims, c = 2 * b, d = last * b, skip = (columns - 1) * b, end = rows + heads * b, lanesC = 2 * LANES, lanesD = last * LANES;
        for (long second = rows + 2 * stride; rows != end; x += skip, lanes += columns * LANES) {
            for (long row = rows, head = lanes; ; row = second, head = lanes + 2 * next) {                            // two pairs of rows
                FloatVector a0 = FloatVector.zero(F), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
                long xi = x, other = row + stride;
                for (long xEnd = x + b; xi != xEnd; xi += next, row += next, other += next) {                         // body
                    var w0 = FloatVector.fromMemorySegment(F, MEMORY, row, ORDER);
                    var w1 = FloatVector.fromMemorySegment(F, MEMORY, other, ORDER);
                    var v = FloatVector.fromMemorySegment(F, MEMORY, xi, ORDER);
                    a0 = FMA ? w0.fma(v, a0) : w0.mul(v).add(a0);
                    a1 = FMA ? w1.fma(v, a1) : w1.mul(v).add(a1);
                    v = FloatVector.fromMemorySegment(F, MEMORY, xi + b, ORDER);
                    b0 = FMA ? w0.fma(v, b0) : w0.mul(v).add(b0);
                    b1 = FMA ? w1.fma(v, b1) : w1.mul(v).add(b1);
                    v = FloatVector.fromMemorySegment(F, MEMORY, xi + c, ORDER);
                    c0 = FMA ? w0.fma(v, c0) : w0.mul(v).add(c0);
                    c1 = FMA ? w1.fma(v, c1) : w1.mul(v).add(c1);
                    v = FloatVector.fromMemorySegment(F, MEMORY, xi + d, ORDER);
                    d0 = FMA ? w0.fma(v, d0) : w0.mul(v).add(d0);
                    d1 = FMA ? w1.fma(v, d1) : w1.mul(v).add(d1);
                }
                a0.intoMemorySegment(MEMORY, head, ORDER);
                a1.intoMemorySegment(MEMORY, head + next, ORDER);
                b0.intoMemorySegment(MEMORY, head + LANES, ORDER);
                b1.intoMemorySegment(MEMORY, head + LANES + next, ORDER);
                c0.intoMemorySegment(MEMORY, head + lanesC, ORDER);
                c1.intoMemorySegment(MEMORY, head + lanesC + next, ORDER);
                d0.intoMemorySegment(MEMORY, head + lanesD, ORDER);
                d1.intoMemorySegment(MEMORY, head + lanesD + next, ORDER);
                if (head != lanes) break;
            }
            rows += b;
            second += b;
            x += b;
        }
    }

    /** scores[column][i] = sum of the lanes of [column][i]. Four at once change sides as in {@link Panels#transpose}, adding instead of keeping both. */
    static void sums(long scores, long scoreStride, long lanes, int columns) {
        for (long end = lanes + columns * LANES; lanes != end; lanes += LANES, scores += scoreStride) {
            var a = FloatVector.fromMemorySegment(QUAD, MEMORY, lanes, ORDER);
            var b = FloatVector.fromMemorySegment(QUAD, MEMORY, lanes + 4 * L, ORDER);
            var c = FloatVector.fromMemorySegment(QUAD, MEMORY, lanes + 8 * L, ORDER);
            var d = FloatVector.fromMemorySegment(QUAD, MEMORY, lanes + 12 * L, ORDER);
            if (L >= 8) {
                a = a.add(FloatVector.fromMemorySegment(QUAD, MEMORY, lanes + 16, ORDER));
                b = b.add(FloatVector.fromMemorySegment(QUAD, MEMORY, lanes + 4 * L + 16, ORDER));
                c = c.add(FloatVector.fromMemorySegment(QUAD, MEMORY, lanes + 8 * L + 16, ORDER));
                d = d.add(FloatVector.fromMemorySegment(QUAD, MEMORY, lanes + 12 * L + 16, ORDER));
            }
            if (L >= 16) {
                a = a.add(FloatVector.fromMemorySegment(QUAD, MEMORY, lanes + 32, ORDER).add(FloatVector.fromMemorySegment(QUAD, MEMORY, lanes + 48, ORDER)));
                b = b.add(FloatVector.fromMemorySegment(QUAD, MEMORY, lanes + 4 * L + 32, ORDER).add(FloatVector.fromMemorySegment(QUAD, MEMORY, lanes + 4 * L + 48, ORDER)));
                c = c.add(FloatVector.fromMemorySegment(QUAD, MEMORY, lanes + 8 * L + 32, ORDER).add(FloatVector.fromMemorySegment(QUAD, MEMORY, lanes + 8 * L + 48, ORDER)));
                d = d.add(FloatVector.fromMemorySegment(QUAD, MEMORY, lanes + 12 * L + 32, ORDER).add(FloatVector.fromMemorySegment(QUAD, MEMORY, lanes + 12 * L + 48, ORDER)));
            }
            var ab = a.blend(b.rearrange(NEIGHBOURS), SECOND).add(a.rearrange(NEIGHBOURS).blend(b, SECOND));           // a01 b01 a23 b23
            var cd = c.blend(d.rearrange(NEIGHBOURS), SECOND).add(c.rearrange(NEIGHBOURS).blend(d, SECOND));
            ab.blend(cd.rearrange(HALVES), UPPER).add(ab.rearrange(HALVES).blend(cd, UPPER)).intoMemorySegment(MEMORY, scores, ORDER);
        }
    }

    /**
     * mix[head][c] += sum over i of x[head][c][i] · rows[i][head] for {@code count} rows of {@code heads} heads of {@code dims} floats, each with {@code columns} columns.
     * Columns of mix are {@code dims} rounded up to {@link #VALUE_STEP} floats long; behind {@code dims} they get what follows the rows.
     */
    static void mix(long mix, long rows, long stride, long x, long xStride, int heads, int columns, int dims, int count) {
        long column = 4L * Math.ceilDiv(dims, VALUE_STEP) * VALUE_STEP;
        for (int head = 0; head < heads; head++, rows += 4L * dims) {
            for (int c = 0; c < columns; c += COLUMNS, mix += COLUMNS * column, x += COLUMNS * xStride) {
                switch (columns - c) {
                    case 1 -> mixOne(mix, mix + column, rows, stride, x, count);
                    case 2 -> mixTwo(mix, mix + column, column, rows, stride, x, xStride, count);
                    case 3 -> mixFour(mix, mix + column, column, 2, rows, stride, x, xStride, count);
                    default -> mixFour(mix, mix + column, column, 3, rows, stride, x, xStride, count);
                }
            }
            mix -= (Math.ceilDiv(columns, COLUMNS) * COLUMNS - columns) * column;
            x -= (Math.ceilDiv(columns, COLUMNS) * COLUMNS - columns) * xStride;
        }
    }

    private static void mixOne(long mix, long end, long rows, long stride, long x, int count) {
        long next = 4 * L;
        for (; mix != end; mix += 4 * next, rows += 4 * next) {
            var s0 = FloatVector.fromMemorySegment(F, MEMORY, mix, ORDER);
            var s1 = FloatVector.fromMemorySegment(F, MEMORY, mix + next, ORDER);
            var s2 = FloatVector.fromMemorySegment(F, MEMORY, mix + 2 * next, ORDER);
            var s3 = FloatVector.fromMemorySegment(F, MEMORY, mix + 3 * next, ORDER);
            long r = rows;
            for (long xi = x, xEnd = x + 4L * count; xi != xEnd; xi += 4, r += stride) {                              // body
                var v = FloatVector.broadcast(F, MEMORY.get(FLOAT, xi));
                var w0 = FloatVector.fromMemorySegment(F, MEMORY, r, ORDER);
                var w1 = FloatVector.fromMemorySegment(F, MEMORY, r + next, ORDER);
                var w2 = FloatVector.fromMemorySegment(F, MEMORY, r + 2 * next, ORDER);
                var w3 = FloatVector.fromMemorySegment(F, MEMORY, r + 3 * next, ORDER);
                s0 = FMA ? w0.fma(v, s0) : w0.mul(v).add(s0);
                s1 = FMA ? w1.fma(v, s1) : w1.mul(v).add(s1);
                s2 = FMA ? w2.fma(v, s2) : w2.mul(v).add(s2);
                s3 = FMA ? w3.fma(v, s3) : w3.mul(v).add(s3);
            }
            s0.intoMemorySegment(MEMORY, mix, ORDER);
            s1.intoMemorySegment(MEMORY, mix + next, ORDER);
            s2.intoMemorySegment(MEMORY, mix + 2 * next, ORDER);
            s3.intoMemorySegment(MEMORY, mix + 3 * next, ORDER);
        }
    }

    private static void mixTwo(long mix, long end, long apart, long rows, long stride, long x, long xStride, int count) {
        long next = 4 * L;
        for (; mix != end; mix += 4 * next, rows += 4 * next) {
            var a0 = FloatVector.fromMemorySegment(F, MEMORY, mix, ORDER);
            var a1 = FloatVector.fromMemorySegment(F, MEMORY, mix + next, ORDER);
            var a2 = FloatVector.fromMemorySegment(F, MEMORY, mix + 2 * next, ORDER);
            var a3 = FloatVector.fromMemorySegment(F, MEMORY, mix + 3 * next, ORDER);
            var b0 = FloatVector.fromMemorySegment(F, MEMORY, mix + apart, ORDER);
            var b1 = FloatVector.fromMemorySegment(F, MEMORY, mix + apart + next, ORDER);
            var b2 = FloatVector.fromMemorySegment(F, MEMORY, mix + apart + 2 * next, ORDER);
            var b3 = FloatVector.fromMemorySegment(F, MEMORY, mix + apart + 3 * next, ORDER);
            long r = rows;
            for (long xi = x, xEnd = x + 4L * count; xi != xEnd; xi += 4, r += stride) {                              // body
                var va = FloatVector.broadcast(F, MEMORY.get(FLOAT, xi));
                var vb = FloatVector.broadcast(F, MEMORY.get(FLOAT, xi + xStride));
                var w0 = FloatVector.fromMemorySegment(F, MEMORY, r, ORDER);
                var w1 = FloatVector.fromMemorySegment(F, MEMORY, r + next, ORDER);
                a0 = FMA ? w0.fma(va, a0) : w0.mul(va).add(a0);
                b0 = FMA ? w0.fma(vb, b0) : w0.mul(vb).add(b0);
                a1 = FMA ? w1.fma(va, a1) : w1.mul(va).add(a1);
                b1 = FMA ? w1.fma(vb, b1) : w1.mul(vb).add(b1);
                w0 = FloatVector.fromMemorySegment(F, MEMORY, r + 2 * next, ORDER);
                w1 = FloatVector.fromMemorySegment(F, MEMORY, r + 3 * next, ORDER);
                a2 = FMA ? w0.fma(va, a2) : w0.mul(va).add(a2);
                b2 = FMA ? w0.fma(vb, b2) : w0.mul(vb).add(b2);
                a3 = FMA ? w1.fma(va, a3) : w1.mul(va).add(a3);
                b3 = FMA ? w1.fma(vb, b3) : w1.mul(vb).add(b3);
            }
            a0.intoMemorySegment(MEMORY, mix, ORDER);
            a1.intoMemorySegment(MEMORY, mix + next, ORDER);
            a2.intoMemorySegment(MEMORY, mix + 2 * next, ORDER);
            a3.intoMemorySegment(MEMORY, mix + 3 * next, ORDER);
            b0.intoMemorySegment(MEMORY, mix + apart, ORDER);
            b1.intoMemorySegment(MEMORY, mix + apart + next, ORDER);
            b2.intoMemorySegment(MEMORY, mix + apart + 2 * next, ORDER);
            b3.intoMemorySegment(MEMORY, mix + apart + 3 * next, ORDER);
        }
    }

    /** @param last as in {@link #four} */
    private static void mixFour(long mix, long end, long b, int last, long rows, long stride, long xa, long xStride, int count) {
        long next = 4 * L, c = 2 * b, d = last * b, xb = xa + xStride, xc = xb + xStride, xd = xa + last * xStride;
        for (; mix != end; mix += 2 * next, rows += 2 * next) {
            var a0 = FloatVector.fromMemorySegment(F, MEMORY, mix, ORDER);
            var a1 = FloatVector.fromMemorySegment(F, MEMORY, mix + next, ORDER);
            var b0 = FloatVector.fromMemorySegment(F, MEMORY, mix + b, ORDER);
            var b1 = FloatVector.fromMemorySegment(F, MEMORY, mix + b + next, ORDER);
            var c0 = FloatVector.fromMemorySegment(F, MEMORY, mix + c, ORDER);
            var c1 = FloatVector.fromMemorySegment(F, MEMORY, mix + c + next, ORDER);
            var d0 = FloatVector.fromMemorySegment(F, MEMORY, mix + d, ORDER);
            var d1 = FloatVector.fromMemorySegment(F, MEMORY, mix + d + next, ORDER);
            long r = rows;
            for (long shift = 0, shiftEnd = 4L * count; shift != shiftEnd; shift += 4, r += stride) {                 // body
                var w0 = FloatVector.fromMemorySegment(F, MEMORY, r, ORDER);
                var w1 = FloatVector.fromMemorySegment(F, MEMORY, r + next, ORDER);
                var v = FloatVector.broadcast(F, MEMORY.get(FLOAT, xa + shift));
                a0 = FMA ? w0.fma(v, a0) : w0.mul(v).add(a0);
                a1 = FMA ? w1.fma(v, a1) : w1.mul(v).add(a1);
                v = FloatVector.broadcast(F, MEMORY.get(FLOAT, xb + shift));
                b0 = FMA ? w0.fma(v, b0) : w0.mul(v).add(b0);
                b1 = FMA ? w1.fma(v, b1) : w1.mul(v).add(b1);
                v = FloatVector.broadcast(F, MEMORY.get(FLOAT, xc + shift));
                c0 = FMA ? w0.fma(v, c0) : w0.mul(v).add(c0);
                c1 = FMA ? w1.fma(v, c1) : w1.mul(v).add(c1);
                v = FloatVector.broadcast(F, MEMORY.get(FLOAT, xd + shift));
                d0 = FMA ? w0.fma(v, d0) : w0.mul(v).add(d0);
                d1 = FMA ? w1.fma(v, d1) : w1.mul(v).add(d1);
            }
            a0.intoMemorySegment(MEMORY, mix, ORDER);
            a1.intoMemorySegment(MEMORY, mix + next, ORDER);
            b0.intoMemorySegment(MEMORY, mix + b, ORDER);
            b1.intoMemorySegment(MEMORY, mix + b + next, ORDER);
            c0.intoMemorySegment(MEMORY, mix + c, ORDER);
            c1.intoMemorySegment(MEMORY, mix + c + next, ORDER);
            d0.intoMemorySegment(MEMORY, mix + d, ORDER);
            d1.intoMemorySegment(MEMORY, mix + d + next, ORDER);
        }
    }

    /** A number made of one from each cache line of the first {@code bytes} of {@code count} rows, which are in the caches then. */
    static int fetch(long rows, long stride, int count, long bytes) {
        int sum = 0;
        for (long end = rows + count * stride; rows != end; rows += stride) {
            for (long at = rows, last = rows + bytes - 4; at < last; at += 64) sum += MEMORY.get(INT, at);
            sum += MEMORY.get(INT, rows + bytes - 4);
        }
        return sum;
    }

    /** y += x · factor */
    static void addScaled(long y, long x, float factor, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var sum = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).mul(factor).add(FloatVector.fromMemorySegment(F, MEMORY, y + 4L * i, ORDER));
            sum.intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, y + 4L * i, MEMORY.get(FLOAT, x + 4L * i) * factor + MEMORY.get(FLOAT, y + 4L * i));  // scalar tail
    }

    /** The largest of some floats and {@code start}. A NaN is passed over, which the exponentials that follow will not do. */
    static float largest(float start, long x, int count, long lanes) {
        var most = FloatVector.broadcast(F, start);
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var next = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER);
            most = most.blend(next, next.compare(GT, most));
        }
        most.intoMemorySegment(MEMORY, lanes, ORDER);                                                                 // reduce, as Lanes.sum
        var four = FloatVector.fromMemorySegment(QUAD, MEMORY, lanes, ORDER);
        for (int j = 4; j < L; j += 4) {
            var next = FloatVector.fromMemorySegment(QUAD, MEMORY, lanes + 4L * j, ORDER);
            four = four.blend(next, next.compare(GT, four));
        }
        four.intoMemorySegment(MEMORY, lanes, ORDER);
        float a = MEMORY.get(FLOAT, lanes), b = MEMORY.get(FLOAT, lanes + 4), c = MEMORY.get(FLOAT, lanes + 8), d = MEMORY.get(FLOAT, lanes + 12);
        float ab = a > b ? a : b, cd = c > d ? c : d, largest = ab > cd ? ab : cd;
        for (; i < count; i++) if (MEMORY.get(FLOAT, x + 4L * i) > largest) largest = MEMORY.get(FLOAT, x + 4L * i);  // scalar tail
        return largest;
    }
}
