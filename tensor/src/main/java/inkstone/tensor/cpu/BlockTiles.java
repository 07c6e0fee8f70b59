package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.B;
import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.TWO_PARTS;
import static inkstone.tensor.cpu.Lanes.half;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;

/**
 * What {@link RowTiles} computes, bit for bit, from rows of Q8_0 as they are stored: writing them as floats first took half of the time. Always four columns, of which
 * the last stands for those that are missing: turning bytes into floats is the greater part.
 */
final class BlockTiles {
    private BlockTiles() {}

    /** As {@link RowTiles#dots} for the rows k0 to k3, each at its first head. */
    static void dots(long scores, long scoreStride, long k0, long k1, long k2, long k3, long x, int heads, int columns, int dims, long lanes) {
        for (int c = 0; c < columns; c += 4) {
            int last = Math.min(3, columns - c - 1);
            long to = lanes + c * RowTiles.LANES, from = x + 4L * c * dims;
            pair(to, k0, k1, from, heads, columns, dims, last);
            pair(to + 8 * L, k2, k3, from, heads, columns, dims, last);
        }
        RowTiles.sums(scores, scoreStride, lanes, heads * columns);
    }

    /** Two rows by columns 0 to {@code last} of each head. */
    private static void pair(long lanes, long k0, long k1, long x, int heads, int columns, int dims, int last) {
        long next = 4 * L, lanesB = Math.min(1, last) * RowTiles.LANES, lanesC = Math.min(2, last) * RowTiles.LANES, lanesD = last * RowTiles.LANES;
        long column = 4L * dims, b = Math.min(1, last) * column, c = Math.min(2, last) * column, d = last * column, other = k1 - k0;
        for (long end = k0 + (long) heads * dims / 32 * 34; k0 != end; x += (columns - 1) * column, lanes += columns * RowTiles.LANES) {
            FloatVector a0 = FloatVector.zero(F), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
            for (long headEnd = k0 + dims / 32 * 34; k0 != headEnd; ) {
                float scale0 = half(k0), scale1 = half(k0 + other);
                k0 += 2;
                for (long blockEnd = k0 + 32; k0 != blockEnd; k0 += B.length(), x += 4 * B.length()) {                // body
                    var bytes0 = ByteVector.fromMemorySegment(B, MEMORY, k0, ORDER);
                    var bytes1 = ByteVector.fromMemorySegment(B, MEMORY, k0 + other, ORDER);
                    var w0 = ((FloatVector) bytes0.castShape(F, 0)).mul(scale0);
                    var w1 = ((FloatVector) bytes1.castShape(F, 0)).mul(scale1);
                    var v = FloatVector.fromMemorySegment(F, MEMORY, x, ORDER);
                    a0 = FMA ? w0.fma(v, a0) : w0.mul(v).add(a0);
                    a1 = FMA ? w1.fma(v, a1) : w1.mul(v).add(a1);
                    v = FloatVector.fromMemorySegment(F, MEMORY, x + b, ORDER);
                    b0 = FMA ? w0.fma(v, b0) : w0.mul(v).add(b0);
                    b1 = FMA ? w1.fma(v, b1) : w1.mul(v).add(b1);
                    v = FloatVector.fromMemorySegment(F, MEMORY, x + c, ORDER);
                    c0 = FMA ? w0.fma(v, c0) : w0.mul(v).add(c0);
                    c1 = FMA ? w1.fma(v, c1) : w1.mul(v).add(c1);
                    v = FloatVector.fromMemorySegment(F, MEMORY, x + d, ORDER);
                    d0 = FMA ? w0.fma(v, d0) : w0.mul(v).add(d0);
                    d1 = FMA ? w1.fma(v, d1) : w1.mul(v).add(d1);
                    if (TWO_PARTS) {
                        w0 = ((FloatVector) bytes0.castShape(F, 1)).mul(scale0);
                        w1 = ((FloatVector) bytes1.castShape(F, 1)).mul(scale1);
                        v = FloatVector.fromMemorySegment(F, MEMORY, x + next, ORDER);
                        a0 = FMA ? w0.fma(v, a0) : w0.mul(v).add(a0);
                        a1 = FMA ? w1.fma(v, a1) : w1.mul(v).add(a1);
                        v = FloatVector.fromMemorySegment(F, MEMORY, x + b + next, ORDER);
                        b0 = FMA ? w0.fma(v, b0) : w0.mul(v).add(b0);
                        b1 = FMA ? w1.fma(v, b1) : w1.mul(v).add(b1);
                        v = FloatVector.fromMemorySegment(F, MEMORY, x + c + next, ORDER);
                        c0 = FMA ? w0.fma(v, c0) : w0.mul(v).add(c0);
                        c1 = FMA ? w1.fma(v, c1) : w1.mul(v).add(c1);
                        v = FloatVector.fromMemorySegment(F, MEMORY, x + d + next, ORDER);
                        d0 = FMA ? w0.fma(v, d0) : w0.mul(v).add(d0);
                        d1 = FMA ? w1.fma(v, d1) : w1.mul(v).add(d1);
                    }
                }
            }
            a0.intoMemorySegment(MEMORY, lanes, ORDER);
            a1.intoMemorySegment(MEMORY, lanes + next, ORDER);
            b0.intoMemorySegment(MEMORY, lanes + lanesB, ORDER);
            b1.intoMemorySegment(MEMORY, lanes + lanesB + next, ORDER);
            c0.intoMemorySegment(MEMORY, lanes + lanesC, ORDER);
            c1.intoMemorySegment(MEMORY, lanes + lanesC + next, ORDER);
            d0.intoMemorySegment(MEMORY, lanes + lanesD, ORDER);
            d1.intoMemorySegment(MEMORY, lanes + lanesD + next, ORDER);
        }
    }

