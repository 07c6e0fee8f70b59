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
import static jdk.incubator.vector.VectorOperators.XOR;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
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
 * and Q5_K) is multiplied by the sum of the group's activations. What a head holds is put into
 * scratch memory as vectors in the order of use. Two rows, not four: C1, which must compile a method before C2 may, has only so many virtual registers, and a method that
 * exceeds them stays where it is, boxing (SPEED.md). Loops over few steps end with !=, here and in {@link Unpack}: C2 splits a loop that it can count in three, and of a handful
 * of steps most then fall outside the fast part. No vector lives longer than one step of the inner loop: of one that comes in from outside, C2 may know only what it saw
 * elsewhere, and boxed here once shorter vectors had been at work (reading a prompt was enough). So sums lie in memory, at two places in turn, because what is stored
 * can be loaded again only many cycles later; and masks are loaded where they are used, because C2 broadcasts a constant anew for every use.
 */
final class SuperBlockDots {
    /** Where a worker's scratch memory holds 256 bytes of scales for each row's block, behind the lanes of vectors. */
    private static final int SCALES = 64 * Scratch.VECTORS;
    /** Bytes of scratch memory in use. */
    static final int SCRATCH = SCALES + 512;
    /** In the lanes of vectors: sums of offsets of both rows, then of products, which fill two places a row in turn. */
    private static final int PRODUCTS = 128, SUMS = 384;

    /** Which of the scales from a vector's first group on is that of each lane: four lanes have one (groups of 16, four elements a lane), or eight lanes have every second. */
    private static final VectorShuffle<Float> BY_FOUR = VectorShuffle.fromOp(F, lane -> lane / 4), BY_EIGHT = VectorShuffle.fromOp(F, lane -> lane / 8 * 2);
    /** For vectors of 16, which take a block in two: the scales of high nibbles in the first half, and of both in the second. */
    private static final VectorShuffle<Float> BY_FOUR_NEXT = later(BY_FOUR, 4), BY_FOUR_LATER = later(BY_FOUR, 8), BY_FOUR_LAST = later(BY_FOUR, 12),
        BY_EIGHT_NEXT = later(BY_EIGHT, 1), BY_EIGHT_LATER = later(BY_EIGHT, 4), BY_EIGHT_LAST = later(BY_EIGHT, 5);
    private static final VectorMask<Float> LAST_FOUR = VectorMask.fromLong(F, 0xf0);
    /** Vectors of 16 ints take 32 bytes of upper bits twice: where each lane finds them, and how far down those of the second half lie. */
    private static final VectorShuffle<Integer> TWICE = VectorShuffle.fromOp(I, lane -> lane % 8);
    private static final IntVector SECOND_BY_TWO = IntVector.fromArray(I, Arrays.copyOf(new int[] {0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2}, L), 0);
    private static final VectorSpecies<Byte> SIXTEEN = ByteVector.SPECIES_128;
    private static final VectorSpecies<Long> TWO_LONGS = LongVector.SPECIES_128;
    private static final VectorSpecies<Integer> EIGHT = IntVector.SPECIES_256;

    /** Constants, a vector of 16 ints each: bytes' low nibbles, bytes, low nibbles of all four bytes, their upper two bits above a nibble, their fifth bits; the first eight lanes. */
    private static final long MASKS = masks(0xf, 0xf00, 0xf0000, 0xf000000, 0xff, 0xff00, 0xff0000, 0xff000000, 0x0f0f0f0f, 0x30303030, 0x10101010);
    private static final long NIBBLE = MASKS, BYTE = MASKS + 256, NIBBLES = MASKS + 512, PAIRS = MASKS + 576, FIFTHS = MASKS + 640, FIRST_EIGHT = MASKS + 704;

    private SuperBlockDots() {}

    private static long masks(int... values) {
        var memory = Arena.global().allocate(64L * values.length + 64, 64);
        for (int i = 0; i < values.length; i++) for (int lane = 0; lane < 16; lane++) memory.set(INT, 64L * i + 4 * lane, values[i]);
        memory.asSlice(64L * values.length, 32).fill((byte) -1);
        return memory.address();
    }

    private static VectorShuffle<Float> later(VectorShuffle<Float> shuffle, int scales) { return VectorShuffle.fromOp(F, lane -> (shuffle.laneSource(lane) + scales) % L); }

