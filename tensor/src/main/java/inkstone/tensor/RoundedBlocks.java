package inkstone.tensor;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/**
 * Blocks of 32 whose scale follows from their largest magnitude or from their range, and whose elements are rounded, with the arithmetic of ggml's reference to the
 * last bit. Loops have no branches that depend on the numbers: half of them would be guessed wrong.
 */
final class RoundedBlocks {
    private static final int SIZE = 32;

    private final byte[] q = new byte[SIZE];

    /** d = largest magnitude / 127, q = x / d rounded to nearest, ties away from zero. */
    void q8(float[] x, int from, MemorySegment block) {
        float d = largestMagnitude(x, from) / 127, inverse = inverse(d);
        block.set(JAVA_SHORT_UNALIGNED, 0, Quantizer.scale(DType.Q8_0, d));
        for (int j = 0; j < SIZE; j++) {
            double scaled = x[from + j] * inverse;                        // in double precision adding a half is exact
            q[j] = (byte) (int) (scaled + Math.copySign(0.5, scaled));
        }
        MemorySegment.copy(q, 0, block, JAVA_BYTE, 2, SIZE);
    }

    /** d = the value of largest magnitude / -8, so that it becomes -8 exactly; q = x / d + 8 rounded, at most 15. */
    void q4(float[] x, int from, MemorySegment block) {
        float d = extreme(x, from) / -8;
        block.set(JAVA_SHORT_UNALIGNED, 0, Quantizer.scale(DType.Q4_0, d));
        round(x, from, 0, inverse(d), 8.5f, 15);
        nibbles(block, 2);
    }

    /** d = the value of largest magnitude / -16; q = x / d + 16 rounded, at most 31. */
    void q5(float[] x, int from, MemorySegment block) {
        float d = extreme(x, from) / -16;
        block.set(JAVA_SHORT_UNALIGNED, 0, Quantizer.scale(DType.Q5_0, d));
        round(x, from, 0, inverse(d), 16.5f, 31);
        block.set(JAVA_INT_UNALIGNED, 2, fifthBits());
        nibbles(block, 6);
    }

    /** m = the smallest value, d = range / 15; q = (x - m) / d rounded. */
    void q4Offset(float[] x, int from, MemorySegment block) {
        float smallest = smallest(x, from), d = (largest(x, from) - smallest) / 15;
        block.set(JAVA_SHORT_UNALIGNED, 0, Quantizer.scale(DType.Q4_1, d));
        block.set(JAVA_SHORT_UNALIGNED, 2, Quantizer.scale(DType.Q4_1, smallest));
        round(x, from, smallest, inverse(d), 0.5f, 15);
        nibbles(block, 4);
    }

    /** m = the smallest value, d = range / 31; q = (x - m) / d rounded. */
    void q5Offset(float[] x, int from, MemorySegment block) {
        float smallest = smallest(x, from), d = (largest(x, from) - smallest) / 31;
        block.set(JAVA_SHORT_UNALIGNED, 0, Quantizer.scale(DType.Q5_1, d));
        block.set(JAVA_SHORT_UNALIGNED, 2, Quantizer.scale(DType.Q5_1, smallest));
        round(x, from, smallest, inverse(d), 0.5f, 31);
        block.set(JAVA_INT_UNALIGNED, 4, fifthBits());
        nibbles(block, 8);
    }

    /**
     * e = the exponent of the largest magnitude less that of 4, the largest power of two that a nibble holds; each element to the nearest level, ties to the smaller
     * magnitude.
     */
    void mxfp4(float[] x, int from, MemorySegment block) {
        float largest = largestMagnitude(x, from);
        // The logarithm in single precision: within half a unit in the last place it takes what is just below a power of two for that power, as ggml does.
        int exponent = largest == 0 ? 0 : Math.max(0, (int) Math.floor((float) (Math.log(largest) / Math.log(2))) - 2 + 127);
        float step = Math.scalb(1f, exponent - 128);
        block.set(JAVA_BYTE, 0, (byte) exponent);
        for (int j = 0; j < SIZE; j++) q[j] = e2m1(x[from + j], step);
        nibbles(block, 1);
    }

    private static byte e2m1(float x, float step) {
        float magnitude = Math.abs(x) / step;                       // in halves of one
        int index = 0;
        while (index < 7 && magnitude > 0.5f * (Blocks.E2M1_DOUBLED[index] + Blocks.E2M1_DOUBLED[index + 1])) index++;
        return (byte) (x < 0 && index > 0 ? index | 8 : index);
    }

    /** q = (x - offset) · inverse + rounding, cut to an integer and to {@code top}. */
    private void round(float[] x, int from, float offset, float inverse, float rounding, int top) {
        for (int j = 0; j < SIZE; j++) q[j] = (byte) Math.min(top, (int) ((x[from + j] - offset) * inverse + rounding));
    }

    /** The low four bits: byte j holds elements j (low) and j + 16 (high). */
    private void nibbles(MemorySegment block, int at) {
        for (int j = 0; j < SIZE / 2; j++) block.set(JAVA_BYTE, at + j, (byte) (q[j] & 15 | q[j + SIZE / 2] << 4));
    }

    private int fifthBits() {
        int fifth = 0;
        for (int j = 0; j < SIZE; j++) fifth |= q[j] >> 4 << j;
        return fifth;
    }

    /** The first value of largest magnitude. */
    private static float extreme(float[] x, int from) {
        float largest = largestMagnitude(x, from);
        int i = from;
        while (Math.abs(x[i]) != largest) i++;
        return x[i];
    }

    private static float largestMagnitude(float[] x, int from) {
        float largest = 0;
        for (int i = from; i < from + SIZE; i++) largest = Math.max(largest, Math.abs(x[i]));
        return largest;
    }

    private static float smallest(float[] x, int from) {
        float smallest = x[from];
        for (int i = from + 1; i < from + SIZE; i++) if (x[i] < smallest) smallest = x[i];      // of -0 and 0 the first, which Math.min would not keep
        return smallest;
    }

    private static float largest(float[] x, int from) {
        float largest = x[from];
        for (int i = from + 1; i < from + SIZE; i++) largest = Math.max(largest, x[i]);
        return largest;
    }

    private static float inverse(float d) {
        float inverse = 1 / d;
        return Float.isFinite(inverse) ? inverse : 0;
    }
}
