package inkstone.tensor;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/**
 * Optimizer states in eight bits (Dettmers et al. 2021, arXiv:2110.02861), in blocks of {@link DType#Q8_0}. Rounded up or down at random, so that changes smaller than a level
 * add up over steps; a root of a mean square that is not 0 keeps at least one level, because it will divide.
 */
public final class AdamStates {
    private static final int BLOCK = 32, BLOCK_BYTES = 34;

    private AdamStates() {}

    /** Stores floats, whose count is a multiple of 32; {@code which} is 0 for the mean and 1 for the root of the mean square. */
    public static void store(MemorySegment blocks, float[] values, long key, int which) {
        for (int block = 0; block < values.length / BLOCK; block++) {
            float largest = 0;
            for (int i = 0; i < BLOCK; i++) largest = Math.max(largest, Math.abs(values[block * BLOCK + i]));
            short scale = Float.floatToFloat16(largest / 127);
            float level = Float.float16ToFloat(scale);
            blocks.set(JAVA_SHORT_UNALIGNED, (long) block * BLOCK_BYTES, scale);
            for (int i = 0; i < BLOCK; i++) {
                int at = block * BLOCK + i;
                blocks.set(JAVA_BYTE, (long) block * BLOCK_BYTES + 2 + i, level == 0 ? 0 : round(values[at] / level, Philox.uniform(2L * at + which, key), which == 1 && values[at] > 0));
            }
        }
    }

    private static byte round(float levels, float random, boolean positive) {
        int rounded = Math.clamp((int) Math.floor(levels + random), -127, 127);
        return (byte) (positive ? Math.max(1, rounded) : rounded);
    }
}