    /** y = w · x for the row at {@code block} and, at {@code y + yFar}, for the row {@code far} bytes further; with 0 and 0 they are one. */
    @FunctionalInterface
    interface Two { void rows(long y, long yFar, long block, long far, long x, int in, long lanes); }

    static void q4k(long y, long yFar, long block, long far, long x, int in, long lanes) {
        clear(lanes);
        long sums = x + 4L * in, scales = lanes + SCALES;
        for (long end = sums; x != end; block += 144, sums += 64) {
            sixBits(block, far, sums, lanes);
            for (int at = 0; at != 128; at += 4 * L, x += 32L * L) {                                                   // body: eight elements a lane of both rows
                var mask0 = IntVector.fromMemorySegment(I, MEMORY, NIBBLE, ORDER);
                var mask1 = IntVector.fromMemorySegment(I, MEMORY, NIBBLE + 64, ORDER);
                var mask2 = IntVector.fromMemorySegment(I, MEMORY, NIBBLE + 128, ORDER);
                var mask3 = IntVector.fromMemorySegment(I, MEMORY, NIBBLE + 192, ORDER);
                var v0 = IntVector.fromMemorySegment(I, MEMORY, block + 16 + at, ORDER);
                var v1 = IntVector.fromMemorySegment(I, MEMORY, block + far + 16 + at, ORDER);
                var u0 = v0.lanewise(LSHR, 4);
                var u1 = v1.lanewise(LSHR, 4);
                var a = FloatVector.fromMemorySegment(F, MEMORY, x, ORDER);
                var low0 = ((FloatVector) v0.and(mask0).castShape(F, 0)).mul(a);
                var low1 = ((FloatVector) v1.and(mask0).castShape(F, 0)).mul(a);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * L, ORDER);
                var high0 = ((FloatVector) u0.and(mask0).castShape(F, 0)).mul(a);
                var high1 = ((FloatVector) u1.and(mask0).castShape(F, 0)).mul(a);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 8 * L, ORDER);
                var q0 = (FloatVector) v0.and(mask1).castShape(F, 0);
                var q1 = (FloatVector) v1.and(mask1).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 12 * L, ORDER);
                q0 = (FloatVector) u0.and(mask1).castShape(F, 0);
                q1 = (FloatVector) u1.and(mask1).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 16 * L, ORDER);
                q0 = (FloatVector) v0.and(mask2).castShape(F, 0);
                q1 = (FloatVector) v1.and(mask2).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 20 * L, ORDER);
                q0 = (FloatVector) u0.and(mask2).castShape(F, 0);
                q1 = (FloatVector) u1.and(mask2).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 24 * L, ORDER);
                q0 = (FloatVector) v0.and(mask3).castShape(F, 0);
                q1 = (FloatVector) v1.and(mask3).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 28 * L, ORDER);
                q0 = (FloatVector) u0.and(mask3).castShape(F, 0);
                q1 = (FloatVector) u1.and(mask3).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                long scale = scales + 2L * at, slot = lanes + PRODUCTS + (at & 64) * 2;
                var sum0 = FloatVector.fromMemorySegment(F, MEMORY, slot, ORDER);
                var sum1 = FloatVector.fromMemorySegment(F, MEMORY, slot + 64, ORDER);
                var d0 = FloatVector.fromMemorySegment(F, MEMORY, scale, ORDER);
                var d1 = FloatVector.fromMemorySegment(F, MEMORY, scale + 256, ORDER);
                sum0 = FMA ? low0.fma(d0, sum0) : low0.mul(d0).add(sum0);
                sum1 = FMA ? low1.fma(d1, sum1) : low1.mul(d1).add(sum1);
                d0 = FloatVector.fromMemorySegment(F, MEMORY, scale + 4 * L, ORDER);
                d1 = FloatVector.fromMemorySegment(F, MEMORY, scale + 256 + 4 * L, ORDER);
                (FMA ? high0.fma(d0, sum0) : high0.mul(d0).add(sum0)).intoMemorySegment(MEMORY, slot, ORDER);
                (FMA ? high1.fma(d1, sum1) : high1.mul(d1).add(sum1)).intoMemorySegment(MEMORY, slot + 64, ORDER);
            }
        }
        finish(y, yFar, lanes);
    }

    static void q5k(long y, long yFar, long block, long far, long x, int in, long lanes) {
        clear(lanes);
        long sums = x + 4L * in, scales = lanes + SCALES;
        for (long end = sums; x != end; block += 176, sums += 64) {
            sixBits(block, far, sums, lanes);
            for (int at = 0; at != 128; at += 4 * L, x += 32L * L) {                                                   // body: eight elements a lane of both rows
                var mask0 = IntVector.fromMemorySegment(I, MEMORY, BYTE, ORDER);
                var mask1 = IntVector.fromMemorySegment(I, MEMORY, BYTE + 64, ORDER);
                var mask2 = IntVector.fromMemorySegment(I, MEMORY, BYTE + 128, ORDER);
                var mask3 = IntVector.fromMemorySegment(I, MEMORY, BYTE + 192, ORDER);
                var nibbles = IntVector.fromMemorySegment(I, MEMORY, NIBBLES, ORDER);
                var ones = IntVector.fromMemorySegment(I, MEMORY, FIFTHS, ORDER);
                var v0 = IntVector.fromMemorySegment(I, MEMORY, block + 48 + at, ORDER);
                var v1 = IntVector.fromMemorySegment(I, MEMORY, block + far + 48 + at, ORDER);
                IntVector bits0;
                if (L == 16) bits0 = IntVector.fromMemorySegment(EIGHT, MEMORY, block + 16, ORDER).reinterpretShape(I, 0).reinterpretAsInts().rearrange(TWICE).lanewise(LSHR, SECOND_BY_TWO).lanewise(LSHR, at / 16);
                else bits0 = IntVector.fromMemorySegment(I, MEMORY, block + 16 + at % 32, ORDER).lanewise(LSHR, at / 32 * 2);
                var u0 = v0.lanewise(LSHR, 4).and(nibbles).or(bits0.lanewise(LSHL, 3).and(ones));
                v0 = v0.and(nibbles).or(bits0.lanewise(LSHL, 4).and(ones));
                IntVector bits1;
                if (L == 16) bits1 = IntVector.fromMemorySegment(EIGHT, MEMORY, block + far + 16, ORDER).reinterpretShape(I, 0).reinterpretAsInts().rearrange(TWICE).lanewise(LSHR, SECOND_BY_TWO).lanewise(LSHR, at / 16);
                else bits1 = IntVector.fromMemorySegment(I, MEMORY, block + far + 16 + at % 32, ORDER).lanewise(LSHR, at / 32 * 2);
                var u1 = v1.lanewise(LSHR, 4).and(nibbles).or(bits1.lanewise(LSHL, 3).and(ones));
                v1 = v1.and(nibbles).or(bits1.lanewise(LSHL, 4).and(ones));
                var a = FloatVector.fromMemorySegment(F, MEMORY, x, ORDER);
                var low0 = ((FloatVector) v0.and(mask0).castShape(F, 0)).mul(a);
                var low1 = ((FloatVector) v1.and(mask0).castShape(F, 0)).mul(a);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * L, ORDER);
                var high0 = ((FloatVector) u0.and(mask0).castShape(F, 0)).mul(a);
                var high1 = ((FloatVector) u1.and(mask0).castShape(F, 0)).mul(a);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 8 * L, ORDER);
                var q0 = (FloatVector) v0.and(mask1).castShape(F, 0);
                var q1 = (FloatVector) v1.and(mask1).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 12 * L, ORDER);
                q0 = (FloatVector) u0.and(mask1).castShape(F, 0);
                q1 = (FloatVector) u1.and(mask1).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 16 * L, ORDER);
                q0 = (FloatVector) v0.and(mask2).castShape(F, 0);
                q1 = (FloatVector) v1.and(mask2).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 20 * L, ORDER);
                q0 = (FloatVector) u0.and(mask2).castShape(F, 0);
                q1 = (FloatVector) u1.and(mask2).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 24 * L, ORDER);
                q0 = (FloatVector) v0.and(mask3).castShape(F, 0);
                q1 = (FloatVector) v1.and(mask3).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 28 * L, ORDER);
                q0 = (FloatVector) u0.and(mask3).castShape(F, 0);
                q1 = (FloatVector) u1.and(mask3).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                long scale = scales + 2L * at, slot = lanes + PRODUCTS + (at & 64) * 2;
                var sum0 = FloatVector.fromMemorySegment(F, MEMORY, slot, ORDER);
                var sum1 = FloatVector.fromMemorySegment(F, MEMORY, slot + 64, ORDER);
                var d0 = FloatVector.fromMemorySegment(F, MEMORY, scale, ORDER);
                var d1 = FloatVector.fromMemorySegment(F, MEMORY, scale + 256, ORDER);
                sum0 = FMA ? low0.fma(d0, sum0) : low0.mul(d0).add(sum0);
                sum1 = FMA ? low1.fma(d1, sum1) : low1.mul(d1).add(sum1);
                d0 = FloatVector.fromMemorySegment(F, MEMORY, scale + 4 * L, ORDER);
                d1 = FloatVector.fromMemorySegment(F, MEMORY, scale + 256 + 4 * L, ORDER);
                (FMA ? high0.fma(d0, sum0) : high0.mul(d0).add(sum0)).intoMemorySegment(MEMORY, slot, ORDER);
                (FMA ? high1.fma(d1, sum1) : high1.mul(d1).add(sum1)).intoMemorySegment(MEMORY, slot + 64, ORDER);
            }
        }
        finish(y, yFar, lanes);
    }

    static void q6k(long y, long yFar, long block, long far, long x, int in, long lanes) {
        clear(lanes);
        long sums = x + 4L * in, scales = lanes + SCALES;
        for (long end = sums; x != end; block += 210, sums += 64) {
            eightBits(block, far, sums, lanes);
            for (int at = 0; at != 128; at += 4 * L, x += 32L * L) {                                                   // body: eight elements a lane of both rows
                var mask0 = IntVector.fromMemorySegment(I, MEMORY, BYTE, ORDER);
                var mask1 = IntVector.fromMemorySegment(I, MEMORY, BYTE + 64, ORDER);
                var mask2 = IntVector.fromMemorySegment(I, MEMORY, BYTE + 128, ORDER);
                var mask3 = IntVector.fromMemorySegment(I, MEMORY, BYTE + 192, ORDER);
                var nibbles = IntVector.fromMemorySegment(I, MEMORY, NIBBLES, ORDER);
                var pairs = IntVector.fromMemorySegment(I, MEMORY, PAIRS, ORDER);
                var v0 = IntVector.fromMemorySegment(I, MEMORY, block + at, ORDER);
                var v1 = IntVector.fromMemorySegment(I, MEMORY, block + far + at, ORDER);
                IntVector bits0;
                if (L == 16) bits0 = IntVector.fromMemorySegment(EIGHT, MEMORY, block + 128 + at / 2, ORDER).reinterpretShape(I, 0).reinterpretAsInts().rearrange(TWICE).lanewise(LSHR, SECOND_BY_TWO);
                else bits0 = IntVector.fromMemorySegment(I, MEMORY, block + 128 + at / 64 * 32 + at % 32, ORDER).lanewise(LSHR, at % 64 / 32 * 2);
                var u0 = v0.lanewise(LSHR, 4).and(nibbles).or(bits0.and(pairs));
                v0 = v0.and(nibbles).or(bits0.lanewise(LSHL, 4).and(pairs));
                IntVector bits1;
                if (L == 16) bits1 = IntVector.fromMemorySegment(EIGHT, MEMORY, block + far + 128 + at / 2, ORDER).reinterpretShape(I, 0).reinterpretAsInts().rearrange(TWICE).lanewise(LSHR, SECOND_BY_TWO);
                else bits1 = IntVector.fromMemorySegment(I, MEMORY, block + far + 128 + at / 64 * 32 + at % 32, ORDER).lanewise(LSHR, at % 64 / 32 * 2);
                var u1 = v1.lanewise(LSHR, 4).and(nibbles).or(bits1.and(pairs));
                v1 = v1.and(nibbles).or(bits1.lanewise(LSHL, 4).and(pairs));
                var a = FloatVector.fromMemorySegment(F, MEMORY, x, ORDER);
                var low0 = ((FloatVector) v0.and(mask0).castShape(F, 0)).mul(a);
                var low1 = ((FloatVector) v1.and(mask0).castShape(F, 0)).mul(a);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * L, ORDER);
                var high0 = ((FloatVector) u0.and(mask0).castShape(F, 0)).mul(a);
                var high1 = ((FloatVector) u1.and(mask0).castShape(F, 0)).mul(a);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 8 * L, ORDER);
                var q0 = (FloatVector) v0.and(mask1).castShape(F, 0);
                var q1 = (FloatVector) v1.and(mask1).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 12 * L, ORDER);
                q0 = (FloatVector) u0.and(mask1).castShape(F, 0);
                q1 = (FloatVector) u1.and(mask1).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 16 * L, ORDER);
                q0 = (FloatVector) v0.and(mask2).castShape(F, 0);
                q1 = (FloatVector) v1.and(mask2).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 20 * L, ORDER);
                q0 = (FloatVector) u0.and(mask2).castShape(F, 0);
                q1 = (FloatVector) u1.and(mask2).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 24 * L, ORDER);
                q0 = (FloatVector) v0.and(mask3).castShape(F, 0);
                q1 = (FloatVector) v1.and(mask3).castShape(F, 0);
                low0 = FMA ? q0.fma(a, low0) : q0.mul(a).add(low0);
                low1 = FMA ? q1.fma(a, low1) : q1.mul(a).add(low1);
                a = FloatVector.fromMemorySegment(F, MEMORY, x + 28 * L, ORDER);
                q0 = (FloatVector) u0.and(mask3).castShape(F, 0);
                q1 = (FloatVector) u1.and(mask3).castShape(F, 0);
                high0 = FMA ? q0.fma(a, high0) : q0.mul(a).add(high0);
                high1 = FMA ? q1.fma(a, high1) : q1.mul(a).add(high1);
                long scale = scales + 2L * at, slot = lanes + PRODUCTS + (at & 64) * 2;
                var sum0 = FloatVector.fromMemorySegment(F, MEMORY, slot, ORDER);
                var sum1 = FloatVector.fromMemorySegment(F, MEMORY, slot + 64, ORDER);
                var d0 = FloatVector.fromMemorySegment(F, MEMORY, scale, ORDER);
                var d1 = FloatVector.fromMemorySegment(F, MEMORY, scale + 256, ORDER);
                sum0 = FMA ? low0.fma(d0, sum0) : low0.mul(d0).add(sum0);
                sum1 = FMA ? low1.fma(d1, sum1) : low1.mul(d1).add(sum1);
                d0 = FloatVector.fromMemorySegment(F, MEMORY, scale + 4 * L, ORDER);
                d1 = FloatVector.fromMemorySegment(F, MEMORY, scale + 256 + 4 * L, ORDER);
                (FMA ? high0.fma(d0, sum0) : high0.mul(d0).add(sum0)).intoMemorySegment(MEMORY, slot, ORDER);
                (FMA ? high1.fma(d1, sum1) : high1.mul(d1).add(sum1)).intoMemorySegment(MEMORY, slot + 64, ORDER);
            }
        }
        finish(y, yFar, lanes);
    }

    /**
     * The heads of both rows' blocks of Q4_K or Q5_K, each d, e and twelve bytes of six-bit numbers (see {@link inkstone.tensor.Blocks}): scales as vectors in the order of use, and
     * offsets times the activations' sums added to the rows' lanes. Straight on, and of a size that is compiled on its own.
     */
    private static void sixBits(long block, long far, long sums, long lanes) {
        if (L < 16) {
            sixBitsOf(block, lanes + SCALES, sums, lanes);
            sixBitsOf(block + far, lanes + SCALES + 256, sums, lanes + 64);
            return;
        }
        var head0 = LongVector.fromMemorySegment(TWO_LONGS, MEMORY, block, ORDER);
        var head1 = LongVector.fromMemorySegment(TWO_LONGS, MEMORY, block + far, ORDER);
        long a0 = head0.lane(0), b0 = head0.lane(1), a1 = head1.lane(0), b1 = head1.lane(1);
        long s0 = a0 >>> 32, s1 = a1 >>> 32, t0 = b0 >>> 32, t1 = b1 >>> 32;
        long d0 = s0 & 0x3f3f3f3fL | (t0 & 0x0f0f0f0fL | s0 >>> 2 & 0x30303030L) << 32;
        long e0 = b0 & 0x3f3f3f3fL | (t0 >>> 4 & 0x0f0f0f0fL | b0 >>> 2 & 0x30303030L) << 32;
        long d1 = s1 & 0x3f3f3f3fL | (t1 & 0x0f0f0f0fL | s1 >>> 2 & 0x30303030L) << 32;
        long e1 = b1 & 0x3f3f3f3fL | (t1 >>> 4 & 0x0f0f0f0fL | b1 >>> 2 & 0x30303030L) << 32;
        var firstEight = IntVector.fromMemorySegment(I, MEMORY, FIRST_EIGHT, ORDER);
        var first0 = FloatVector.broadcast(F, Float.float16ToFloat((short) a0)).reinterpretAsInts();
        var last0 = FloatVector.broadcast(F, Float.float16ToFloat((short) (a0 >>> 16))).reinterpretAsInts();
        var first1 = FloatVector.broadcast(F, Float.float16ToFloat((short) a1)).reinterpretAsInts();
        var last1 = FloatVector.broadcast(F, Float.float16ToFloat((short) (a1 >>> 16))).reinterpretAsInts();
        var factor0 = first0.lanewise(XOR, last0).and(firstEight).lanewise(XOR, last0).reinterpretAsFloats();
        var factor1 = first1.lanewise(XOR, last1).and(firstEight).lanewise(XOR, last1).reinterpretAsFloats();
        var all0 = ((FloatVector) LongVector.broadcast(TWO_LONGS, d0).withLane(1, e0).reinterpretAsBytes().castShape(F, 0)).mul(factor0);
        var all1 = ((FloatVector) LongVector.broadcast(TWO_LONGS, d1).withLane(1, e1).reinterpretAsBytes().castShape(F, 0)).mul(factor1);
        var v = FloatVector.fromMemorySegment(F, MEMORY, sums, ORDER);
        var sum0 = FloatVector.fromMemorySegment(F, MEMORY, lanes, ORDER);
        var sum1 = FloatVector.fromMemorySegment(F, MEMORY, lanes + 64, ORDER);
        (FMA ? all0.fma(v, sum0) : all0.mul(v).add(sum0)).intoMemorySegment(MEMORY, lanes, ORDER);
        (FMA ? all1.fma(v, sum1) : all1.mul(v).add(sum1)).intoMemorySegment(MEMORY, lanes + 64, ORDER);
        all0.rearrange(BY_EIGHT).intoMemorySegment(MEMORY, lanes + SCALES, ORDER);
        all0.rearrange(BY_EIGHT_NEXT).intoMemorySegment(MEMORY, lanes + SCALES + 64, ORDER);
        all0.rearrange(BY_EIGHT_LATER).intoMemorySegment(MEMORY, lanes + SCALES + 128, ORDER);
        all0.rearrange(BY_EIGHT_LAST).intoMemorySegment(MEMORY, lanes + SCALES + 192, ORDER);
        all1.rearrange(BY_EIGHT).intoMemorySegment(MEMORY, lanes + SCALES + 256, ORDER);
        all1.rearrange(BY_EIGHT_NEXT).intoMemorySegment(MEMORY, lanes + SCALES + 320, ORDER);
        all1.rearrange(BY_EIGHT_LATER).intoMemorySegment(MEMORY, lanes + SCALES + 384, ORDER);
        all1.rearrange(BY_EIGHT_LAST).intoMemorySegment(MEMORY, lanes + SCALES + 448, ORDER);
    }

    /* One row's, for shorter vectors. */
    private static void sixBitsOf(long block, long scales, long sums, long lanes) {
        int s = MEMORY.get(INT, block + 4), m = MEMORY.get(INT, block + 8), both = MEMORY.get(INT, block + 12);
        long d = s & 0x3f3f3f3f | (long) (both & 0x0f0f0f0f | s >>> 2 & 0x30303030) << 32, e = m & 0x3f3f3f3f | (long) (both >>> 4 & 0x0f0f0f0f | m >>> 2 & 0x30303030) << 32;
        float scale = half(block), offset = half(block + 2);
        float sum = MEMORY.get(FLOAT, lanes);
        for (int g = 0; g != 8; g++, d >>>= 8, e >>>= 8) {
            var v = FloatVector.broadcast(F, (d & 63) * scale);
            for (int i = 0; i != 32; i += 4 * L) v.intoMemorySegment(MEMORY, scales + g / 2 * 64 + i * 2 + g % 2 * 4 * L, ORDER);
            sum += (e & 63) * offset * MEMORY.get(FLOAT, sums + 32 + 4 * g);
        }
        MEMORY.set(FLOAT, lanes, sum);
    }

    /** The same of Q6_K, whose 16 scales are bytes. */
    private static void eightBits(long block, long far, long sums, long lanes) {
        if (L < 16) {
            eightBitsOf(block, lanes + SCALES, sums, lanes);
            eightBitsOf(block + far, lanes + SCALES + 256, sums, lanes + 64);
            return;
        }
        var all0 = ((FloatVector) ByteVector.fromMemorySegment(SIXTEEN, MEMORY, block + 192, ORDER).castShape(F, 0)).mul(half(block + 208));
        var all1 = ((FloatVector) ByteVector.fromMemorySegment(SIXTEEN, MEMORY, block + far + 192, ORDER).castShape(F, 0)).mul(half(block + far + 208));
        var v = FloatVector.fromMemorySegment(F, MEMORY, sums, ORDER);
        var sum0 = FloatVector.fromMemorySegment(F, MEMORY, lanes, ORDER);
        var sum1 = FloatVector.fromMemorySegment(F, MEMORY, lanes + 64, ORDER);
        (FMA ? all0.fma(v, sum0) : all0.mul(v).add(sum0)).intoMemorySegment(MEMORY, lanes, ORDER);
        (FMA ? all1.fma(v, sum1) : all1.mul(v).add(sum1)).intoMemorySegment(MEMORY, lanes + 64, ORDER);
        all0.rearrange(BY_FOUR).intoMemorySegment(MEMORY, lanes + SCALES, ORDER);
        all0.rearrange(BY_FOUR_NEXT).intoMemorySegment(MEMORY, lanes + SCALES + 64, ORDER);
        all0.rearrange(BY_FOUR_LATER).intoMemorySegment(MEMORY, lanes + SCALES + 128, ORDER);
        all0.rearrange(BY_FOUR_LAST).intoMemorySegment(MEMORY, lanes + SCALES + 192, ORDER);
        all1.rearrange(BY_FOUR).intoMemorySegment(MEMORY, lanes + SCALES + 256, ORDER);
        all1.rearrange(BY_FOUR_NEXT).intoMemorySegment(MEMORY, lanes + SCALES + 320, ORDER);
        all1.rearrange(BY_FOUR_LATER).intoMemorySegment(MEMORY, lanes + SCALES + 384, ORDER);
        all1.rearrange(BY_FOUR_LAST).intoMemorySegment(MEMORY, lanes + SCALES + 448, ORDER);
    }

    private static void eightBitsOf(long block, long scales, long sums, long lanes) {
        float scale = half(block + 208), sum = MEMORY.get(FLOAT, lanes);
        for (int i = 0; i != 256; i += 4 * L) {
            int g = i / 128 * 8 + i / (4 * L) % 2 * 4 + i % 128 / (8 * L) * (L / 4);
            float first = MEMORY.get(JAVA_BYTE, block + 192 + g) * scale, last = MEMORY.get(JAVA_BYTE, block + 192 + g + L / 4 - 1) * scale;
            FloatVector.broadcast(F, first).blend(FloatVector.broadcast(F, last), LAST_FOUR).intoMemorySegment(MEMORY, scales + i, ORDER);
        }
        for (int g = 0; g != 16; g++) sum += MEMORY.get(JAVA_BYTE, block + 192 + g) * scale * MEMORY.get(FLOAT, sums + 4 * g);
        MEMORY.set(FLOAT, lanes, sum);
    }

    private static void clear(long lanes) { for (int i = 0; i < SUMS; i += 4 * L) FloatVector.zero(F).intoMemorySegment(MEMORY, lanes + i, ORDER); }

    private static void finish(long y, long yFar, long lanes) {
        for (int i = 0; i < 128; i += 4 * L) {
            FloatVector.fromMemorySegment(F, MEMORY, lanes + i, ORDER).add(FloatVector.fromMemorySegment(F, MEMORY, lanes + PRODUCTS + i, ORDER))
                .add(FloatVector.fromMemorySegment(F, MEMORY, lanes + PRODUCTS + 128 + i, ORDER)).intoMemorySegment(MEMORY, lanes + i, ORDER);
        }
        MEMORY.set(FLOAT, y, Lanes.sum(lanes));
        MEMORY.set(FLOAT, y + yFar, Lanes.sum(lanes + 64));
    }
}
