package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.I;
import static inkstone.tensor.cpu.Lanes.INT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.half;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * {@link RowDots} of Q4_K, Q5_K and Q6_K, two rows side by side. Quants are loaded as ints of four bytes each and never moved: the bits of one byte are masked where they lie,
 * which makes q times a power of two, an exact float, and the activations come in the order and with the power of two that answers it ({@link Order}). For a vector of weights that
 * is one and, one conversion and one fma. Scales are applied once for each group of 16 or 32, and what all elements of a group have taken off (-32 in Q6_K, the offsets of Q4_K
 * and Q5_K) is multiplied by the sum of the group's activations. Vectors of 16 floats hold all numbers of a block's head and keep them; shorter ones fetch them from scratch
 * memory. Two rows, not four, which C2 had not compiled after 6 seconds (SPEED.md). Loops over few steps end with !=, here and in {@link Unpack}: C2 splits a loop that it can
 * count in three, and of a handful of steps most then fall outside the fast part. Sums lie in memory, and no vector is carried through two loops, one in
 * the other: C2 would know its species only from what it saw elsewhere, and boxed here once shorter vectors had been at work (reading a prompt was enough).
 */
final class SuperBlockDots {
    /** Where a worker's scratch memory holds 16 floats for each row's block, behind the lanes of vectors. */
    private static final int HEADERS = 64 * Scratch.VECTORS;
    /** Bytes of scratch memory in use; a load before a shuffle may reach a vector further. */
    static final int SCRATCH = HEADERS + 128 + 64;

    /** Which of the scales from a vector's first group on is that of each lane: four lanes have one (groups of 16, four elements a lane), or eight lanes have every second. */
    private static final VectorShuffle<Float> BY_FOUR = VectorShuffle.fromOp(F, lane -> lane / 4), BY_EIGHT = VectorShuffle.fromOp(F, lane -> lane / 8 * 2);
    /** For vectors of 16, which take a block in two: the scales of high nibbles in the first half, and of both in the second. */
    private static final VectorShuffle<Float> BY_FOUR_NEXT = later(BY_FOUR, 4), BY_FOUR_LATER = later(BY_FOUR, 8), BY_FOUR_LAST = later(BY_FOUR, 12),
        BY_EIGHT_NEXT = later(BY_EIGHT, 1), BY_EIGHT_LATER = later(BY_EIGHT, 4), BY_EIGHT_LAST = later(BY_EIGHT, 5);
    private static final VectorMask<Float> OFFSETS = VectorMask.fromLong(F, 0xff00);
    /** Vectors of 16 ints take 32 bytes of upper bits twice: where each lane finds them, and how far down those of the second half lie. */
    private static final VectorShuffle<Integer> TWICE = VectorShuffle.fromOp(I, lane -> lane % 8);
    private static final IntVector SECOND_BY_TWO = IntVector.fromArray(I, Arrays.copyOf(new int[] {0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2}, L), 0);
    private static final VectorSpecies<Byte> SIXTEEN = ByteVector.SPECIES_128;
    private static final VectorSpecies<Long> TWO_LONGS = LongVector.SPECIES_128;
    private static final VectorSpecies<Integer> EIGHT = IntVector.SPECIES_256;

    private SuperBlockDots() {}

    private static VectorShuffle<Float> later(VectorShuffle<Float> shuffle, int scales) { return VectorShuffle.fromOp(F, lane -> (shuffle.laneSource(lane) + scales) % L); }

    /** y = w · x for the row at {@code block} and, at {@code y + yFar}, for the row {@code far} bytes further; with 0 and 0 they are one. */
    @FunctionalInterface
    interface Two { void rows(long y, long yFar, long block, long far, long x, int in, long lanes); }

