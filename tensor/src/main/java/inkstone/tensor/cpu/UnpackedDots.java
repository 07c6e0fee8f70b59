package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.B;
import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.TWO_PARTS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;

/**
 * Dot products with what {@link Unpack} leaves in scratch memory: the {@code L} floats at {@code lanes} += the products of {@code count} elements with x, lane by
 * lane. Steps of 64 elements: in each one C2 checks every address and looks for a safepoint, and 32 at a time took half as long again. Without offsets a group is
 * summed before it is scaled.
 */
final class UnpackedDots {
    private UnpackedDots() {}

    /** Every 16 elements share a scale; count is a multiple of 64. */
    static void groupsOf16(long q, long scales, int count, long x, long lanes) {
        var sum0 = FloatVector.fromMemorySegment(F, MEMORY, lanes, ORDER);
        var sum1 = FloatVector.zero(F);
        for (long end = q + (count & -64); q != end; q += 64, x += 256, scales += 16) {                                // body: 64 elements
            var part0 = FloatVector.zero(F);
            var part1 = part0;
            var part2 = part0;
            var part3 = part0;
            for (int j = 0; j < 16; j += B.length()) {
                var q0 = ByteVector.fromMemorySegment(B, MEMORY, q + j, ORDER);
                var q1 = ByteVector.fromMemorySegment(B, MEMORY, q + j + 16, ORDER);
                var q2 = ByteVector.fromMemorySegment(B, MEMORY, q + j + 32, ORDER);
                var q3 = ByteVector.fromMemorySegment(B, MEMORY, q + j + 48, ORDER);
                var w0 = (FloatVector) q0.castShape(F, 0);
                var w1 = (FloatVector) q1.castShape(F, 0);
                var w2 = (FloatVector) q2.castShape(F, 0);
                var w3 = (FloatVector) q3.castShape(F, 0);
                var x0 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j, ORDER);
                var x1 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j + 64, ORDER);
                var x2 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j + 128, ORDER);
                var x3 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j + 192, ORDER);
                part0 = FMA ? w0.fma(x0, part0) : w0.mul(x0).add(part0);
                part1 = FMA ? w1.fma(x1, part1) : w1.mul(x1).add(part1);
                part2 = FMA ? w2.fma(x2, part2) : w2.mul(x2).add(part2);
                part3 = FMA ? w3.fma(x3, part3) : w3.mul(x3).add(part3);
                if (TWO_PARTS) {
                    w0 = (FloatVector) q0.castShape(F, 1);
                    w1 = (FloatVector) q1.castShape(F, 1);
                    w2 = (FloatVector) q2.castShape(F, 1);
                    w3 = (FloatVector) q3.castShape(F, 1);
                    x0 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L), ORDER);
                    x1 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L) + 64, ORDER);
                    x2 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L) + 128, ORDER);
                    x3 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L) + 192, ORDER);
                    part0 = FMA ? w0.fma(x0, part0) : w0.mul(x0).add(part0);
                    part1 = FMA ? w1.fma(x1, part1) : w1.mul(x1).add(part1);
                    part2 = FMA ? w2.fma(x2, part2) : w2.mul(x2).add(part2);
                    part3 = FMA ? w3.fma(x3, part3) : w3.mul(x3).add(part3);
                }
            }
            var d0 = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales));
            var d1 = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales + 4));
            var d2 = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales + 8));
            var d3 = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales + 12));
            sum0 = FMA ? part0.fma(d0, sum0) : part0.mul(d0).add(sum0);
            sum1 = FMA ? part1.fma(d1, sum1) : part1.mul(d1).add(sum1);
            sum0 = FMA ? part2.fma(d2, sum0) : part2.mul(d2).add(sum0);
            sum1 = FMA ? part3.fma(d3, sum1) : part3.mul(d3).add(sum1);
        }
        sum0.add(sum1).intoMemorySegment(MEMORY, lanes, ORDER);
    }

    /** Every 16 elements share a scale and an offset; count is a multiple of 64. */
    static void groupsOf16WithOffsets(long q, long scales, long offsets, int count, long x, long lanes) {
        var sum0 = FloatVector.fromMemorySegment(F, MEMORY, lanes, ORDER);
        var sum1 = FloatVector.zero(F);
        var sum2 = FloatVector.zero(F);
        var sum3 = FloatVector.zero(F);
        for (long end = q + (count & -64); q != end; q += 64, x += 256, scales += 16, offsets += 16) {                 // body: 64 elements
            var d0 = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales));
            var m0 = FloatVector.broadcast(F, MEMORY.get(FLOAT, offsets));
            var d1 = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales + 4));
            var m1 = FloatVector.broadcast(F, MEMORY.get(FLOAT, offsets + 4));
            var d2 = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales + 8));
            var m2 = FloatVector.broadcast(F, MEMORY.get(FLOAT, offsets + 8));
            var d3 = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales + 12));
            var m3 = FloatVector.broadcast(F, MEMORY.get(FLOAT, offsets + 12));
            for (int j = 0; j < 16; j += B.length()) {
                var q0 = ByteVector.fromMemorySegment(B, MEMORY, q + j, ORDER);
                var q1 = ByteVector.fromMemorySegment(B, MEMORY, q + j + 16, ORDER);
                var q2 = ByteVector.fromMemorySegment(B, MEMORY, q + j + 32, ORDER);
                var q3 = ByteVector.fromMemorySegment(B, MEMORY, q + j + 48, ORDER);
                var w0 = (FloatVector) q0.castShape(F, 0);
                var w1 = (FloatVector) q1.castShape(F, 0);
                var w2 = (FloatVector) q2.castShape(F, 0);
                var w3 = (FloatVector) q3.castShape(F, 0);
                var x0 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j, ORDER);
                var x1 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j + 64, ORDER);
                var x2 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j + 128, ORDER);
                var x3 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j + 192, ORDER);
                w0 = FMA ? w0.fma(d0, m0) : w0.mul(d0).add(m0);
                w1 = FMA ? w1.fma(d1, m1) : w1.mul(d1).add(m1);
                w2 = FMA ? w2.fma(d2, m2) : w2.mul(d2).add(m2);
                w3 = FMA ? w3.fma(d3, m3) : w3.mul(d3).add(m3);
                sum0 = FMA ? w0.fma(x0, sum0) : w0.mul(x0).add(sum0);
                sum1 = FMA ? w1.fma(x1, sum1) : w1.mul(x1).add(sum1);
                sum2 = FMA ? w2.fma(x2, sum2) : w2.mul(x2).add(sum2);
                sum3 = FMA ? w3.fma(x3, sum3) : w3.mul(x3).add(sum3);
                if (TWO_PARTS) {
                    w0 = (FloatVector) q0.castShape(F, 1);
                    w1 = (FloatVector) q1.castShape(F, 1);
                    w2 = (FloatVector) q2.castShape(F, 1);
                    w3 = (FloatVector) q3.castShape(F, 1);
                    x0 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L), ORDER);
                    x1 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L) + 64, ORDER);
                    x2 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L) + 128, ORDER);
                    x3 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L) + 192, ORDER);
                    w0 = FMA ? w0.fma(d0, m0) : w0.mul(d0).add(m0);
                    w1 = FMA ? w1.fma(d1, m1) : w1.mul(d1).add(m1);
                    w2 = FMA ? w2.fma(d2, m2) : w2.mul(d2).add(m2);
                    w3 = FMA ? w3.fma(d3, m3) : w3.mul(d3).add(m3);
                    sum0 = FMA ? w0.fma(x0, sum0) : w0.mul(x0).add(sum0);
                    sum1 = FMA ? w1.fma(x1, sum1) : w1.mul(x1).add(sum1);
                    sum2 = FMA ? w2.fma(x2, sum2) : w2.mul(x2).add(sum2);
                    sum3 = FMA ? w3.fma(x3, sum3) : w3.mul(x3).add(sum3);
                }
            }
        }
        sum0.add(sum1).add(sum2.add(sum3)).intoMemorySegment(MEMORY, lanes, ORDER);
    }

    /** Every 32 elements share a scale. */
    static void groupsOf32(long q, long scales, int count, long x, long lanes) {
        var sum0 = FloatVector.fromMemorySegment(F, MEMORY, lanes, ORDER);
        var sum1 = FloatVector.zero(F);
        for (long end = q + (count & -64); q != end; q += 64, x += 256, scales += 8) {                                 // body: 64 elements
            var part0 = FloatVector.zero(F);
            var part1 = part0;
            for (int j = 0; j < 32; j += B.length()) {
                var q0 = ByteVector.fromMemorySegment(B, MEMORY, q + j, ORDER);
                var q1 = ByteVector.fromMemorySegment(B, MEMORY, q + j + 32, ORDER);
                var w0 = (FloatVector) q0.castShape(F, 0);
                var w1 = (FloatVector) q1.castShape(F, 0);
                var x0 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j, ORDER);
                var x1 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j + 128, ORDER);
                part0 = FMA ? w0.fma(x0, part0) : w0.mul(x0).add(part0);
                part1 = FMA ? w1.fma(x1, part1) : w1.mul(x1).add(part1);
                if (TWO_PARTS) {
                    w0 = (FloatVector) q0.castShape(F, 1);
                    w1 = (FloatVector) q1.castShape(F, 1);
                    x0 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L), ORDER);
                    x1 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L) + 128, ORDER);
                    part0 = FMA ? w0.fma(x0, part0) : w0.mul(x0).add(part0);
                    part1 = FMA ? w1.fma(x1, part1) : w1.mul(x1).add(part1);
                }
            }
            var d0 = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales));
            var d1 = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales + 4));
            sum0 = FMA ? part0.fma(d0, sum0) : part0.mul(d0).add(sum0);
            sum1 = FMA ? part1.fma(d1, sum1) : part1.mul(d1).add(sum1);
        }
        sum0.add(sum1).intoMemorySegment(MEMORY, lanes, ORDER);
        if (count % 64 != 0) last(q, MEMORY.get(FLOAT, scales), 0, x, lanes);
    }

    /** Every 32 elements share a scale and an offset. */
    static void groupsOf32WithOffsets(long q, long scales, long offsets, int count, long x, long lanes) {
        var sum0 = FloatVector.fromMemorySegment(F, MEMORY, lanes, ORDER);
        var sum1 = FloatVector.zero(F);
        var sum2 = FloatVector.zero(F);
        var sum3 = FloatVector.zero(F);
        for (long end = q + (count & -64); q != end; q += 64, x += 256, scales += 8, offsets += 8) {                   // body: 64 elements
            var d0 = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales));
            var m0 = FloatVector.broadcast(F, MEMORY.get(FLOAT, offsets));
            var d1 = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales + 4));
            var m1 = FloatVector.broadcast(F, MEMORY.get(FLOAT, offsets + 4));
            for (int j = 0; j < 16; j += B.length()) {
                var q0 = ByteVector.fromMemorySegment(B, MEMORY, q + j, ORDER);
                var q1 = ByteVector.fromMemorySegment(B, MEMORY, q + j + 16, ORDER);
                var q2 = ByteVector.fromMemorySegment(B, MEMORY, q + j + 32, ORDER);
                var q3 = ByteVector.fromMemorySegment(B, MEMORY, q + j + 48, ORDER);
                var w0 = (FloatVector) q0.castShape(F, 0);
                var w1 = (FloatVector) q1.castShape(F, 0);
                var w2 = (FloatVector) q2.castShape(F, 0);
                var w3 = (FloatVector) q3.castShape(F, 0);
                var x0 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j, ORDER);
                var x1 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j + 64, ORDER);
                var x2 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j + 128, ORDER);
                var x3 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j + 192, ORDER);
                w0 = FMA ? w0.fma(d0, m0) : w0.mul(d0).add(m0);
                w1 = FMA ? w1.fma(d0, m0) : w1.mul(d0).add(m0);
                w2 = FMA ? w2.fma(d1, m1) : w2.mul(d1).add(m1);
                w3 = FMA ? w3.fma(d1, m1) : w3.mul(d1).add(m1);
                sum0 = FMA ? w0.fma(x0, sum0) : w0.mul(x0).add(sum0);
                sum1 = FMA ? w1.fma(x1, sum1) : w1.mul(x1).add(sum1);
                sum2 = FMA ? w2.fma(x2, sum2) : w2.mul(x2).add(sum2);
                sum3 = FMA ? w3.fma(x3, sum3) : w3.mul(x3).add(sum3);
                if (TWO_PARTS) {
                    w0 = (FloatVector) q0.castShape(F, 1);
                    w1 = (FloatVector) q1.castShape(F, 1);
                    w2 = (FloatVector) q2.castShape(F, 1);
                    w3 = (FloatVector) q3.castShape(F, 1);
                    x0 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L), ORDER);
                    x1 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L) + 64, ORDER);
                    x2 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L) + 128, ORDER);
                    x3 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L) + 192, ORDER);
                    w0 = FMA ? w0.fma(d0, m0) : w0.mul(d0).add(m0);
                    w1 = FMA ? w1.fma(d0, m0) : w1.mul(d0).add(m0);
                    w2 = FMA ? w2.fma(d1, m1) : w2.mul(d1).add(m1);
                    w3 = FMA ? w3.fma(d1, m1) : w3.mul(d1).add(m1);
                    sum0 = FMA ? w0.fma(x0, sum0) : w0.mul(x0).add(sum0);
                    sum1 = FMA ? w1.fma(x1, sum1) : w1.mul(x1).add(sum1);
                    sum2 = FMA ? w2.fma(x2, sum2) : w2.mul(x2).add(sum2);
                    sum3 = FMA ? w3.fma(x3, sum3) : w3.mul(x3).add(sum3);
                }
            }
        }
        sum0.add(sum1).add(sum2.add(sum3)).intoMemorySegment(MEMORY, lanes, ORDER);
        if (count % 64 != 0) last(q, MEMORY.get(FLOAT, scales), MEMORY.get(FLOAT, offsets), x, lanes);
    }

    /* A single group at the end of a row, element by element. */
    private static void last(long q, float scale, float offset, long x, long lanes) {
        float sum = MEMORY.get(FLOAT, lanes);
        for (int j = 0; j < 32; j++) sum += (MEMORY.get(JAVA_BYTE, q + j) * scale + offset) * MEMORY.get(FLOAT, x + 4 * j);
        MEMORY.set(FLOAT, lanes, sum);
    }
}
