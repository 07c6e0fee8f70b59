package inkstone.tensor;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/** Where a block's numbers lie in its bytes: the inverse of {@link Blocks#element}. */
@FunctionalInterface
interface BlockLayout {
    void write(Quantized block, MemorySegment bytes);

    /** The numbers of one block: w = d scales[g] level(q) - e offsets[g] for an element of group g. */
    final class Quantized {
        /** F16. */
        short d, e;
        final int[] scales, offsets;
        final byte[] q;

        Quantized(int size, int groups) {
            scales = new int[groups];
            offsets = new int[groups];
            q = new byte[size];
        }
    }

    static void q4(Quantized b, MemorySegment bytes) {
        bytes.set(JAVA_SHORT_UNALIGNED, 0, b.d);
        nibbles(b.q, 0, bytes, 2, 16);
    }

    static void q4Offset(Quantized b, MemorySegment bytes) {
        bytes.set(JAVA_SHORT_UNALIGNED, 0, b.d);
        bytes.set(JAVA_SHORT_UNALIGNED, 2, negated(b.e));
        nibbles(b.q, 0, bytes, 4, 16);
    }

    static void q5(Quantized b, MemorySegment bytes) {
        bytes.set(JAVA_SHORT_UNALIGNED, 0, b.d);
        bytes.set(JAVA_INT_UNALIGNED, 2, fifthBits(b.q));
        nibbles(b.q, 0, bytes, 6, 16);
    }

    static void q5Offset(Quantized b, MemorySegment bytes) {
        bytes.set(JAVA_SHORT_UNALIGNED, 0, b.d);
        bytes.set(JAVA_SHORT_UNALIGNED, 2, negated(b.e));
        bytes.set(JAVA_INT_UNALIGNED, 4, fifthBits(b.q));
        nibbles(b.q, 0, bytes, 8, 16);
    }

    static void q2k(Quantized b, MemorySegment bytes) {
        for (int g = 0; g < 16; g++) bytes.set(JAVA_BYTE, g, (byte) (b.scales[g] | b.offsets[g] << 4));
        crumbs(b.q, 0, bytes, 16);
        bytes.set(JAVA_SHORT_UNALIGNED, 80, b.d);
        bytes.set(JAVA_SHORT_UNALIGNED, 82, b.e);
    }

    static void q3k(Quantized b, MemorySegment bytes) {
        upperBits(b.q, 2, bytes, 0);
        crumbs(b.q, 0, bytes, 32);
        for (int i = 0; i < 8; i++) bytes.set(JAVA_BYTE, 96 + i, (byte) (b.scales[i] + 32 & 15 | (b.scales[i + 8] + 32 & 15) << 4));
        for (int i = 0; i < 4; i++) {
            bytes.set(JAVA_BYTE, 104 + i, (byte) (b.scales[i] + 32 >> 4 | b.scales[i + 4] + 32 >> 4 << 2 | b.scales[i + 8] + 32 >> 4 << 4 | b.scales[i + 12] + 32 >> 4 << 6));
        }
        bytes.set(JAVA_SHORT_UNALIGNED, 108, b.d);
    }

    static void q4k(Quantized b, MemorySegment bytes) {
        sixBits(b, bytes);
        for (int j = 0; j < 4; j++) nibbles(b.q, 64 * j, bytes, 16 + 32 * j, 32);
    }

    static void q5k(Quantized b, MemorySegment bytes) {
        sixBits(b, bytes);
        upperBits(b.q, 4, bytes, 16);
        for (int j = 0; j < 4; j++) nibbles(b.q, 64 * j, bytes, 48 + 32 * j, 32);
    }

    static void q6k(Quantized b, MemorySegment bytes) {
        nibbles(b.q, 0, bytes, 0, 64);
        nibbles(b.q, 128, bytes, 64, 64);
        crumbs(b.q, 4, bytes, 128);
        for (int g = 0; g < 16; g++) bytes.set(JAVA_BYTE, 192 + g, (byte) b.scales[g]);
        bytes.set(JAVA_SHORT_UNALIGNED, 208, b.d);
    }

    static void iq4xs(Quantized b, MemorySegment bytes) {
        bytes.set(JAVA_SHORT_UNALIGNED, 0, b.d);
        int upper = 0;
        for (int g = 0; g < 8; g++) upper |= b.scales[g] + 32 >> 4 << 2 * g;
        bytes.set(JAVA_SHORT_UNALIGNED, 2, (short) upper);
        for (int i = 0; i < 4; i++) bytes.set(JAVA_BYTE, 4 + i, (byte) (b.scales[2 * i] + 32 & 15 | (b.scales[2 * i + 1] + 32 & 15) << 4));
        for (int g = 0; g < 8; g++) nibbles(b.q, 32 * g, bytes, 8 + 16 * g, 16);
    }

    /** The low four bits of elements from .. from + 2 · half - 1 in {@code half} bytes: byte j holds elements j (low) and j + half (high). */
    private static void nibbles(byte[] q, int from, MemorySegment bytes, int at, int half) {
        for (int j = 0; j < half; j++) bytes.set(JAVA_BYTE, at + j, (byte) (q[from + j] & 15 | q[from + j + half] << 4));
    }

    private static int fifthBits(byte[] q) {
        int bits = 0;
        for (int j = 0; j < 32; j++) bits |= q[j] >> 4 << j;
        return bits;
    }

    /** Bit {@code bit} of 256 elements in 32 bytes: byte j holds those of elements j, j + 32, ... from its lowest bit upwards. */
    private static void upperBits(byte[] q, int bit, MemorySegment bytes, int at) {
        for (int j = 0; j < 32; j++) {
            int bits = 0;
            for (int k = 0; k < 8; k++) bits |= (q[j + 32 * k] >> bit & 1) << k;
            bytes.set(JAVA_BYTE, at + j, (byte) bits);
        }
    }

    /** Two bits of 256 elements, from bit {@code shift}, in 64 bytes: of each half, byte j holds elements j, j + 32, j + 64 and j + 96. */
    private static void crumbs(byte[] q, int shift, MemorySegment bytes, int at) {
        for (int half = 0; half < 2; half++) {
            for (int j = 0; j < 32; j++) {
                int i = 128 * half + j;
                bytes.set(JAVA_BYTE, at + 32 * half + j, (byte) (q[i] >> shift & 3 | (q[i + 32] >> shift & 3) << 2 | (q[i + 64] >> shift & 3) << 4 | (q[i + 96] >> shift & 3) << 6));
            }
        }
    }

    /**
     * d, e and eight scales and offsets of six bits in 16 bytes: four scales, four offsets, four pairs of nibbles, whose upper two bits lie above the first eight.
     */
    private static void sixBits(Quantized b, MemorySegment bytes) {
        bytes.set(JAVA_SHORT_UNALIGNED, 0, b.d);
        bytes.set(JAVA_SHORT_UNALIGNED, 2, b.e);
        for (int g = 0; g < 4; g++) {
            bytes.set(JAVA_BYTE, 4 + g, (byte) (b.scales[g] | b.scales[g + 4] >> 4 << 6));
            bytes.set(JAVA_BYTE, 8 + g, (byte) (b.offsets[g] | b.offsets[g + 4] >> 4 << 6));
            bytes.set(JAVA_BYTE, 12 + g, (byte) (b.scales[g + 4] & 15 | b.offsets[g + 4] << 4));
        }
    }

    private static short negated(short half) { return (short) (half ^ 0x8000); }
}
