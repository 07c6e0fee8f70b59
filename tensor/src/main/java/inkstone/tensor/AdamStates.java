package inkstone.tensor;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/**
 * Optimizer states in eight bits (Dettmers et al. 2021, arXiv:2110.02861), in blocks of {@link DType#Q8_0}. Rounded up or down at random, so that changes smaller than a level
 * add up over steps; a root of a mean square that is not 0 keeps at least one level, because it will divide. What a block holds counts in units of {@link #UNIT}: the gradients of
 * a large model are so small that a block's scale, which is a half-precision number, would come to 0.
 */
public final class AdamStates {
    private static final int BLOCK = 32, BLOCK_BYTES = 34;
    private static final float LARGEST_SCALE = 65504;

    /** What numbers in the blocks are times this are the states; a block holds magnitudes from 6e-11 to 127. */
    public static final float UNIT = 0x1p-16f;

    private AdamStates() {}

    /** Stores floats, whose count is a multiple of 32; {@code which} is 0 for the mean and 1 for the root of the mean square. */
    public static void store(MemorySegment blocks, float[] values, long key, int which) {
        for (int block = 0; block < values.length / BLOCK; block++) {
            float largest = 0;
            for (int i = 0; i < BLOCK; i++) largest = Math.max(largest, Math.abs(values[block * BLOCK + i]));
            short scale = scale(largest);
            float level = Float.float16ToFloat(scale);
            blocks.set(JAVA_SHORT_UNALIGNED, (long) block * BLOCK_BYTES, scale);
            for (int i = 0; i < BLOCK; i++) {
                int at = block * BLOCK + i;
                blocks.set(JAVA_BYTE, (long) block * BLOCK_BYTES + 2 + i, level == 0 ? 0 : round(values[at] / UNIT / level, Philox.uniform(2L * at + which, key), which == 1 && values[at] > 0));
            }
        }
    }

    /** The half-precision scale of a block with this largest magnitude. */
    public static short scale(float largest) { return Float.floatToFloat16(Math.min(largest / (127 * UNIT), LARGEST_SCALE)); }

    private static byte round(float levels, float random, boolean positive) {
        int rounded = Math.clamp((int) Math.floor(levels + random), -127, 127);
        return (byte) (positive ? Math.max(1, rounded) : rounded);
    }
}