    /** As {@link RowTiles#mix} for {@code count} rows that lie {@code stride} apart. */
    static void mix(long mix, long rows, long stride, long x, long xStride, int heads, int columns, int dims, int count) {
        long column = 4L * Math.ceilDiv(dims, RowTiles.VALUE_STEP) * RowTiles.VALUE_STEP;
        for (int head = 0; head < heads; head++, rows += dims / 32 * 34) {
            for (int c = 0, width; c < columns; c += width, mix += width * column, x += width * xStride) {
                width = Math.min(4, columns - c);
                for (int block = 0; block < dims / 32; block++) {
                    for (int from = 0; from < 32; from += 2 * L) tile(mix + 4L * (32 * block + from), column, rows + 34L * block, from, stride, x, xStride, count, width - 1);
                }
            }
        }
    }

    /** Two vectors of elements {@code from} on of a block in each row, into columns 0 to {@code last}. */
    private static void tile(long mix, long column, long block, int from, long stride, long x, long xStride, int count, int last) {
        long next = 4 * L, b = Math.min(1, last) * column, c = Math.min(2, last) * column, d = last * column;
        long xb = Math.min(1, last) * xStride, xc = Math.min(2, last) * xStride, xd = last * xStride;
        var a0 = FloatVector.fromMemorySegment(F, MEMORY, mix, ORDER);
        var a1 = FloatVector.fromMemorySegment(F, MEMORY, mix + next, ORDER);
        var b0 = FloatVector.fromMemorySegment(F, MEMORY, mix + b, ORDER);
        var b1 = FloatVector.fromMemorySegment(F, MEMORY, mix + b + next, ORDER);
        var c0 = FloatVector.fromMemorySegment(F, MEMORY, mix + c, ORDER);
        var c1 = FloatVector.fromMemorySegment(F, MEMORY, mix + c + next, ORDER);
        var d0 = FloatVector.fromMemorySegment(F, MEMORY, mix + d, ORDER);
        var d1 = FloatVector.fromMemorySegment(F, MEMORY, mix + d + next, ORDER);
        for (long end = x + 4L * count; x != end; x += 4, block += stride) {                                          // body
            float scale = half(block);
            var bytes = ByteVector.fromMemorySegment(B, MEMORY, block + 2 + from, ORDER);
            var w0 = ((FloatVector) bytes.castShape(F, 0)).mul(scale);
            var w1 = ((FloatVector) (TWO_PARTS ? bytes.castShape(F, 1) : ByteVector.fromMemorySegment(B, MEMORY, block + 2 + from + L, ORDER).castShape(F, 0))).mul(scale);
            var v = FloatVector.broadcast(F, MEMORY.get(FLOAT, x));
            a0 = FMA ? w0.fma(v, a0) : w0.mul(v).add(a0);
            a1 = FMA ? w1.fma(v, a1) : w1.mul(v).add(a1);
            v = FloatVector.broadcast(F, MEMORY.get(FLOAT, x + xb));
            b0 = FMA ? w0.fma(v, b0) : w0.mul(v).add(b0);
            b1 = FMA ? w1.fma(v, b1) : w1.mul(v).add(b1);
            v = FloatVector.broadcast(F, MEMORY.get(FLOAT, x + xc));
            c0 = FMA ? w0.fma(v, c0) : w0.mul(v).add(c0);
            c1 = FMA ? w1.fma(v, c1) : w1.mul(v).add(c1);
            v = FloatVector.broadcast(F, MEMORY.get(FLOAT, x + xd));
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
