package inkstone.tensor;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/**
 * The formats themselves, element by element and slow: what every fast kernel must equal, and how files are written. Bit for bit those of ggml (BlocksTest holds
 * bytes that ggml made). All numbers are little-endian, as on every machine Inkstone runs on.
 */
public final class Blocks {
    private Blocks() {}

    /** What the nibbles of IQ4_NL and IQ4_XS stand for. */
    static final byte[] IQ4_LEVELS = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    /** Twice what the first eight nibbles of MXFP4 stand for; the other eight are their negatives. */
    static final byte[] E2M1_DOUBLED = {0, 1, 2, 3, 4, 6, 8, 12};

    /** {@code count} elements from {@code offset} bytes into {@code data}, as floats. */
    public static void toFloats(DType dtype, MemorySegment data, long offset, float[] out, int count) {
        switch (dtype) {
            case F32 -> MemorySegment.copy(data, JAVA_FLOAT_UNALIGNED, offset, out, 0, count);
            case F16, BF16 -> {
                var bits = new short[count];                            // C2 turns whole arrays of halves into floats at once, but not what it reads from a segment
                MemorySegment.copy(data, JAVA_SHORT_UNALIGNED, offset, bits, 0, count);
                if (dtype == DType.F16) for (int i = 0; i < count; i++) out[i] = Float.float16ToFloat(bits[i]);
                else for (int i = 0; i < count; i++) out[i] = Float.intBitsToFloat(bits[i] << 16);
            }
            default -> { for (int i = 0; i < count; i++) out[i] = element(dtype, data, offset, i); }
        }
    }

    /** Element {@code i} of the row that begins at byte {@code offset}. */
    static float element(DType dtype, MemorySegment data, long offset, int i) {
        var block = data.asSlice(offset + (long) (i / dtype.blockSize) * dtype.blockBytes, dtype.blockBytes);
        int j = i % dtype.blockSize;
        return switch (dtype) {
            case F32 -> block.get(JAVA_FLOAT_UNALIGNED, 0);
            case F16 -> half(block, 0);
            case BF16 -> Float.intBitsToFloat(block.get(JAVA_SHORT_UNALIGNED, 0) << 16);
            case I32 -> block.get(JAVA_INT_UNALIGNED, 0);
            case Q8_0 -> half(block, 0) * block.get(JAVA_BYTE, 2 + j);
            case Q4_0 -> half(block, 0) * (nibble(block, 2, j) - 8);
            case Q4_1 -> half(block, 0) * nibble(block, 4, j) + half(block, 2);
            case Q5_0 -> half(block, 0) * ((nibble(block, 6, j) | bits(block, 2 + j / 8, j % 8, 1) << 4) - 16);
            case Q5_1 -> half(block, 0) * (nibble(block, 8, j) | bits(block, 4 + j / 8, j % 8, 1) << 4) + half(block, 2);
            case Q2_K -> half(block, 80) * bits(block, j / 16, 0, 4) * crumb(block, 16, j) - half(block, 82) * bits(block, j / 16, 4, 4);
            case Q3_K -> half(block, 108) * (q3Scale(block, j / 16) - 32) * ((crumb(block, 32, j) | bits(block, j % 32, j / 32, 1) << 2) - 4);
            case Q4_K -> half(block, 0) * kScale(block, j / 32) * bits(block, 16 + j / 64 * 32 + j % 32, j / 32 % 2 * 4, 4) - half(block, 2) * kOffset(block, j / 32);
            case Q5_K -> half(block, 0) * kScale(block, j / 32) * (bits(block, 48 + j / 64 * 32 + j % 32, j / 32 % 2 * 4, 4) | bits(block, 16 + j % 32, j / 32, 1) << 4)
                - half(block, 2) * kOffset(block, j / 32);
            case Q6_K -> half(block, 208) * block.get(JAVA_BYTE, 192 + j / 16) * ((bits(block, j / 128 * 64 + j % 64, j / 64 % 2 * 4, 4) | crumb(block, 128, j) << 4) - 32);
            case IQ4_NL -> half(block, 0) * IQ4_LEVELS[nibble(block, 2, j)];
            case IQ4_XS -> half(block, 0) * ((bits(block, 4 + j / 64, j / 32 % 2 * 4, 4) | bits(block, 2 + j / 128, j / 32 % 4 * 2, 2) << 4) - 32)
                * IQ4_LEVELS[nibble(block, 8 + j / 32 * 16, j % 32)];
            case MXFP4 -> {
                int nibble = nibble(block, 1, j), doubled = E2M1_DOUBLED[nibble & 7];
                yield Math.scalb(1f, bits(block, 0, 0, 8) - 128) * (nibble < 8 ? doubled : -doubled);
            }
        };
    }

    private static float half(MemorySegment block, int at) { return Float.float16ToFloat(block.get(JAVA_SHORT_UNALIGNED, at)); }

    /** {@code count} bits of the byte at {@code at}, from bit {@code first} upwards. */
    private static int bits(MemorySegment block, int at, int first, int count) { return block.get(JAVA_BYTE, at) >> first & (1 << count) - 1; }

