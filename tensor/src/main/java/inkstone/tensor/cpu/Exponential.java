package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LT;

import jdk.incubator.vector.FloatVector;

/**
 * eᶻ in single precision, within 2 units in the last place (ExponentialTest): z = n ln 2 + r, eᶻ = 2ⁿ eʳ, and eʳ is its Taylor polynomial of degree 7, which for
 * |r| <= ln 2 / 2 errs by less than 6e-9. Below -87 the result is 0, above 88 it is e⁸⁸, and NaN stays NaN. The scalar twin has the same bits, so a tail equals a body.
 */
final class Exponential {
    private static final float LEAST = -87, MOST = 88, LOG2_E = 1.4426950408889634f;
    /* ln 2 in two parts: n times the first, 9 bits long, is exact. */
    private static final float LN2_HIGH = 0x1.63p-1f, LN2_LOW = (float) (0.6931471805599453 - LN2_HIGH);
    /* Added to a small number, it rounds it to an integer that stands in the lowest bits. */
    private static final float ROUND = 0x1.8p23f;
    private static final int ROUND_BITS = Float.floatToRawIntBits(ROUND);
    private static final float C7 = 1 / 5040f, C6 = 1 / 720f, C5 = 1 / 120f, C4 = 1 / 24f, C3 = 1 / 6f;

    private Exponential() {}

    /** y[i] = exp(factor · x[i] - shift) for {@code count} floats; y may be x. Returns the sum of y; {@code lanes} is scratch for one vector. */
    static float exp(long y, long x, int count, float factor, float shift, long lanes) {
        var sums = FloatVector.zero(F);
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var z = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).mul(factor).sub(shift);
            var small = z.compare(LT, LEAST);
            z = z.max(LEAST).min(MOST);
            var rounded = FMA ? z.fma(FloatVector.broadcast(F, LOG2_E), FloatVector.broadcast(F, ROUND)) : z.mul(LOG2_E).add(ROUND);
            var n = rounded.sub(ROUND);
            var r = FMA ? n.fma(FloatVector.broadcast(F, -LN2_HIGH), z) : z.sub(n.mul(LN2_HIGH));
            r = FMA ? n.fma(FloatVector.broadcast(F, -LN2_LOW), r) : r.sub(n.mul(LN2_LOW));
            var p = FloatVector.broadcast(F, C7);
            p = FMA ? p.fma(r, FloatVector.broadcast(F, C6)) : p.mul(r).add(C6);
            p = FMA ? p.fma(r, FloatVector.broadcast(F, C5)) : p.mul(r).add(C5);
            p = FMA ? p.fma(r, FloatVector.broadcast(F, C4)) : p.mul(r).add(C4);
            p = FMA ? p.fma(r, FloatVector.broadcast(F, C3)) : p.mul(r).add(C3);
            p = FMA ? p.fma(r, FloatVector.broadcast(F, 0.5f)) : p.mul(r).add(0.5f);
            p = FMA ? p.fma(r, FloatVector.broadcast(F, 1)) : p.mul(r).add(1);
            p = FMA ? p.fma(r, FloatVector.broadcast(F, 1)) : p.mul(r).add(1);
            var power = rounded.reinterpretAsInts().sub(ROUND_BITS - 127).lanewise(LSHL, 23).reinterpretAsFloats();
            p = p.mul(power).blend(0, small);
            p.intoMemorySegment(MEMORY, y + 4L * i, ORDER);
            sums = sums.add(p);
        }
        sums.intoMemorySegment(MEMORY, lanes, ORDER);                                                                 // reduce
        float sum = Lanes.sum(lanes);
        for (; i < count; i++) {                                                                                      // scalar tail
            float p = exp(MEMORY.get(FLOAT, x + 4L * i) * factor - shift);
            MEMORY.set(FLOAT, y + 4L * i, p);
            sum += p;
        }
        return sum;
    }

    /** The same for one number. */
    static float exp(float z) {
        if (z < LEAST) return 0;
        z = Math.min(z, MOST);
        float rounded = fma(z, LOG2_E, ROUND), n = rounded - ROUND, r = fma(n, -LN2_LOW, fma(n, -LN2_HIGH, z));
        float p = fma(fma(fma(fma(fma(fma(fma(C7, r, C6), r, C5), r, C4), r, C3), r, 0.5f), r, 1), r, 1);
        return p * Float.intBitsToFloat(Float.floatToRawIntBits(rounded) - ROUND_BITS + 127 << 23);
    }

    private static float fma(float a, float b, float c) { return FMA ? Math.fma(a, b, c) : a * b + c; }
}
