package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.B;
import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.I;
import static inkstone.tensor.cpu.Lanes.INT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.TWO_PARTS;
import static inkstone.tensor.cpu.Lanes.half;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.ROR;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import inkstone.tensor.DType;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Dot products of weight rows with one activation, straight from the stored blocks: y[o] = w[o] · x for {@code rows} rows at address {@code w}, {@code rowBytes} apart.
 * {@code x} is laid out as {@link Order} says, {@code lanes} is a worker's {@link Scratch#lanes}. Two or four rows run side by side, a part of the range apart, and share every
 * load of x: streams that each go on without a gap, as those of neighbouring rows would not. Against one row at a time Q8_0 runs at 24 instead of 17 GB/s a core at 2048
 * inputs, and at 22 instead of 12 at 8192, where x takes most of the first-level cache (Zen 5). An interface for the reason given in {@link Expand}.
 */
@FunctionalInterface
interface RowDots {
    /** By how many places to the right the fifth bits of Q5_0, low nibbles' and high ones', stand over their nibbles; negative ones go round. */
    IntVector LOW_FIFTHS = IntVector.zero(I).addIndex(1).sub(4), HIGH_FIFTHS = LOW_FIFTHS.add(16);

    void rows(long y, long w, long rowBytes, int rows, long x, int in, long lanes);

    static RowDots of(DType dtype) {
        return switch (dtype) {
            case F32 -> FloatDots::f32;
            case F16 -> FloatDots::f16;
            case BF16 -> FloatDots::bf16;
            case I32 -> throw new UnsupportedOperationException("cpu: I32 is no weight format");
            case Q8_0 -> four(RowDots::q8);
            case Q4_0 -> four(RowDots::q4);
            case Q5_0 -> L == 16 ? two(RowDots::q5) : UnpackedRows.of(dtype);
            case Q4_K -> two(SuperBlockDots::q4k);
            case Q5_K -> two(SuperBlockDots::q5k);
            case Q6_K -> two(SuperBlockDots::q6k);
            default -> UnpackedRows.of(dtype);
        };
    }

    /** y[r · yFar] = w[r · far] · x for the first {@code rows} of four rows; with {@code far} 0 all four are the same. */
    @FunctionalInterface
    interface Four { void rows(long y, long yFar, long w, long far, int rows, long x, int in, long lanes); }

    private static RowDots four(Four four) {
        return (y, w, rowBytes, rows, x, in, lanes) -> {
            int part = rows / 4;
            for (int o = 0; o < part; o++) four.rows(y + 4L * o, 4L * part, w + o * rowBytes, part * rowBytes, 4, x, in, lanes);
            for (int o = 4 * part; o < rows; o++) four.rows(y + 4L * o, 0, w + o * rowBytes, 0, 1, x, in, lanes);
        };
    }

    private static RowDots two(SuperBlockDots.Two two) {
        return (y, w, rowBytes, rows, x, in, lanes) -> {
            int part = rows / 2;
            for (int o = 0; o < part; o++) two.rows(y + 4L * o, 4L * part, w + o * rowBytes, part * rowBytes, x, in, lanes);
            if (rows % 2 != 0) two.rows(y + 4L * (rows - 1), 0, w + (rows - 1) * rowBytes, 0, x, in, lanes);
        };
    }

