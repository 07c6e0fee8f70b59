package inkstone.tensor;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/**
 * The formats themselves, element by element and slow: what every fast kernel must equal, and how files are written. Bit for bit those of ggml (BlocksTest holds bytes
 * that ggml made). All numbers are little-endian, as on every machine Inkstone runs on.
 */
public final class Blocks {
    private Blocks() {}

    /** {@code count} elements from {@code offset} bytes into {@code data}, as floats. */
    public static void toFloats(DType dtype, MemorySegment data, long offset, float[] out, int count) {
        for (int i = 0; i < count; i++) out[i] = element(dtype, data, offset, i);
    }

    /** Element {@code i} of the row that begins at byte {@code offset}. */
    static float element(DType dtype, MemorySegment data, long offset, int i) {
        long block = offset + (long) (i / dtype.blockSize) * dtype.blockBytes;
        int j = i % dtype.blockSize;
        return switch (dtype) {
            case F32 -> data.get(JAVA_FLOAT_UNALIGNED, block);
            case F16 -> Float.float16ToFloat(data.get(JAVA_SHORT_UNALIGNED, block));
            case BF16 -> Float.intBitsToFloat(data.get(JAVA_SHORT_UNALIGNED, block) << 16);
            case I32 -> data.get(JAVA_INT_UNALIGNED, block);
            case Q8_0 -> Float.float16ToFloat(data.get(JAVA_SHORT_UNALIGNED, block)) * data.get(JAVA_BYTE, block + 2 + j);
            case Q4_0 -> {
                int nibbles = data.get(JAVA_BYTE, block + 2 + j % 16);
                yield Float.float16ToFloat(data.get(JAVA_SHORT_UNALIGNED, block)) * ((j < 16 ? nibbles & 15 : nibbles >> 4 & 15) - 8);
            }
        };
    }

    /**
     * Stores {@code count} floats, whole blocks, from byte {@code offset} of {@code data}. F16 and BF16 round to nearest, ties to even; infinities stay, what is too
     * large becomes infinite, a NaN stays a quiet NaN. A quantized block cannot hold infinities, NaN, or magnitudes beyond what its F16 scale reaches: those throw.
     * A block whose largest magnitude is so small that 1 / scale overflows is stored as zeros.
     */
    public static void fromFloats(DType dtype, float[] values, MemorySegment data, long offset, int count) {
        dtype.bytes(count);
        for (int i = 0; i < count; i += dtype.blockSize, offset += dtype.blockBytes) {
            switch (dtype) {
                case F32 -> data.set(JAVA_FLOAT_UNALIGNED, offset, values[i]);
                case F16 -> data.set(JAVA_SHORT_UNALIGNED, offset, Float.floatToFloat16(values[i]));
                case BF16 -> data.set(JAVA_SHORT_UNALIGNED, offset, bfloat(values[i]));
                case Q8_0 -> q8(values, i, data, offset);
                case Q4_0 -> q4(values, i, data, offset);
                case I32 -> throw new IllegalArgumentException("floats cannot be stored as I32");
            }
        }
    }

    private static short bfloat(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) return (short) (bits >>> 16 | 0x40);                 // rounding could carry a NaN over to infinity
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }

    /** d = largest magnitude / 127, q = x / d rounded to nearest, ties away from zero. */
    private static void q8(float[] values, int from, MemorySegment data, long block) {
        float d = Math.abs(extreme(DType.Q8_0, values, from)) / 127, inverse = inverse(d);
        data.set(JAVA_SHORT_UNALIGNED, block, scale(DType.Q8_0, d));
        for (int j = 0; j < 32; j++) {
            float x = values[from + j] * inverse;
            int whole = (int) x;
            if (Math.abs(x - whole) >= 0.5f) whole += x > 0 ? 1 : -1;
            data.set(JAVA_BYTE, block + 2 + j, (byte) whole);
        }
    }

    /** d = the value of largest magnitude / -8, so that it becomes -8 exactly; q = x / d + 8 rounded, at most 15. */
    private static void q4(float[] values, int from, MemorySegment data, long block) {
        float d = extreme(DType.Q4_0, values, from) / -8, inverse = inverse(d);
        data.set(JAVA_SHORT_UNALIGNED, block, scale(DType.Q4_0, d));
        for (int j = 0; j < 16; j++) {
            int low = Math.min(15, (int) (values[from + j] * inverse + 8.5f)), high = Math.min(15, (int) (values[from + j + 16] * inverse + 8.5f));
            data.set(JAVA_BYTE, block + 2 + j, (byte) (low | high << 4));
        }
    }

    /** The first value of largest magnitude in a block. */
    private static float extreme(DType dtype, float[] values, int from) {
        float extreme = 0;
        for (int i = from; i < from + dtype.blockSize; i++) {
            if (!Float.isFinite(values[i])) throw new IllegalArgumentException("%s cannot store %s (element %d)".formatted(dtype, values[i], i));
            if (Math.abs(values[i]) > Math.abs(extreme)) extreme = values[i];
        }
        return extreme;
    }

    private static float inverse(float d) {
        float inverse = 1 / d;
        return Float.isFinite(inverse) ? inverse : 0;
    }

    private static short scale(DType dtype, float d) {
        short half = Float.floatToFloat16(d);
        if (Float.isInfinite(Float.float16ToFloat(half))) throw new IllegalArgumentException("%s cannot store a block whose scale is %s; F16 ends at 65504".formatted(dtype, d));
        return half;
    }
}
