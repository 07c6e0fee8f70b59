package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.I;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.S;
import static inkstone.tensor.cpu.Lanes.SHORT;
import static inkstone.tensor.cpu.Lanes.half;
import static jdk.incubator.vector.VectorOperators.GE;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LT;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/** {@link RowDots} of F32, F16 and BF16, one row after the other: their rows are long enough for memory to be the limit. Two sums hide the latency of fma. */
final class FloatDots {
    /** Most columns {@link #columns} takes. */
    static final int COLUMNS = 4;

    private FloatDots() {}

    static void f32(long y, long w, long rowBytes, int rows, long x, int in, long lanes) {
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
    static void f16(long y, long w, long rowBytes, int rows, long x, int in, long lanes) {
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

    static void bf16(long y, long w, long rowBytes, int rows, long x, int in, long lanes) {
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
