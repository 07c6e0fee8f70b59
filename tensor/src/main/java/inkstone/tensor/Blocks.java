package inkstone.tensor;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/** The formats themselves, element by element and slow: what every fast kernel must equal. All numbers are little-endian, as on every machine Inkstone runs on. */
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
}
