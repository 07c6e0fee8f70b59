package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.B;
import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.INT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.TWO_PARTS;
import static inkstone.tensor.cpu.Lanes.half;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static jdk.incubator.vector.VectorOperators.EQ;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import inkstone.tensor.DType;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Packed blocks at address {@code source} as one signed byte q for each of {@code count} elements, and for each group of them, 16 or 32, a float scale and, where
 * the format has one, a float offset: w = q scale + offset, exactly what {@link inkstone.tensor.Blocks} reads. A vector holds four times as many bytes as ints, so
 * bits are taken apart at a quarter of the cost. Shifts are those of shorts, as there are none for bytes; masks remove what a byte gets from its neighbour. The
 * formulas for where things lie are those of {@link inkstone.tensor.Blocks#toFloats}. An interface for the reason given in {@link Expand}.
 */
@FunctionalInterface
interface Unpack {
    void blocks(long source, int count, long q, long scales, long offsets);

    /** As many bytes as F has, but at most 32: what the formats keep together. */
    VectorSpecies<Byte> BYTES = VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.min(256, F.vectorBitSize())));
    int WIDTH = BYTES.length();
    /** Eight bytes and, but for vectors of 128 bits, which take two, the floats they become. */
    VectorSpecies<Byte> EIGHT = ByteVector.SPECIES_64;
    VectorSpecies<Float> FLOATS = VectorSpecies.of(float.class, VectorShape.forBitSize(Math.min(256, F.vectorBitSize())));
    VectorSpecies<Byte> SIXTEEN = ByteVector.SPECIES_128;
    ValueLayout.OfLong LONG = JAVA_LONG_UNALIGNED.withOrder(ORDER);

    ByteVector IQ4_LEVELS = ByteVector.fromArray(SIXTEEN, new byte[] {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}, 0);
    ByteVector E2M1_DOUBLED = ByteVector.fromArray(SIXTEEN, new byte[] {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}, 0);
    /** For each of 16 elements the byte that holds its bit, and that bit. */
    ByteVector BIT_BYTES = ByteVector.fromArray(SIXTEEN, new byte[] {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}, 0);
    ByteVector BITS = ByteVector.fromArray(SIXTEEN, new byte[] {1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128}, 0);

    /**
     * Of the first 16 bytes of a Q4_K block: where each of eight scales and eight offsets has its lower bits and which, the last four offsets in the upper half of a
     * byte; and its upper two bits.
     */
    ByteVector LOW_BYTES = ByteVector.fromArray(SIXTEEN, new byte[] {4, 5, 6, 7, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15}, 0);
    ByteVector LOW_BITS = ByteVector.fromArray(SIXTEEN, new byte[] {63, 63, 63, 63, 15, 15, 15, 15, 63, 63, 63, 63, 15, 15, 15, 15}, 0);
    VectorMask<Byte> LAST_FOUR = VectorMask.fromLong(SIXTEEN, 0xf000);
    ByteVector UPPER_BYTES = ByteVector.fromArray(SIXTEEN, new byte[] {0, 0, 0, 0, 4, 5, 6, 7, 0, 0, 0, 0, 8, 9, 10, 11}, 0);
    ByteVector UPPER_BITS = ByteVector.fromArray(SIXTEEN, new byte[] {0, 0, 0, 0, 48, 48, 48, 48, 0, 0, 0, 0, 48, 48, 48, 48}, 0);

    static Unpack of(DType dtype) {
        return switch (dtype) {
            case Q4_1 -> Unpack::q4Offset;
            case Q5_0 -> Unpack::q5;
            case Q5_1 -> Unpack::q5Offset;
            case Q2_K -> Unpack::q2k;
            case Q3_K -> Unpack::q3k;
            case Q4_K -> Unpack::q4k;
            case Q5_K -> Unpack::q5k;
            case Q6_K -> Unpack::q6k;
            case IQ4_NL -> Unpack::iq4;
            case IQ4_XS -> Unpack::iq4xs;
            case MXFP4 -> Unpack::mxfp4;
            case Q4_0 -> Unpack::q4;
            case F32, F16, BF16, I32, Q8_0 -> throw new UnsupportedOperationException("cpu: " + dtype + " is not unpacked");
        };
    }

    // ---- blocks of 32 ----------------------------------------------------------------------------------------------------------------------------------

    private static void q4(long source, int count, long q, long scales, long offsets) {
        for (long end = source + count / 32 * 18; source != end; source += 18, q += 32, scales += 4) {
            MEMORY.set(FLOAT, scales, half(source));
            var pairs = ByteVector.fromMemorySegment(SIXTEEN, MEMORY, source + 2, ORDER);
            pairs.and((byte) 15).sub((byte) 8).intoMemorySegment(MEMORY, q, ORDER);
            pairs.reinterpretAsShorts().lanewise(LSHR, 4).reinterpretAsBytes().and((byte) 15).sub((byte) 8).intoMemorySegment(MEMORY, q + 16, ORDER);
        }
    }

    private static void q4Offset(long source, int count, long q, long scales, long offsets) {
        for (long end = source + count / 32 * 20; source != end; source += 20, q += 32, scales += 4, offsets += 4) {
            MEMORY.set(FLOAT, scales, half(source));
            MEMORY.set(FLOAT, offsets, half(source + 2));
            var pairs = ByteVector.fromMemorySegment(SIXTEEN, MEMORY, source + 4, ORDER);
            pairs.and((byte) 15).intoMemorySegment(MEMORY, q, ORDER);
            pairs.reinterpretAsShorts().lanewise(LSHR, 4).reinterpretAsBytes().and((byte) 15).intoMemorySegment(MEMORY, q + 16, ORDER);
        }
    }

    private static void q5(long source, int count, long q, long scales, long offsets) {
        for (long end = source + count / 32 * 22; source != end; source += 22, q += 32, scales += 4) {
            MEMORY.set(FLOAT, scales, half(source));
            int fifth = MEMORY.get(INT, source + 2);
            var lowBits = BIT_BYTES.selectFrom(IntVector.broadcast(IntVector.SPECIES_128, fifth).reinterpretAsBytes()).and(BITS);
            var highBits = BIT_BYTES.selectFrom(IntVector.broadcast(IntVector.SPECIES_128, fifth >>> 16).reinterpretAsBytes()).and(BITS);
            var pairs = ByteVector.fromMemorySegment(SIXTEEN, MEMORY, source + 6, ORDER);
            var low = pairs.and((byte) 15);
            var high = pairs.reinterpretAsShorts().lanewise(LSHR, 4).reinterpretAsBytes().and((byte) 15);
            low.sub((byte) 16).blend(low, lowBits.compare(EQ, BITS)).intoMemorySegment(MEMORY, q, ORDER);
            high.sub((byte) 16).blend(high, highBits.compare(EQ, BITS)).intoMemorySegment(MEMORY, q + 16, ORDER);
        }
    }

    private static void q5Offset(long source, int count, long q, long scales, long offsets) {
        for (long end = source + count / 32 * 24; source != end; source += 24, q += 32, scales += 4, offsets += 4) {
            MEMORY.set(FLOAT, scales, half(source));
            MEMORY.set(FLOAT, offsets, half(source + 2));
            int fifth = MEMORY.get(INT, source + 4);
            var lowBits = BIT_BYTES.selectFrom(IntVector.broadcast(IntVector.SPECIES_128, fifth).reinterpretAsBytes()).and(BITS);
            var highBits = BIT_BYTES.selectFrom(IntVector.broadcast(IntVector.SPECIES_128, fifth >>> 16).reinterpretAsBytes()).and(BITS);
            var pairs = ByteVector.fromMemorySegment(SIXTEEN, MEMORY, source + 8, ORDER);
            var low = pairs.and((byte) 15);
            var high = pairs.reinterpretAsShorts().lanewise(LSHR, 4).reinterpretAsBytes().and((byte) 15);
            low.blend(low.or((byte) 16), lowBits.compare(EQ, BITS)).intoMemorySegment(MEMORY, q, ORDER);
            high.blend(high.or((byte) 16), highBits.compare(EQ, BITS)).intoMemorySegment(MEMORY, q + 16, ORDER);
        }
    }

    private static void iq4(long source, int count, long q, long scales, long offsets) {
        for (long end = source + count / 32 * 18; source != end; source += 18, q += 32, scales += 4) {
            MEMORY.set(FLOAT, scales, half(source));
            var pairs = ByteVector.fromMemorySegment(SIXTEEN, MEMORY, source + 2, ORDER);
            pairs.and((byte) 15).selectFrom(IQ4_LEVELS).intoMemorySegment(MEMORY, q, ORDER);
            pairs.reinterpretAsShorts().lanewise(LSHR, 4).reinterpretAsBytes().and((byte) 15).selectFrom(IQ4_LEVELS).intoMemorySegment(MEMORY, q + 16, ORDER);
        }
    }

    private static void mxfp4(long source, int count, long q, long scales, long offsets) {
        for (long end = source + count / 32 * 17; source != end; source += 17, q += 32, scales += 4) {
            int e = MEMORY.get(JAVA_BYTE, source) & 255;                                     // 2^(e - 128), which is subnormal where e is 0 or 1
            MEMORY.set(INT, scales, e > 1 ? e - 1 << 23 : 1 << 21 + e);
            var pairs = ByteVector.fromMemorySegment(SIXTEEN, MEMORY, source + 1, ORDER);
            pairs.and((byte) 15).selectFrom(E2M1_DOUBLED).intoMemorySegment(MEMORY, q, ORDER);
            pairs.reinterpretAsShorts().lanewise(LSHR, 4).reinterpretAsBytes().and((byte) 15).selectFrom(E2M1_DOUBLED).intoMemorySegment(MEMORY, q + 16, ORDER);
        }
    }

    // ---- blocks of 256 ---------------------------------------------------------------------------------------------------------------------------------

    private static void q2k(long source, int count, long q, long scales, long offsets) {
        for (long end = source + count / 256 * 84; source != end; source += 84, q += 256, scales += 64, offsets += 64) {
            float d = half(source + 80), e = -half(source + 82);
            for (int g = 0; g < 16; g += 8) {
                var both = ByteVector.fromMemorySegment(EIGHT, MEMORY, source + g, ORDER);
                var s = both.and((byte) 15);
                var m = both.reinterpretAsShorts().lanewise(LSHR, 4).reinterpretAsBytes().and((byte) 15);
                ((FloatVector) s.castShape(FLOATS, 0)).mul(d).intoMemorySegment(MEMORY, scales + 4 * g, ORDER);
                ((FloatVector) m.castShape(FLOATS, 0)).mul(e).intoMemorySegment(MEMORY, offsets + 4 * g, ORDER);
                if (TWO_PARTS) {
                    ((FloatVector) s.castShape(FLOATS, 1)).mul(d).intoMemorySegment(MEMORY, scales + 4 * g + 16, ORDER);
                    ((FloatVector) m.castShape(FLOATS, 1)).mul(e).intoMemorySegment(MEMORY, offsets + 4 * g + 16, ORDER);
                }
            }
            for (int half = 0; half < 2; half++) {
                for (int j = 0; j < 32; j += WIDTH) {
                    long to = q + 128 * half + j;
                    var crumbs = ByteVector.fromMemorySegment(BYTES, MEMORY, source + 16 + 32 * half + j, ORDER);
                    var shorts = crumbs.reinterpretAsShorts();
                    crumbs.and((byte) 3).intoMemorySegment(MEMORY, to, ORDER);
                    shorts.lanewise(LSHR, 2).reinterpretAsBytes().and((byte) 3).intoMemorySegment(MEMORY, to + 32, ORDER);
                    shorts.lanewise(LSHR, 4).reinterpretAsBytes().and((byte) 3).intoMemorySegment(MEMORY, to + 64, ORDER);
                    shorts.lanewise(LSHR, 6).reinterpretAsBytes().and((byte) 3).intoMemorySegment(MEMORY, to + 96, ORDER);
                }
            }
        }
    }

    private static void q3k(long source, int count, long q, long scales, long offsets) {
        for (long end = source + count / 256 * 110; source != end; source += 110, q += 256, scales += 64) {
            float d = half(source + 108);
            long nibbles = MEMORY.get(LONG, source + 96), upper = MEMORY.get(INT, source + 104) & 0xffffffffL;
            upper |= upper << 30;                                                            // of the second four scales the bits lie two above those of the first
            MEMORY.set(LONG, q, nibbles & 0x0f0f0f0f0f0f0f0fL | (upper & 0x0303030303030303L) << 4);
            MEMORY.set(LONG, q + 8, nibbles >>> 4 & 0x0f0f0f0f0f0f0f0fL | (upper >>> 4 & 0x0303030303030303L) << 4);
            for (int g = 0; g < 16; g += 8) {
                var s = ByteVector.fromMemorySegment(EIGHT, MEMORY, q + g, ORDER).sub((byte) 32);
                ((FloatVector) s.castShape(FLOATS, 0)).mul(d).intoMemorySegment(MEMORY, scales + 4 * g, ORDER);
                if (TWO_PARTS) ((FloatVector) s.castShape(FLOATS, 1)).mul(d).intoMemorySegment(MEMORY, scales + 4 * g + 16, ORDER);
            }
            for (int j = 0; j < 32; j += WIDTH) {
                var third = ByteVector.fromMemorySegment(BYTES, MEMORY, source + j, ORDER).reinterpretAsShorts();
                for (int half = 0; half < 2; half++) {
                    long to = q + 128 * half + j;
                    var crumbs = ByteVector.fromMemorySegment(BYTES, MEMORY, source + 32 + 32 * half + j, ORDER);
                    var shorts = crumbs.reinterpretAsShorts();
                    crumbs.and((byte) 3).or(third.lanewise(LSHL, 2).reinterpretAsBytes().and((byte) 4)).sub((byte) 4).intoMemorySegment(MEMORY, to, ORDER);
                    shorts.lanewise(LSHR, 2).reinterpretAsBytes().and((byte) 3).or(third.lanewise(LSHL, 1).reinterpretAsBytes().and((byte) 4)).sub((byte) 4)
                        .intoMemorySegment(MEMORY, to + 32, ORDER);
                    shorts.lanewise(LSHR, 4).reinterpretAsBytes().and((byte) 3).or(third.reinterpretAsBytes().and((byte) 4)).sub((byte) 4).intoMemorySegment(MEMORY, to + 64, ORDER);
                    shorts.lanewise(LSHR, 6).reinterpretAsBytes().and((byte) 3).or(third.lanewise(LSHR, 1).reinterpretAsBytes().and((byte) 4)).sub((byte) 4)
                        .intoMemorySegment(MEMORY, to + 96, ORDER);
                    third = third.lanewise(LSHR, 4);
                }
            }
        }
    }

    private static void q4k(long source, int count, long q, long scales, long offsets) {
        sixBits(source, 144, count, scales, offsets);
        for (long end = source + count / 256 * 144; source != end; source += 144) {
            for (long quants = source + 16; quants != source + 144; quants += 32, q += 64) {
                for (int j = 0; j < 32; j += WIDTH) {
                    var pairs = ByteVector.fromMemorySegment(BYTES, MEMORY, quants + j, ORDER);
                    pairs.and((byte) 15).intoMemorySegment(MEMORY, q + j, ORDER);
                    pairs.reinterpretAsShorts().lanewise(LSHR, 4).reinterpretAsBytes().and((byte) 15).intoMemorySegment(MEMORY, q + 32 + j, ORDER);
                }
            }
        }
    }

    private static void q5k(long source, int count, long q, long scales, long offsets) {
        sixBits(source, 176, count, scales, offsets);
        for (long end = source + count / 256 * 176; source != end; source += 176, q += 256) {
            for (int j = 0; j < 32; j += WIDTH) {
                var fifth = ByteVector.fromMemorySegment(BYTES, MEMORY, source + 16 + j, ORDER).reinterpretAsShorts();
                for (long quants = source + 48 + j, to = q + j; quants != source + 176 + j; quants += 32, to += 64) {
                    var pairs = ByteVector.fromMemorySegment(BYTES, MEMORY, quants, ORDER);
                    pairs.and((byte) 15).or(fifth.lanewise(LSHL, 4).reinterpretAsBytes().and((byte) 16)).intoMemorySegment(MEMORY, to, ORDER);
                    pairs.reinterpretAsShorts().lanewise(LSHR, 4).reinterpretAsBytes().and((byte) 15).or(fifth.lanewise(LSHL, 3).reinterpretAsBytes().and((byte) 16))
                        .intoMemorySegment(MEMORY, to + 32, ORDER);
                    fifth = fifth.lanewise(LSHR, 2);
                }
            }
        }
    }

    /** Eight scales and eight offsets for each block of Q4_K or Q5_K, which begin with d, e and twelve bytes of six-bit numbers. */
    static void sixBits(long source, int blockBytes, int count, long scales, long offsets) {
        for (long end = source + count / 256 * blockBytes; source != end; source += blockBytes, scales += 32, offsets += 32) {
            float d = half(source), e = -half(source + 2);
            var bytes = ByteVector.fromMemorySegment(SIXTEEN, MEMORY, source, ORDER);
            var low = LOW_BYTES.selectFrom(bytes);
            low = low.blend(low.reinterpretAsShorts().lanewise(LSHR, 4).reinterpretAsBytes(), LAST_FOUR).and(LOW_BITS);
            var both = UPPER_BYTES.selectFrom(bytes).reinterpretAsShorts().lanewise(LSHR, 2).reinterpretAsBytes().and(UPPER_BITS).or(low);
            if (TWO_PARTS) {
                ((FloatVector) both.castShape(FLOATS, 0)).mul(d).intoMemorySegment(MEMORY, scales, ORDER);
                ((FloatVector) both.castShape(FLOATS, 1)).mul(d).intoMemorySegment(MEMORY, scales + 16, ORDER);
                ((FloatVector) both.castShape(FLOATS, 2)).mul(e).intoMemorySegment(MEMORY, offsets, ORDER);
                ((FloatVector) both.castShape(FLOATS, 3)).mul(e).intoMemorySegment(MEMORY, offsets + 16, ORDER);
            } else {
                ((FloatVector) both.castShape(FLOATS, 0)).mul(d).intoMemorySegment(MEMORY, scales, ORDER);
                ((FloatVector) both.castShape(FLOATS, 1)).mul(e).intoMemorySegment(MEMORY, offsets, ORDER);
            }
        }
    }

    private static void q6k(long source, int count, long q, long scales, long offsets) {
        for (long end = source + count / 256 * 210; source != end; source += 210, q += 256, scales += 64) {
            float d = half(source + 208);
            for (int g = 0; g < 16; g += B.length()) {
                var s = ByteVector.fromMemorySegment(B, MEMORY, source + 192 + g, ORDER);
                ((FloatVector) s.castShape(F, 0)).mul(d).intoMemorySegment(MEMORY, scales + 4 * g, ORDER);
                if (TWO_PARTS) ((FloatVector) s.castShape(F, 1)).mul(d).intoMemorySegment(MEMORY, scales + 4 * (g + L), ORDER);
            }
            for (int half = 0; half < 2; half++) {
                for (int j = 0; j < 32; j += WIDTH) {
                    long to = q + 128 * half + j;
                    var first = ByteVector.fromMemorySegment(BYTES, MEMORY, source + 64 * half + j, ORDER);
                    var second = ByteVector.fromMemorySegment(BYTES, MEMORY, source + 64 * half + 32 + j, ORDER);
                    var upper = ByteVector.fromMemorySegment(BYTES, MEMORY, source + 128 + 32 * half + j, ORDER);
                    var shorts = upper.reinterpretAsShorts();
                    first.and((byte) 15).or(shorts.lanewise(LSHL, 4).reinterpretAsBytes().and((byte) 48)).sub((byte) 32).intoMemorySegment(MEMORY, to, ORDER);
                    second.and((byte) 15).or(shorts.lanewise(LSHL, 2).reinterpretAsBytes().and((byte) 48)).sub((byte) 32).intoMemorySegment(MEMORY, to + 32, ORDER);
                    first.reinterpretAsShorts().lanewise(LSHR, 4).reinterpretAsBytes().and((byte) 15).or(upper.and((byte) 48)).sub((byte) 32).intoMemorySegment(MEMORY, to + 64, ORDER);
                    second.reinterpretAsShorts().lanewise(LSHR, 4).reinterpretAsBytes().and((byte) 15).or(shorts.lanewise(LSHR, 2).reinterpretAsBytes().and((byte) 48)).sub((byte) 32)
                        .intoMemorySegment(MEMORY, to + 96, ORDER);
                }
            }
        }
    }

    private static void iq4xs(long source, int count, long q, long scales, long offsets) {
        for (long end = source + count / 256 * 136; source != end; source += 136, q += 256, scales += 32) {
            float d = half(source);
            long upper = MEMORY.get(INT, source) >>> 16, lower = MEMORY.get(INT, source + 4) & 0xffffffffL;
            upper = (upper | upper << 24) & 0x000000ff000000ffL;                             // eight pairs of bits and eight nibbles, spread over as many bytes
            upper = (upper | upper << 12) & 0x000f000f000f000fL;
            upper = (upper | upper << 6) & 0x0303030303030303L;
            lower = (lower | lower << 16) & 0x0000ffff0000ffffL;
            lower = (lower | lower << 8) & 0x00ff00ff00ff00ffL;
            lower = (lower | lower << 4) & 0x0f0f0f0f0f0f0f0fL;
            MEMORY.set(LONG, q, lower | upper << 4);
            var s = ByteVector.fromMemorySegment(EIGHT, MEMORY, q, ORDER).sub((byte) 32);
            ((FloatVector) s.castShape(FLOATS, 0)).mul(d).intoMemorySegment(MEMORY, scales, ORDER);
            if (TWO_PARTS) ((FloatVector) s.castShape(FLOATS, 1)).mul(d).intoMemorySegment(MEMORY, scales + 16, ORDER);
            for (long quants = source + 8, to = q; quants != source + 136; quants += 16, to += 32) {
                var pairs = ByteVector.fromMemorySegment(SIXTEEN, MEMORY, quants, ORDER);
                pairs.and((byte) 15).selectFrom(IQ4_LEVELS).intoMemorySegment(MEMORY, to, ORDER);
                pairs.reinterpretAsShorts().lanewise(LSHR, 4).reinterpretAsBytes().and((byte) 15).selectFrom(IQ4_LEVELS).intoMemorySegment(MEMORY, to + 16, ORDER);
            }
        }
    }
}
