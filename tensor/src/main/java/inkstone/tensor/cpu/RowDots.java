package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.B;
import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.I;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.S;
import static inkstone.tensor.cpu.Lanes.SHORT;
import static inkstone.tensor.cpu.Lanes.TWO_PARTS;
import static inkstone.tensor.cpu.Lanes.half;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.GE;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LT;
import static jdk.incubator.vector.VectorOperators.XOR;

import inkstone.tensor.DType;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * Dot products of weight rows with one activation: y[o] = w[o] · x for {@code rows} rows at address {@code w}, {@code rowBytes} apart; x and y are floats,
 * {@code lanes} is scratch for {@link Scratch#VECTORS} vectors. Rows are read one after the other: reading four at once from DRAM ran at a third of the speed,
 * as it defeats the hardware prefetcher. Two sums hide the latency of fma. An interface for the reason given in {@link Expand}.
 */
@FunctionalInterface
interface RowDots {
    /** Most columns {@link #columns} takes. */
    int COLUMNS = 4;

    void rows(long y, long w, long rowBytes, int rows, long x, int in, long lanes);

    static RowDots of(DType dtype) {
        return switch (dtype) {
            case F32 -> RowDots::f32;
            case F16 -> RowDots::f16;
            case BF16 -> RowDots::bf16;
            case Q8_0 -> RowDots::q8;
            case Q4_0 -> RowDots::q4;
            case I32 -> throw new UnsupportedOperationException("cpu: I32 is no weight format");
            case Q4_1 -> NibbleDots::q4Offset;
            case Q4_K -> NibbleDots::q4k;
            default -> UnpackedRows.of(dtype);
        };
    }

    private static void f32(long y, long w, long rowBytes, int rows, long x, int in, long lanes) {
        for (int row = 0; row < rows; row++, w += rowBytes) {
            var sum0 = FloatVector.zero(F);
            var sum1 = FloatVector.zero(F);
            long wi = w, xi = x;
            int left = in;
            for (; left >= 2 * L; left -= 2 * L, wi += 8 * L, xi += 8 * L) {                                          // body
                var w0 = FloatVector.fromMemorySegment(F, MEMORY, wi, ORDER);
                var w1 = FloatVector.fromMemorySegment(F, MEMORY, wi + 4 * L, ORDER);
                var x0 = FloatVector.fromMemorySegment(F, MEMORY, xi, ORDER);
                var x1 = FloatVector.fromMemorySegment(F, MEMORY, xi + 4 * L, ORDER);
                sum0 = FMA ? w0.fma(x0, sum0) : w0.mul(x0).add(sum0);
                sum1 = FMA ? w1.fma(x1, sum1) : w1.mul(x1).add(sum1);
            }
            sum0.add(sum1).intoMemorySegment(MEMORY, lanes, ORDER);                                                   // reduce
            float sum = Lanes.sum(lanes);
            for (; left > 0; left--, wi += 4, xi += 4) sum += MEMORY.get(FLOAT, wi) * MEMORY.get(FLOAT, xi);          // scalar tail
            MEMORY.set(FLOAT, y + 4L * row, sum);
        }
    }

    /* The conversion is that of Expand.f16. */
    private static void f16(long y, long w, long rowBytes, int rows, long x, int in, long lanes) {
        for (int row = 0; row < rows; row++, w += rowBytes) {
            var sum0 = FloatVector.zero(F);
            var sum1 = FloatVector.zero(F);
            long wi = w, xi = x;
            int left = in;
            for (; left >= 2 * L; left -= 2 * L, wi += 4 * L, xi += 8 * L) {                                          // body
                var half0 = (IntVector) ShortVector.fromMemorySegment(S, MEMORY, wi, ORDER).castShape(I, 0);
                var half1 = (IntVector) ShortVector.fromMemorySegment(S, MEMORY, wi + 2 * L, ORDER).castShape(I, 0);
                var bits0 = half0.and(0x7fff).lanewise(LSHL, 13);
                var bits1 = half1.and(0x7fff).lanewise(LSHL, 13);
                var value0 = bits0.add(112 << 23).add(112 << 23, bits0.compare(GE, 31 << 23));
                var value1 = bits1.add(112 << 23).add(112 << 23, bits1.compare(GE, 31 << 23));
                value0 = value0.blend(bits0.add(113 << 23).reinterpretAsFloats().sub(0x1p-14f).reinterpretAsInts(), bits0.compare(LT, 1 << 23));
                value1 = value1.blend(bits1.add(113 << 23).reinterpretAsFloats().sub(0x1p-14f).reinterpretAsInts(), bits1.compare(LT, 1 << 23));
                var w0 = value0.or(half0.and(0x80000000)).reinterpretAsFloats();
                var w1 = value1.or(half1.and(0x80000000)).reinterpretAsFloats();
                var x0 = FloatVector.fromMemorySegment(F, MEMORY, xi, ORDER);
                var x1 = FloatVector.fromMemorySegment(F, MEMORY, xi + 4 * L, ORDER);
                sum0 = FMA ? w0.fma(x0, sum0) : w0.mul(x0).add(sum0);
                sum1 = FMA ? w1.fma(x1, sum1) : w1.mul(x1).add(sum1);
            }
            sum0.add(sum1).intoMemorySegment(MEMORY, lanes, ORDER);                                                   // reduce
            float sum = Lanes.sum(lanes);
            for (; left > 0; left--, wi += 2, xi += 4) sum += half(wi) * MEMORY.get(FLOAT, xi);                       // scalar tail
            MEMORY.set(FLOAT, y + 4L * row, sum);
        }
    }

    private static void bf16(long y, long w, long rowBytes, int rows, long x, int in, long lanes) {
        for (int row = 0; row < rows; row++, w += rowBytes) {
            var sum0 = FloatVector.zero(F);
            var sum1 = FloatVector.zero(F);
            long wi = w, xi = x;
            int left = in;
            for (; left >= 2 * L; left -= 2 * L, wi += 4 * L, xi += 8 * L) {                                          // body
                var high0 = (IntVector) ShortVector.fromMemorySegment(S, MEMORY, wi, ORDER).castShape(I, 0);
                var high1 = (IntVector) ShortVector.fromMemorySegment(S, MEMORY, wi + 2 * L, ORDER).castShape(I, 0);
                var w0 = high0.lanewise(LSHL, 16).reinterpretAsFloats();
                var w1 = high1.lanewise(LSHL, 16).reinterpretAsFloats();
                var x0 = FloatVector.fromMemorySegment(F, MEMORY, xi, ORDER);
                var x1 = FloatVector.fromMemorySegment(F, MEMORY, xi + 4 * L, ORDER);
                sum0 = FMA ? w0.fma(x0, sum0) : w0.mul(x0).add(sum0);
                sum1 = FMA ? w1.fma(x1, sum1) : w1.mul(x1).add(sum1);
            }
            sum0.add(sum1).intoMemorySegment(MEMORY, lanes, ORDER);                                                   // reduce
            float sum = Lanes.sum(lanes);
            for (; left > 0; left--, wi += 2, xi += 4) sum += Float.intBitsToFloat(MEMORY.get(SHORT, wi) << 16) * MEMORY.get(FLOAT, xi);  // scalar tail
            MEMORY.set(FLOAT, y + 4L * row, sum);
        }
    }

    /* A block is summed unscaled and scaled once. Even and odd blocks have sums of their own: with one, each block waited for the fma of the block before. */
    private static void q8(long y, long w, long rowBytes, int rows, long x, int in, long lanes) {
        for (int row = 0; row < rows; row++, w += rowBytes) {
            var sum0 = FloatVector.zero(F);
            var sum1 = FloatVector.zero(F);
            long block = w, xi = x, end = w + in / 32 * 34;
            for (long pairs = w + in / 64 * 68; block != pairs; block += 68, xi += 8 * 32) {                          // body: two blocks of 32
                var part0 = FloatVector.zero(F);
                var part1 = FloatVector.zero(F);
                for (int j = 0; j < 32; j += B.length()) {
                    var bytes0 = ByteVector.fromMemorySegment(B, MEMORY, block + 2 + j, ORDER);
                    var bytes1 = ByteVector.fromMemorySegment(B, MEMORY, block + 36 + j, ORDER);
                    var w0 = (FloatVector) bytes0.castShape(F, 0);
                    var w1 = (FloatVector) bytes1.castShape(F, 0);
                    var x0 = FloatVector.fromMemorySegment(F, MEMORY, xi + 4L * j, ORDER);
                    var x1 = FloatVector.fromMemorySegment(F, MEMORY, xi + 4L * (j + 32), ORDER);
                    part0 = FMA ? w0.fma(x0, part0) : w0.mul(x0).add(part0);
                    part1 = FMA ? w1.fma(x1, part1) : w1.mul(x1).add(part1);
                    if (TWO_PARTS) {
                        w0 = (FloatVector) bytes0.castShape(F, 1);
                        w1 = (FloatVector) bytes1.castShape(F, 1);
                        x0 = FloatVector.fromMemorySegment(F, MEMORY, xi + 4L * (j + L), ORDER);
                        x1 = FloatVector.fromMemorySegment(F, MEMORY, xi + 4L * (j + L + 32), ORDER);
                        part0 = FMA ? w0.fma(x0, part0) : w0.mul(x0).add(part0);
                        part1 = FMA ? w1.fma(x1, part1) : w1.mul(x1).add(part1);
                    }
                }
                var scale0 = FloatVector.broadcast(F, half(block));
                var scale1 = FloatVector.broadcast(F, half(block + 34));
                sum0 = FMA ? part0.fma(scale0, sum0) : part0.mul(scale0).add(sum0);
                sum1 = FMA ? part1.fma(scale1, sum1) : part1.mul(scale1).add(sum1);
            }
            if (block != end) {                                                                                       // the last of an odd number
                var part = FloatVector.zero(F);
                for (int j = 0; j < 32; j += B.length()) {
                    var bytes = ByteVector.fromMemorySegment(B, MEMORY, block + 2 + j, ORDER);
                    var w0 = (FloatVector) bytes.castShape(F, 0);
                    var x0 = FloatVector.fromMemorySegment(F, MEMORY, xi + 4L * j, ORDER);
                    part = FMA ? w0.fma(x0, part) : w0.mul(x0).add(part);
                    if (TWO_PARTS) {
                        var w1 = (FloatVector) bytes.castShape(F, 1);
                        var x1 = FloatVector.fromMemorySegment(F, MEMORY, xi + 4L * (j + L), ORDER);
                        part = FMA ? w1.fma(x1, part) : w1.mul(x1).add(part);
                    }
                }
                var scale = FloatVector.broadcast(F, half(block));
                sum0 = FMA ? part.fma(scale, sum0) : part.mul(scale).add(sum0);
            }
            sum0.add(sum1).intoMemorySegment(MEMORY, lanes, ORDER);                                                   // reduce
            MEMORY.set(FLOAT, y + 4L * row, Lanes.sum(lanes));
        }
    }

    /* A nibble is stored as q + 8; flipping its highest bit makes it q in two's complement, which shifts extend. */
    private static void q4(long y, long w, long rowBytes, int rows, long x, int in, long lanes) {
        for (int row = 0; row < rows; row++) {
            var sum = FloatVector.zero(F);
            long block = w + row * rowBytes, xi = x;
            for (int left = in; left > 0; left -= 32, block += 18, xi += 4 * 32) {                                    // body: one block of 32
                var part = FloatVector.zero(F);
                for (int j = 0; j < 16; j += B.length()) {
                    var bytes = ByteVector.fromMemorySegment(B, MEMORY, block + 2 + j, ORDER).lanewise(XOR, (byte) 0x88);
                    var pairs = (IntVector) bytes.castShape(I, 0);
                    var low = (FloatVector) pairs.lanewise(LSHL, 28).lanewise(ASHR, 28).castShape(F, 0);
                    var high = (FloatVector) pairs.lanewise(ASHR, 4).castShape(F, 0);
                    var x0 = FloatVector.fromMemorySegment(F, MEMORY, xi + 4L * j, ORDER);
                    var x1 = FloatVector.fromMemorySegment(F, MEMORY, xi + 4L * (j + 16), ORDER);
                    part = FMA ? low.fma(x0, part) : low.mul(x0).add(part);
                    part = FMA ? high.fma(x1, part) : high.mul(x1).add(part);
                    if (TWO_PARTS) {
                        pairs = (IntVector) bytes.castShape(I, 1);
                        low = (FloatVector) pairs.lanewise(LSHL, 28).lanewise(ASHR, 28).castShape(F, 0);
                        high = (FloatVector) pairs.lanewise(ASHR, 4).castShape(F, 0);
                        x0 = FloatVector.fromMemorySegment(F, MEMORY, xi + 4L * (j + L), ORDER);
                        x1 = FloatVector.fromMemorySegment(F, MEMORY, xi + 4L * (j + L + 16), ORDER);
                        part = FMA ? low.fma(x0, part) : low.mul(x0).add(part);
                        part = FMA ? high.fma(x1, part) : high.mul(x1).add(part);
                    }
                }
                var scale = FloatVector.broadcast(F, half(block));
                sum = FMA ? part.fma(scale, sum) : part.mul(scale).add(sum);
            }
            sum.intoMemorySegment(MEMORY, lanes, ORDER);                                                              // reduce
            MEMORY.set(FLOAT, y + 4L * row, Lanes.sum(lanes));
        }
    }

    /**
     * One row of floats with up to {@link #COLUMNS} activations, {@code xStride} bytes apart: y[c] = w · x[c], {@code yStride} bytes apart.
     * Fewer columns repeat the last one, so that a result does not depend on its neighbours.
     */
    static void columns(long y, long yStride, long w, long x, long xStride, int columns, int in, long lanes) {
        long xb = Math.min(1, columns - 1) * xStride, xc = Math.min(2, columns - 1) * xStride, xd = Math.min(3, columns - 1) * xStride, next = 4 * L;
        FloatVector a0 = FloatVector.zero(F), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
        int left = in;
        for (; left >= 2 * L; left -= 2 * L, w += 2 * next, x += 2 * next) {                                          // body
            var w0 = FloatVector.fromMemorySegment(F, MEMORY, w, ORDER);
            var w1 = FloatVector.fromMemorySegment(F, MEMORY, w + next, ORDER);
            var x0 = FloatVector.fromMemorySegment(F, MEMORY, x, ORDER);
            var x1 = FloatVector.fromMemorySegment(F, MEMORY, x + next, ORDER);
            a0 = FMA ? w0.fma(x0, a0) : w0.mul(x0).add(a0);
            a1 = FMA ? w1.fma(x1, a1) : w1.mul(x1).add(a1);
            x0 = FloatVector.fromMemorySegment(F, MEMORY, x + xb, ORDER);
            x1 = FloatVector.fromMemorySegment(F, MEMORY, x + xb + next, ORDER);
            b0 = FMA ? w0.fma(x0, b0) : w0.mul(x0).add(b0);
            b1 = FMA ? w1.fma(x1, b1) : w1.mul(x1).add(b1);
            x0 = FloatVector.fromMemorySegment(F, MEMORY, x + xc, ORDER);
            x1 = FloatVector.fromMemorySegment(F, MEMORY, x + xc + next, ORDER);
            c0 = FMA ? w0.fma(x0, c0) : w0.mul(x0).add(c0);
            c1 = FMA ? w1.fma(x1, c1) : w1.mul(x1).add(c1);
            x0 = FloatVector.fromMemorySegment(F, MEMORY, x + xd, ORDER);
            x1 = FloatVector.fromMemorySegment(F, MEMORY, x + xd + next, ORDER);
            d0 = FMA ? w0.fma(x0, d0) : w0.mul(x0).add(d0);
            d1 = FMA ? w1.fma(x1, d1) : w1.mul(x1).add(d1);
        }
        a0.add(a1).intoMemorySegment(MEMORY, lanes, ORDER);                                                           // reduce
        b0.add(b1).intoMemorySegment(MEMORY, lanes + 64, ORDER);
        c0.add(c1).intoMemorySegment(MEMORY, lanes + 128, ORDER);
        d0.add(d1).intoMemorySegment(MEMORY, lanes + 192, ORDER);
        float a = Lanes.sum(lanes), b = Lanes.sum(lanes + 64), c = Lanes.sum(lanes + 128), d = Lanes.sum(lanes + 192);
        for (; left > 0; left--, w += 4, x += 4) {                                                                    // scalar tail
            float v = MEMORY.get(FLOAT, w);
            a += v * MEMORY.get(FLOAT, x);
            b += v * MEMORY.get(FLOAT, x + xb);
            c += v * MEMORY.get(FLOAT, x + xc);
            d += v * MEMORY.get(FLOAT, x + xd);
        }
        MEMORY.set(FLOAT, y, a);
        if (columns > 1) MEMORY.set(FLOAT, y + yStride, b);
        if (columns > 2) MEMORY.set(FLOAT, y + 2 * yStride, c);
        if (columns > 3) MEMORY.set(FLOAT, y + 3 * yStride, d);
    }
}