    private static void q8(long y, long yFar, long w, long far, int rows, long x, int in, long lanes) {
        FloatVector sum0 = FloatVector.zero(F), sum1 = sum0, sum2 = sum0, sum3 = sum0;
        long w2 = w + 2 * far;
        for (long end = w + in / 32 * 34L; w != end; w += 34, w2 += 34, x += 128) {                                    // body: one block of 32 of each row
            FloatVector part0 = FloatVector.zero(F), part1 = part0, part2 = part0, part3 = part0;
            for (int j = 0; j < 32; j += B.length()) {
                var bytes0 = ByteVector.fromMemorySegment(B, MEMORY, w + 2 + j, ORDER);
                var bytes1 = ByteVector.fromMemorySegment(B, MEMORY, w + far + 2 + j, ORDER);
                var bytes2 = ByteVector.fromMemorySegment(B, MEMORY, w2 + 2 + j, ORDER);
                var bytes3 = ByteVector.fromMemorySegment(B, MEMORY, w2 + far + 2 + j, ORDER);
                var v = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j, ORDER);
                var q0 = (FloatVector) bytes0.castShape(F, 0);
                var q1 = (FloatVector) bytes1.castShape(F, 0);
                var q2 = (FloatVector) bytes2.castShape(F, 0);
                var q3 = (FloatVector) bytes3.castShape(F, 0);
                part0 = FMA ? q0.fma(v, part0) : q0.mul(v).add(part0);
                part1 = FMA ? q1.fma(v, part1) : q1.mul(v).add(part1);
                part2 = FMA ? q2.fma(v, part2) : q2.mul(v).add(part2);
                part3 = FMA ? q3.fma(v, part3) : q3.mul(v).add(part3);
                if (TWO_PARTS) {
                    v = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L), ORDER);
                    q0 = (FloatVector) bytes0.castShape(F, 1);
                    q1 = (FloatVector) bytes1.castShape(F, 1);
                    q2 = (FloatVector) bytes2.castShape(F, 1);
                    q3 = (FloatVector) bytes3.castShape(F, 1);
                    part0 = FMA ? q0.fma(v, part0) : q0.mul(v).add(part0);
                    part1 = FMA ? q1.fma(v, part1) : q1.mul(v).add(part1);
                    part2 = FMA ? q2.fma(v, part2) : q2.mul(v).add(part2);
                    part3 = FMA ? q3.fma(v, part3) : q3.mul(v).add(part3);
                }
            }
            var d0 = FloatVector.broadcast(F, half(w));
            var d1 = FloatVector.broadcast(F, half(w + far));
            var d2 = FloatVector.broadcast(F, half(w2));
            var d3 = FloatVector.broadcast(F, half(w2 + far));
            sum0 = FMA ? part0.fma(d0, sum0) : part0.mul(d0).add(sum0);
            sum1 = FMA ? part1.fma(d1, sum1) : part1.mul(d1).add(sum1);
            sum2 = FMA ? part2.fma(d2, sum2) : part2.mul(d2).add(sum2);
            sum3 = FMA ? part3.fma(d3, sum3) : part3.mul(d3).add(sum3);
        }
        sum0.intoMemorySegment(MEMORY, lanes, ORDER);                                                                  // reduce
        sum1.intoMemorySegment(MEMORY, lanes + 64, ORDER);
        sum2.intoMemorySegment(MEMORY, lanes + 128, ORDER);
        sum3.intoMemorySegment(MEMORY, lanes + 192, ORDER);
        for (int r = 0; r < rows; r++) MEMORY.set(FLOAT, y + r * yFar, Lanes.sum(lanes + 64 * r));
    }

    /* A nibble is q + 8; that 8 is taken off by where a block's sum starts, once for all rows: at -8 (x of the low nibbles + x of the high ones). */
    private static void q4(long y, long yFar, long w, long far, int rows, long x, int in, long lanes) {
        FloatVector sum0 = FloatVector.zero(F), sum1 = sum0, sum2 = sum0, sum3 = sum0;
        long w2 = w + 2 * far;
        for (long end = w + in / 32 * 18L; w != end; w += 18, w2 += 18, x += 128) {                                    // body: one block of 32 of each row
            var d0 = FloatVector.broadcast(F, half(w));
            var d1 = FloatVector.broadcast(F, half(w + far));
            var d2 = FloatVector.broadcast(F, half(w2));
            var d3 = FloatVector.broadcast(F, half(w2 + far));
            for (int j = 0; j < 16; j += B.length()) {
                var bytes0 = ByteVector.fromMemorySegment(B, MEMORY, w + 2 + j, ORDER);
                var bytes1 = ByteVector.fromMemorySegment(B, MEMORY, w + far + 2 + j, ORDER);
                var bytes2 = ByteVector.fromMemorySegment(B, MEMORY, w2 + 2 + j, ORDER);
                var bytes3 = ByteVector.fromMemorySegment(B, MEMORY, w2 + far + 2 + j, ORDER);
                var low = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j, ORDER);
                var high = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j + 64, ORDER);
                var start = low.add(high).mul(-8);
                var pairs0 = (IntVector) bytes0.convertShape(ZERO_EXTEND_B2I, I, 0);
                var pairs1 = (IntVector) bytes1.convertShape(ZERO_EXTEND_B2I, I, 0);
                var pairs2 = (IntVector) bytes2.convertShape(ZERO_EXTEND_B2I, I, 0);
                var pairs3 = (IntVector) bytes3.convertShape(ZERO_EXTEND_B2I, I, 0);
                var q0 = (FloatVector) pairs0.and(15).castShape(F, 0);
                var q1 = (FloatVector) pairs1.and(15).castShape(F, 0);
                var q2 = (FloatVector) pairs2.and(15).castShape(F, 0);
                var q3 = (FloatVector) pairs3.and(15).castShape(F, 0);
                var part0 = FMA ? q0.fma(low, start) : q0.mul(low).add(start);
                var part1 = FMA ? q1.fma(low, start) : q1.mul(low).add(start);
                var part2 = FMA ? q2.fma(low, start) : q2.mul(low).add(start);
                var part3 = FMA ? q3.fma(low, start) : q3.mul(low).add(start);
                q0 = (FloatVector) pairs0.lanewise(LSHR, 4).castShape(F, 0);
                q1 = (FloatVector) pairs1.lanewise(LSHR, 4).castShape(F, 0);
                q2 = (FloatVector) pairs2.lanewise(LSHR, 4).castShape(F, 0);
                q3 = (FloatVector) pairs3.lanewise(LSHR, 4).castShape(F, 0);
                part0 = FMA ? q0.fma(high, part0) : q0.mul(high).add(part0);
                part1 = FMA ? q1.fma(high, part1) : q1.mul(high).add(part1);
                part2 = FMA ? q2.fma(high, part2) : q2.mul(high).add(part2);
                part3 = FMA ? q3.fma(high, part3) : q3.mul(high).add(part3);
                sum0 = FMA ? part0.fma(d0, sum0) : part0.mul(d0).add(sum0);
                sum1 = FMA ? part1.fma(d1, sum1) : part1.mul(d1).add(sum1);
                sum2 = FMA ? part2.fma(d2, sum2) : part2.mul(d2).add(sum2);
                sum3 = FMA ? part3.fma(d3, sum3) : part3.mul(d3).add(sum3);
                if (TWO_PARTS) {
                    low = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L), ORDER);
                    high = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L) + 64, ORDER);
                    start = low.add(high).mul(-8);
                    pairs0 = (IntVector) bytes0.convertShape(ZERO_EXTEND_B2I, I, 1);
                    pairs1 = (IntVector) bytes1.convertShape(ZERO_EXTEND_B2I, I, 1);
                    pairs2 = (IntVector) bytes2.convertShape(ZERO_EXTEND_B2I, I, 1);
                    pairs3 = (IntVector) bytes3.convertShape(ZERO_EXTEND_B2I, I, 1);
                    q0 = (FloatVector) pairs0.and(15).castShape(F, 0);
                    q1 = (FloatVector) pairs1.and(15).castShape(F, 0);
                    q2 = (FloatVector) pairs2.and(15).castShape(F, 0);
                    q3 = (FloatVector) pairs3.and(15).castShape(F, 0);
                    part0 = FMA ? q0.fma(low, start) : q0.mul(low).add(start);
                    part1 = FMA ? q1.fma(low, start) : q1.mul(low).add(start);
                    part2 = FMA ? q2.fma(low, start) : q2.mul(low).add(start);
                    part3 = FMA ? q3.fma(low, start) : q3.mul(low).add(start);
                    q0 = (FloatVector) pairs0.lanewise(LSHR, 4).castShape(F, 0);
                    q1 = (FloatVector) pairs1.lanewise(LSHR, 4).castShape(F, 0);
                    q2 = (FloatVector) pairs2.lanewise(LSHR, 4).castShape(F, 0);
                    q3 = (FloatVector) pairs3.lanewise(LSHR, 4).castShape(F, 0);
                    part0 = FMA ? q0.fma(high, part0) : q0.mul(high).add(part0);
                    part1 = FMA ? q1.fma(high, part1) : q1.mul(high).add(part1);
                    part2 = FMA ? q2.fma(high, part2) : q2.mul(high).add(part2);
                    part3 = FMA ? q3.fma(high, part3) : q3.mul(high).add(part3);
                    sum0 = FMA ? part0.fma(d0, sum0) : part0.mul(d0).add(sum0);
                    sum1 = FMA ? part1.fma(d1, sum1) : part1.mul(d1).add(sum1);
                    sum2 = FMA ? part2.fma(d2, sum2) : part2.mul(d2).add(sum2);
                    sum3 = FMA ? part3.fma(d3, sum3) : part3.mul(d3).add(sum3);
                }
            }
        }
        sum0.intoMemorySegment(MEMORY, lanes, ORDER);
        sum1.intoMemorySegment(MEMORY, lanes + 64, ORDER);
        sum2.intoMemorySegment(MEMORY, lanes + 128, ORDER);
        sum3.intoMemorySegment(MEMORY, lanes + 192, ORDER);
        for (int r = 0; r < rows; r++) MEMORY.set(FLOAT, y + r * yFar, Lanes.sum(lanes + 64 * r));
    }

    /*
     * As Q4_0, but for the fifth bits, which lie in one int for all 32 elements: rotated by as many places as an element has neighbours before it, its bit comes to stand over its
     * nibble. An element is q + 16. For vectors of 16 alone.
     */
    private static void q5(long y, long yFar, long block, long far, long x, int in, long lanes) {
        FloatVector sum0 = FloatVector.zero(F), sum1 = sum0;
        long other = block + far;
        for (long end = block + in / 32 * 22L; block != end; block += 22, other += 22, x += 128) {                     // body: one block of 32 of both rows
            var d0 = FloatVector.broadcast(F, half(block));
            var d1 = FloatVector.broadcast(F, half(other));
            var fifth0 = IntVector.broadcast(I, MEMORY.get(INT, block + 2));
            var fifth1 = IntVector.broadcast(I, MEMORY.get(INT, other + 2));
            var bytes0 = ByteVector.fromMemorySegment(B, MEMORY, block + 6, ORDER);
            var bytes1 = ByteVector.fromMemorySegment(B, MEMORY, other + 6, ORDER);
            var low = FloatVector.fromMemorySegment(F, MEMORY, x, ORDER);
            var high = FloatVector.fromMemorySegment(F, MEMORY, x + 64, ORDER);
            var start = low.add(high).mul(-16);
            var pairs0 = (IntVector) bytes0.convertShape(ZERO_EXTEND_B2I, I, 0);
            var pairs1 = (IntVector) bytes1.convertShape(ZERO_EXTEND_B2I, I, 0);
            var q0 = (FloatVector) pairs0.and(15).or(fifth0.lanewise(ROR, LOW_FIFTHS).and(16)).castShape(F, 0);
            var q1 = (FloatVector) pairs1.and(15).or(fifth1.lanewise(ROR, LOW_FIFTHS).and(16)).castShape(F, 0);
            var part0 = FMA ? q0.fma(low, start) : q0.mul(low).add(start);
            var part1 = FMA ? q1.fma(low, start) : q1.mul(low).add(start);
            q0 = (FloatVector) pairs0.lanewise(LSHR, 4).or(fifth0.lanewise(ROR, HIGH_FIFTHS).and(16)).castShape(F, 0);
            q1 = (FloatVector) pairs1.lanewise(LSHR, 4).or(fifth1.lanewise(ROR, HIGH_FIFTHS).and(16)).castShape(F, 0);
            part0 = FMA ? q0.fma(high, part0) : q0.mul(high).add(part0);
            part1 = FMA ? q1.fma(high, part1) : q1.mul(high).add(part1);
            sum0 = FMA ? part0.fma(d0, sum0) : part0.mul(d0).add(sum0);
            sum1 = FMA ? part1.fma(d1, sum1) : part1.mul(d1).add(sum1);
        }
        sum0.intoMemorySegment(MEMORY, lanes, ORDER);                                                                  // reduce
        sum1.intoMemorySegment(MEMORY, lanes + 64, ORDER);
        MEMORY.set(FLOAT, y, Lanes.sum(lanes));
        MEMORY.set(FLOAT, y + yFar, Lanes.sum(lanes + 64));
    }
}