    static void q4k(long y, long yFar, long block, long far, long x, int in, long lanes) {
        FloatVector.zero(F).intoMemorySegment(MEMORY, lanes, ORDER);
        FloatVector.zero(F).intoMemorySegment(MEMORY, lanes + 64, ORDER);
        long header = lanes + HEADERS, other = block + far, sums = x + 4L * in;
        for (long last = block + in / 256 * 144; block != last; block += 144, other += 144, sums += 64) {
            FloatVector scales0, scales1;
            if (L == 16) {
                var v = FloatVector.fromMemorySegment(F, MEMORY, sums, ORDER);
                int s0 = MEMORY.get(INT, block + 4), m0 = MEMORY.get(INT, block + 8), both0 = MEMORY.get(INT, block + 12);
                var bytes0 = LongVector.broadcast(TWO_LONGS, s0 & 0x3f3f3f3f | (long) (both0 & 0x0f0f0f0f | s0 >>> 2 & 0x30303030) << 32)
                    .withLane(1, m0 & 0x3f3f3f3f | (long) (both0 >>> 4 & 0x0f0f0f0f | m0 >>> 2 & 0x30303030) << 32).reinterpretAsBytes();
                var d0 = FloatVector.broadcast(F, half(block)).blend(FloatVector.broadcast(F, -half(block + 2)), OFFSETS);
                scales0 = ((FloatVector) bytes0.castShape(F, 0)).mul(d0);
                FloatVector.fromMemorySegment(F, MEMORY, lanes, ORDER).add(scales0.mul(v)).intoMemorySegment(MEMORY, lanes, ORDER);
                int s1 = MEMORY.get(INT, other + 4), m1 = MEMORY.get(INT, other + 8), both1 = MEMORY.get(INT, other + 12);
                var bytes1 = LongVector.broadcast(TWO_LONGS, s1 & 0x3f3f3f3f | (long) (both1 & 0x0f0f0f0f | s1 >>> 2 & 0x30303030) << 32)
                    .withLane(1, m1 & 0x3f3f3f3f | (long) (both1 >>> 4 & 0x0f0f0f0f | m1 >>> 2 & 0x30303030) << 32).reinterpretAsBytes();
                var d1 = FloatVector.broadcast(F, half(other)).blend(FloatVector.broadcast(F, -half(other + 2)), OFFSETS);
                scales1 = ((FloatVector) bytes1.castShape(F, 0)).mul(d1);
                FloatVector.fromMemorySegment(F, MEMORY, lanes + 64, ORDER).add(scales1.mul(v)).intoMemorySegment(MEMORY, lanes + 64, ORDER);
            } else {
                sixBits(block, header);
                sixBits(other, header + 64);
                scales0 = scales1 = FloatVector.zero(F);
                for (int i = 0; i != 64; i += 4 * L) {
                    var v = FloatVector.fromMemorySegment(F, MEMORY, sums + i, ORDER);
                    scales0 = FloatVector.fromMemorySegment(F, MEMORY, header + i, ORDER);
                    FloatVector.fromMemorySegment(F, MEMORY, lanes, ORDER).add(scales0.mul(v)).intoMemorySegment(MEMORY, lanes, ORDER);
                    scales1 = FloatVector.fromMemorySegment(F, MEMORY, header + 64 + i, ORDER);
                    FloatVector.fromMemorySegment(F, MEMORY, lanes + 64, ORDER).add(scales1.mul(v)).intoMemorySegment(MEMORY, lanes + 64, ORDER);
                }
            }
            for (int at = 0; at != 128; at += 4 * L, x += 32 * L) {                                                    // body: eight elements a lane of both rows
                var v0 = IntVector.fromMemorySegment(I, MEMORY, block + 16 + at, ORDER);
                var v1 = IntVector.fromMemorySegment(I, MEMORY, other + 16 + at, ORDER);
                var u0 = v0.lanewise(LSHR, 4);
                var u1 = v1.lanewise(LSHR, 4);
                var a = FloatVector.fromMemorySegment(F, MEMORY, x, ORDER);
                var low0 = ((FloatVector) v0.and(0xf).castShape(F, 0)).mul(a);
                var low1 = ((FloatVector) v1.and(0xf).castShape(F, 0)).mul(a);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * L, ORDER);
                var high0 = ((FloatVector) u0.and(0xf).castShape(F, 0)).mul(a);
                var high1 = ((FloatVector) u1.and(0xf).castShape(F, 0)).mul(a);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 8 * L, ORDER);
                var q0 = (FloatVector) v0.and(0xf00).castShape(F, 0);
                var q1 = (FloatVector) v1.and(0xf00).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 12 * L, ORDER);
                q0 = (FloatVector) u0.and(0xf00).castShape(F, 0);
                q1 = (FloatVector) u1.and(0xf00).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 16 * L, ORDER);
                q0 = (FloatVector) v0.and(0xf0000).castShape(F, 0);
                q1 = (FloatVector) v1.and(0xf0000).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 20 * L, ORDER);
                q0 = (FloatVector) u0.and(0xf0000).castShape(F, 0);
                q1 = (FloatVector) u1.and(0xf0000).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 24 * L, ORDER);
                q0 = (FloatVector) v0.and(0xf000000).castShape(F, 0);
                q1 = (FloatVector) v1.and(0xf000000).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 28 * L, ORDER);
                q0 = (FloatVector) u0.and(0xf000000).castShape(F, 0);
                q1 = (FloatVector) u1.and(0xf000000).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                FloatVector first0, first1, second0, second1;
                if (L == 16) {
                    first0 = at == 0 ? scales0.rearrange(BY_EIGHT) : scales0.rearrange(BY_EIGHT_LATER);
                    second0 = at == 0 ? scales0.rearrange(BY_EIGHT_NEXT) : scales0.rearrange(BY_EIGHT_LAST);
                    first1 = at == 0 ? scales1.rearrange(BY_EIGHT) : scales1.rearrange(BY_EIGHT_LATER);
                    second1 = at == 0 ? scales1.rearrange(BY_EIGHT_NEXT) : scales1.rearrange(BY_EIGHT_LAST);
                } else {
                    long scale = header + at / 32 * 8;
                    first0 = FloatVector.fromMemorySegment(F, MEMORY, scale, ORDER).rearrange(BY_EIGHT);
                    second0 = FloatVector.fromMemorySegment(F, MEMORY, scale + 4, ORDER).rearrange(BY_EIGHT);
                    first1 = FloatVector.fromMemorySegment(F, MEMORY, scale + 64, ORDER).rearrange(BY_EIGHT);
                    second1 = FloatVector.fromMemorySegment(F, MEMORY, scale + 68, ORDER).rearrange(BY_EIGHT);
                }
                var sum0 = FloatVector.fromMemorySegment(F, MEMORY, lanes, ORDER);
                sum0 = FMA ? low0.fma(first0, sum0) : low0.mul(first0).add(sum0);
                (FMA ? high0.fma(second0, sum0) : high0.mul(second0).add(sum0)).intoMemorySegment(MEMORY, lanes, ORDER);
                var sum1 = FloatVector.fromMemorySegment(F, MEMORY, lanes + 64, ORDER);
                sum1 = FMA ? low1.fma(first1, sum1) : low1.mul(first1).add(sum1);
                (FMA ? high1.fma(second1, sum1) : high1.mul(second1).add(sum1)).intoMemorySegment(MEMORY, lanes + 64, ORDER);
            }
        }
        MEMORY.set(FLOAT, y, Lanes.sum(lanes));
        MEMORY.set(FLOAT, y + yFar, Lanes.sum(lanes + 64));
    }

    static void q5k(long y, long yFar, long block, long far, long x, int in, long lanes) {
        FloatVector.zero(F).intoMemorySegment(MEMORY, lanes, ORDER);
        FloatVector.zero(F).intoMemorySegment(MEMORY, lanes + 64, ORDER);
        long header = lanes + HEADERS, other = block + far, sums = x + 4L * in;
        for (long last = block + in / 256 * 176; block != last; block += 176, other += 176, sums += 64) {
            FloatVector scales0, scales1;
            if (L == 16) {
                var v = FloatVector.fromMemorySegment(F, MEMORY, sums, ORDER);
                int s0 = MEMORY.get(INT, block + 4), m0 = MEMORY.get(INT, block + 8), both0 = MEMORY.get(INT, block + 12);
                var bytes0 = LongVector.broadcast(TWO_LONGS, s0 & 0x3f3f3f3f | (long) (both0 & 0x0f0f0f0f | s0 >>> 2 & 0x30303030) << 32)
                    .withLane(1, m0 & 0x3f3f3f3f | (long) (both0 >>> 4 & 0x0f0f0f0f | m0 >>> 2 & 0x30303030) << 32).reinterpretAsBytes();
                var d0 = FloatVector.broadcast(F, half(block)).blend(FloatVector.broadcast(F, -half(block + 2)), OFFSETS);
                scales0 = ((FloatVector) bytes0.castShape(F, 0)).mul(d0);
                FloatVector.fromMemorySegment(F, MEMORY, lanes, ORDER).add(scales0.mul(v)).intoMemorySegment(MEMORY, lanes, ORDER);
                int s1 = MEMORY.get(INT, other + 4), m1 = MEMORY.get(INT, other + 8), both1 = MEMORY.get(INT, other + 12);
                var bytes1 = LongVector.broadcast(TWO_LONGS, s1 & 0x3f3f3f3f | (long) (both1 & 0x0f0f0f0f | s1 >>> 2 & 0x30303030) << 32)
                    .withLane(1, m1 & 0x3f3f3f3f | (long) (both1 >>> 4 & 0x0f0f0f0f | m1 >>> 2 & 0x30303030) << 32).reinterpretAsBytes();
                var d1 = FloatVector.broadcast(F, half(other)).blend(FloatVector.broadcast(F, -half(other + 2)), OFFSETS);
                scales1 = ((FloatVector) bytes1.castShape(F, 0)).mul(d1);
                FloatVector.fromMemorySegment(F, MEMORY, lanes + 64, ORDER).add(scales1.mul(v)).intoMemorySegment(MEMORY, lanes + 64, ORDER);
            } else {
                sixBits(block, header);
                sixBits(other, header + 64);
                scales0 = scales1 = FloatVector.zero(F);
                for (int i = 0; i != 64; i += 4 * L) {
                    var v = FloatVector.fromMemorySegment(F, MEMORY, sums + i, ORDER);
                    scales0 = FloatVector.fromMemorySegment(F, MEMORY, header + i, ORDER);
                    FloatVector.fromMemorySegment(F, MEMORY, lanes, ORDER).add(scales0.mul(v)).intoMemorySegment(MEMORY, lanes, ORDER);
                    scales1 = FloatVector.fromMemorySegment(F, MEMORY, header + 64 + i, ORDER);
                    FloatVector.fromMemorySegment(F, MEMORY, lanes + 64, ORDER).add(scales1.mul(v)).intoMemorySegment(MEMORY, lanes + 64, ORDER);
                }
            }
            for (int at = 0; at != 128; at += 4 * L, x += 32 * L) {                                                    // body: eight elements a lane of both rows
                var v0 = IntVector.fromMemorySegment(I, MEMORY, block + 48 + at, ORDER);
                var v1 = IntVector.fromMemorySegment(I, MEMORY, other + 48 + at, ORDER);
                IntVector bits0;
                if (L == 16) bits0 = IntVector.fromMemorySegment(EIGHT, MEMORY, block + 16, ORDER).reinterpretShape(I, 0).reinterpretAsInts().rearrange(TWICE).lanewise(LSHR, SECOND_BY_TWO).lanewise(LSHR, at / 16);
                else bits0 = IntVector.fromMemorySegment(I, MEMORY, block + 16 + at % 32, ORDER).lanewise(LSHR, at / 32 * 2);
                var u0 = v0.lanewise(LSHR, 4).and(0x0f0f0f0f).or(bits0.lanewise(LSHL, 3).and(0x10101010));
                v0 = v0.and(0x0f0f0f0f).or(bits0.lanewise(LSHL, 4).and(0x10101010));
                IntVector bits1;
                if (L == 16) bits1 = IntVector.fromMemorySegment(EIGHT, MEMORY, other + 16, ORDER).reinterpretShape(I, 0).reinterpretAsInts().rearrange(TWICE).lanewise(LSHR, SECOND_BY_TWO).lanewise(LSHR, at / 16);
                else bits1 = IntVector.fromMemorySegment(I, MEMORY, other + 16 + at % 32, ORDER).lanewise(LSHR, at / 32 * 2);
                var u1 = v1.lanewise(LSHR, 4).and(0x0f0f0f0f).or(bits1.lanewise(LSHL, 3).and(0x10101010));
                v1 = v1.and(0x0f0f0f0f).or(bits1.lanewise(LSHL, 4).and(0x10101010));
                var a = FloatVector.fromMemorySegment(F, MEMORY, x, ORDER);
                var low0 = ((FloatVector) v0.and(0xff).castShape(F, 0)).mul(a);
                var low1 = ((FloatVector) v1.and(0xff).castShape(F, 0)).mul(a);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * L, ORDER);
                var high0 = ((FloatVector) u0.and(0xff).castShape(F, 0)).mul(a);
                var high1 = ((FloatVector) u1.and(0xff).castShape(F, 0)).mul(a);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 8 * L, ORDER);
                var q0 = (FloatVector) v0.and(0xff00).castShape(F, 0);
                var q1 = (FloatVector) v1.and(0xff00).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 12 * L, ORDER);
                q0 = (FloatVector) u0.and(0xff00).castShape(F, 0);
                q1 = (FloatVector) u1.and(0xff00).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 16 * L, ORDER);
                q0 = (FloatVector) v0.and(0xff0000).castShape(F, 0);
                q1 = (FloatVector) v1.and(0xff0000).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 20 * L, ORDER);
                q0 = (FloatVector) u0.and(0xff0000).castShape(F, 0);
                q1 = (FloatVector) u1.and(0xff0000).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 24 * L, ORDER);
                q0 = (FloatVector) v0.and(0xff000000).castShape(F, 0);
                q1 = (FloatVector) v1.and(0xff000000).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 28 * L, ORDER);
                q0 = (FloatVector) u0.and(0xff000000).castShape(F, 0);
                q1 = (FloatVector) u1.and(0xff000000).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                FloatVector first0, first1, second0, second1;
                if (L == 16) {
                    first0 = at == 0 ? scales0.rearrange(BY_EIGHT) : scales0.rearrange(BY_EIGHT_LATER);
                    second0 = at == 0 ? scales0.rearrange(BY_EIGHT_NEXT) : scales0.rearrange(BY_EIGHT_LAST);
                    first1 = at == 0 ? scales1.rearrange(BY_EIGHT) : scales1.rearrange(BY_EIGHT_LATER);
                    second1 = at == 0 ? scales1.rearrange(BY_EIGHT_NEXT) : scales1.rearrange(BY_EIGHT_LAST);
                } else {
                    long scale = header + at / 32 * 8;
                    first0 = FloatVector.fromMemorySegment(F, MEMORY, scale, ORDER).rearrange(BY_EIGHT);
                    second0 = FloatVector.fromMemorySegment(F, MEMORY, scale + 4, ORDER).rearrange(BY_EIGHT);
                    first1 = FloatVector.fromMemorySegment(F, MEMORY, scale + 64, ORDER).rearrange(BY_EIGHT);
                    second1 = FloatVector.fromMemorySegment(F, MEMORY, scale + 68, ORDER).rearrange(BY_EIGHT);
                }
                var sum0 = FloatVector.fromMemorySegment(F, MEMORY, lanes, ORDER);
                sum0 = FMA ? low0.fma(first0, sum0) : low0.mul(first0).add(sum0);
                (FMA ? high0.fma(second0, sum0) : high0.mul(second0).add(sum0)).intoMemorySegment(MEMORY, lanes, ORDER);
                var sum1 = FloatVector.fromMemorySegment(F, MEMORY, lanes + 64, ORDER);
                sum1 = FMA ? low1.fma(first1, sum1) : low1.mul(first1).add(sum1);
                (FMA ? high1.fma(second1, sum1) : high1.mul(second1).add(sum1)).intoMemorySegment(MEMORY, lanes + 64, ORDER);
            }
        }
        MEMORY.set(FLOAT, y, Lanes.sum(lanes));
        MEMORY.set(FLOAT, y + yFar, Lanes.sum(lanes + 64));
    }

    static void q6k(long y, long yFar, long block, long far, long x, int in, long lanes) {
        FloatVector.zero(F).intoMemorySegment(MEMORY, lanes, ORDER);
        FloatVector.zero(F).intoMemorySegment(MEMORY, lanes + 64, ORDER);
        long header = lanes + HEADERS, other = block + far, sums = x + 4L * in;
        for (long last = block + in / 256 * 210; block != last; block += 210, other += 210, sums += 64) {
            FloatVector scales0, scales1;
            if (L == 16) {
                var v = FloatVector.fromMemorySegment(F, MEMORY, sums, ORDER);
                var bytes0 = ByteVector.fromMemorySegment(SIXTEEN, MEMORY, block + 192, ORDER);
                var d0 = FloatVector.broadcast(F, half(block + 208));
                scales0 = ((FloatVector) bytes0.castShape(F, 0)).mul(d0);
                FloatVector.fromMemorySegment(F, MEMORY, lanes, ORDER).add(scales0.mul(v)).intoMemorySegment(MEMORY, lanes, ORDER);
                var bytes1 = ByteVector.fromMemorySegment(SIXTEEN, MEMORY, other + 192, ORDER);
                var d1 = FloatVector.broadcast(F, half(other + 208));
                scales1 = ((FloatVector) bytes1.castShape(F, 0)).mul(d1);
                FloatVector.fromMemorySegment(F, MEMORY, lanes + 64, ORDER).add(scales1.mul(v)).intoMemorySegment(MEMORY, lanes + 64, ORDER);
            } else {
                eightBits(block, header);
                eightBits(other, header + 64);
                scales0 = scales1 = FloatVector.zero(F);
                for (int i = 0; i != 64; i += 4 * L) {
                    var v = FloatVector.fromMemorySegment(F, MEMORY, sums + i, ORDER);
                    scales0 = FloatVector.fromMemorySegment(F, MEMORY, header + i, ORDER);
                    FloatVector.fromMemorySegment(F, MEMORY, lanes, ORDER).add(scales0.mul(v)).intoMemorySegment(MEMORY, lanes, ORDER);
                    scales1 = FloatVector.fromMemorySegment(F, MEMORY, header + 64 + i, ORDER);
                    FloatVector.fromMemorySegment(F, MEMORY, lanes + 64, ORDER).add(scales1.mul(v)).intoMemorySegment(MEMORY, lanes + 64, ORDER);
                }
            }
            for (int at = 0; at != 128; at += 4 * L, x += 32 * L) {                                                    // body: eight elements a lane of both rows
                var v0 = IntVector.fromMemorySegment(I, MEMORY, block + at, ORDER);
                var v1 = IntVector.fromMemorySegment(I, MEMORY, other + at, ORDER);
                IntVector bits0;
                if (L == 16) bits0 = IntVector.fromMemorySegment(EIGHT, MEMORY, block + 128 + at / 2, ORDER).reinterpretShape(I, 0).reinterpretAsInts().rearrange(TWICE).lanewise(LSHR, SECOND_BY_TWO);
                else bits0 = IntVector.fromMemorySegment(I, MEMORY, block + 128 + at / 64 * 32 + at % 32, ORDER).lanewise(LSHR, at % 64 / 32 * 2);
                var u0 = v0.lanewise(LSHR, 4).and(0x0f0f0f0f).or(bits0.and(0x30303030));
                v0 = v0.and(0x0f0f0f0f).or(bits0.lanewise(LSHL, 4).and(0x30303030));
                IntVector bits1;
                if (L == 16) bits1 = IntVector.fromMemorySegment(EIGHT, MEMORY, other + 128 + at / 2, ORDER).reinterpretShape(I, 0).reinterpretAsInts().rearrange(TWICE).lanewise(LSHR, SECOND_BY_TWO);
                else bits1 = IntVector.fromMemorySegment(I, MEMORY, other + 128 + at / 64 * 32 + at % 32, ORDER).lanewise(LSHR, at % 64 / 32 * 2);
                var u1 = v1.lanewise(LSHR, 4).and(0x0f0f0f0f).or(bits1.and(0x30303030));
                v1 = v1.and(0x0f0f0f0f).or(bits1.lanewise(LSHL, 4).and(0x30303030));
                var a = FloatVector.fromMemorySegment(F, MEMORY, x, ORDER);
                var low0 = ((FloatVector) v0.and(0xff).castShape(F, 0)).mul(a);
                var low1 = ((FloatVector) v1.and(0xff).castShape(F, 0)).mul(a);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * L, ORDER);
                var high0 = ((FloatVector) u0.and(0xff).castShape(F, 0)).mul(a);
                var high1 = ((FloatVector) u1.and(0xff).castShape(F, 0)).mul(a);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 8 * L, ORDER);
                var q0 = (FloatVector) v0.and(0xff00).castShape(F, 0);
                var q1 = (FloatVector) v1.and(0xff00).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 12 * L, ORDER);
                q0 = (FloatVector) u0.and(0xff00).castShape(F, 0);
                q1 = (FloatVector) u1.and(0xff00).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 16 * L, ORDER);
                q0 = (FloatVector) v0.and(0xff0000).castShape(F, 0);
                q1 = (FloatVector) v1.and(0xff0000).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 20 * L, ORDER);
                q0 = (FloatVector) u0.and(0xff0000).castShape(F, 0);
                q1 = (FloatVector) u1.and(0xff0000).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 24 * L, ORDER);
                q0 = (FloatVector) v0.and(0xff000000).castShape(F, 0);
                q1 = (FloatVector) v1.and(0xff000000).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 28 * L, ORDER);
                q0 = (FloatVector) u0.and(0xff000000).castShape(F, 0);
                q1 = (FloatVector) u1.and(0xff000000).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                FloatVector first0, first1, second0, second1;
                if (L == 16) {
                    first0 = at == 0 ? scales0.rearrange(BY_FOUR) : scales0.rearrange(BY_FOUR_LATER);
                    second0 = at == 0 ? scales0.rearrange(BY_FOUR_NEXT) : scales0.rearrange(BY_FOUR_LAST);
                    first1 = at == 0 ? scales1.rearrange(BY_FOUR) : scales1.rearrange(BY_FOUR_LATER);
                    second1 = at == 0 ? scales1.rearrange(BY_FOUR_NEXT) : scales1.rearrange(BY_FOUR_LAST);
                } else {
                    long scale = header + (at / 64 * 8 + at % 64 / 16) * 4;
                    first0 = FloatVector.fromMemorySegment(F, MEMORY, scale, ORDER).rearrange(BY_FOUR);
                    second0 = FloatVector.fromMemorySegment(F, MEMORY, scale + 16, ORDER).rearrange(BY_FOUR);
                    first1 = FloatVector.fromMemorySegment(F, MEMORY, scale + 64, ORDER).rearrange(BY_FOUR);
                    second1 = FloatVector.fromMemorySegment(F, MEMORY, scale + 80, ORDER).rearrange(BY_FOUR);
                }
                var sum0 = FloatVector.fromMemorySegment(F, MEMORY, lanes, ORDER);
                sum0 = FMA ? low0.fma(first0, sum0) : low0.mul(first0).add(sum0);
                (FMA ? high0.fma(second0, sum0) : high0.mul(second0).add(sum0)).intoMemorySegment(MEMORY, lanes, ORDER);
                var sum1 = FloatVector.fromMemorySegment(F, MEMORY, lanes + 64, ORDER);
                sum1 = FMA ? low1.fma(first1, sum1) : low1.mul(first1).add(sum1);
                (FMA ? high1.fma(second1, sum1) : high1.mul(second1).add(sum1)).intoMemorySegment(MEMORY, lanes + 64, ORDER);
            }
        }
        MEMORY.set(FLOAT, y, Lanes.sum(lanes));
        MEMORY.set(FLOAT, y + yFar, Lanes.sum(lanes + 64));
    }

    /** Eight scales and then eight offsets of a block of Q4_K or Q5_K, which begins with d, e and twelve bytes of six-bit numbers: see {@link inkstone.tensor.Blocks}. */
    private static void sixBits(long block, long header) {
        int s = MEMORY.get(INT, block + 4), m = MEMORY.get(INT, block + 8), both = MEMORY.get(INT, block + 12);
        int lastScales = both & 0x0f0f0f0f | s >>> 2 & 0x30303030, lastOffsets = both >>> 4 & 0x0f0f0f0f | m >>> 2 & 0x30303030;
        float d = half(block), e = -half(block + 2);
        for (int g = 0; g < 4; g++) {
            MEMORY.set(FLOAT, header + 4 * g, (s >>> 8 * g & 63) * d);
            MEMORY.set(FLOAT, header + 4 * g + 16, (lastScales >>> 8 * g & 63) * d);
            MEMORY.set(FLOAT, header + 4 * g + 32, (m >>> 8 * g & 63) * e);
            MEMORY.set(FLOAT, header + 4 * g + 48, (lastOffsets >>> 8 * g & 63) * e);
        }
    }

    /** Sixteen scales of a block of Q6_K. */
    private static void eightBits(long block, long header) {
        float d = half(block + 208);
        for (int g = 0; g < 16; g++) MEMORY.set(FLOAT, header + 4 * g, MEMORY.get(JAVA_BYTE, block + 192 + g) * d);
    }
}
