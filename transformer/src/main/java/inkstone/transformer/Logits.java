package inkstone.transformer;

import java.util.Arrays;

/**
 * What a step computed for the rows that were wanted: all logits of each, or the largest with their tokens, by ascending token. The arrays are the caller's to overwrite until the next step.
 *
 * @param values [rows, width]
 * @param tokens whose logits those are, [rows, width]; null where width is the whole vocabulary
 */
record Logits(float[] values, int[] tokens, int width) {
    /** Where a row begins in both arrays. */
    int at(int row) { return row * width; }

    /** Takes row {@code from} of those that were computed: logits, or what {@link inkstone.tensor.Kernels#largest} makes of them. */
    void set(int row, float[] computed, int from) {
        if (tokens == null) {
            System.arraycopy(computed, from * width, values, at(row), width);
            return;
        }
        var byToken = new long[width];
        for (int j = 0; j < width; j++) {
            int value = from * 2 * width + j;
            byToken[j] = (long) computed[value + width] << 32 | Float.floatToRawIntBits(computed[value]) & 0xFFFFFFFFL;
        }
        Arrays.sort(byToken);
        for (int j = 0; j < width; j++) {
            tokens[at(row) + j] = (int) (byToken[j] >> 32);
            values[at(row) + j] = Float.intBitsToFloat((int) byToken[j]);
        }
    }
}