    /** Element j of 32 nibbles in 16 bytes: byte j holds elements j (low) and j + 16 (high). */
    private static int nibble(MemorySegment block, int at, int j) { return bits(block, at + j % 16, j / 16 * 4, 4); }

    /** Element j of 256 pairs of bits in 64 bytes: of each half, byte j holds elements j, j + 32, j + 64 and j + 96 from the lowest bits upwards. */
    private static int crumb(MemorySegment block, int at, int j) { return bits(block, at + j / 128 * 32 + j % 32, j / 32 % 4 * 2, 2); }

    /** Scale g of 16 in Q3_K: eight bytes of low nibbles, those of 0 to 7 before those of 8 to 15, and four bytes of the upper two bits. */
    private static int q3Scale(MemorySegment block, int g) { return bits(block, 96 + g % 8, g / 8 * 4, 4) | bits(block, 104 + g % 4, g / 4 * 2, 2) << 4; }

    /**
     * Scale g of 8 in Q4_K and Q5_K: the first four are six bits of bytes 4 to 7; the others lie in nibbles of bytes 12 to 15, their upper two bits above the first
     * four.
     */
    private static int kScale(MemorySegment block, int g) { return g < 4 ? bits(block, 4 + g, 0, 6) : bits(block, 8 + g, 0, 4) | bits(block, g, 6, 2) << 4; }

    /** Offset g of 8 in Q4_K and Q5_K: as {@link #kScale}, from bytes 8 to 11 and the upper nibbles. */
    private static int kOffset(MemorySegment block, int g) { return g < 4 ? bits(block, 8 + g, 0, 6) : bits(block, 8 + g, 4, 4) | bits(block, 4 + g, 6, 2) << 4; }

    /** As {@link #fromFloats(DType, float[], float[], MemorySegment, long, int)} with every element as important as any other. */
    public static void fromFloats(DType dtype, float[] values, MemorySegment data, long offset, int count) { fromFloats(dtype, values, null, data, offset, count); }

    /**
     * Stores {@code count} floats, whole blocks, from byte {@code offset} of {@code data}. F16 and BF16 round to nearest, ties to even; infinities stay, what is too
     * large becomes infinite, a NaN stays a quiet NaN. A quantized block cannot hold infinities, NaN, or magnitudes beyond what its F16 scale reaches: those throw.
     * A block whose largest magnitude is so small that its scale vanishes is stored as zeros. Without importance, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 and MXFP4 are bit for
     * bit what ggml's reference makes of them; other formats minimise the squared error (see {@link LevelBlocks} and {@link OffsetBlocks}).
     *
     * @param importance what the squared error of each element weighs, as many as there are values and none negative: for a weight matrix the mean square of the
     *        activation that its column meets; null weighs all alike. Q8_0 and MXFP4 have nothing to choose and ignore it, as the float formats do.
     */
    public static void fromFloats(DType dtype, float[] values, float[] importance, MemorySegment data, long offset, int count) {
        dtype.bytes(count);
        if (dtype.isQuantized()) {
            requireImportance(importance, count);
            var quantizer = Quantizer.of(dtype, importance);
            for (int i = 0; i < count; i += dtype.blockSize, offset += dtype.blockBytes) {
                requireFinite(dtype, values, i);
                quantizer.block(values, i, data.asSlice(offset, dtype.blockBytes));
            }
            return;
        }
        for (int i = 0; i < count; i++, offset += dtype.blockBytes) {
            switch (dtype) {
                case F32 -> data.set(JAVA_FLOAT_UNALIGNED, offset, values[i]);
                case F16 -> data.set(JAVA_SHORT_UNALIGNED, offset, Float.floatToFloat16(values[i]));
                case BF16 -> data.set(JAVA_SHORT_UNALIGNED, offset, bfloat(values[i]));
                default -> throw new IllegalArgumentException("floats cannot be stored as " + dtype);
            }
        }
    }

    private static void requireFinite(DType dtype, float[] values, int from) {
        int largest = 0;
        for (int i = from; i < from + dtype.blockSize; i++) largest = Math.max(largest, Float.floatToRawIntBits(values[i]) & Integer.MAX_VALUE);
        if (largest < Float.floatToRawIntBits(Float.POSITIVE_INFINITY)) return;
        for (int i = from; i < from + dtype.blockSize; i++) {
            if (!Float.isFinite(values[i])) throw new IllegalArgumentException("%s cannot store %s (element %d)".formatted(dtype, values[i], i));
        }
    }

    private static void requireImportance(float[] importance, int count) {
        if (importance == null) return;
        if (importance.length < count) throw new IllegalArgumentException("importance: expected one for each of %d elements, got %d".formatted(count, importance.length));
        for (int i = 0; i < count; i++) {
            if (!(importance[i] >= 0 && importance[i] < Float.POSITIVE_INFINITY)) {
                throw new IllegalArgumentException("importance of element %d: expected 0 or more, got %s".formatted(i, importance[i]));
            }
        }
    }

    private static short bfloat(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) return (short) (bits >>> 16 | 0x40);                 // rounding could carry a NaN over to infinity
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }
}
