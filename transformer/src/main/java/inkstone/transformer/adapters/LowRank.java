package inkstone.transformer.adapters;

import inkstone.tensor.ModelException;

/**
 * A change of one matrix of a model, in the memory of Java: weight + scale · b a (Hu et al. 2021, arXiv:2106.09685), or where it has magnitudes, each row of that scaled to
 * the length told (Liu et al. 2024, arXiv:2402.09353). Rows lie as in the model that it is for. Immutable; the arrays are not to be written.
 *
 * @param linear    the linear map, as models ask for it: blk.0.attn_q
 * @param a         [rank, in]
 * @param b         [out, rank]
 * @param magnitude [out], null where lengths are left as they come
 */
public record LowRank(String linear, int in, int out, int rank, float[] a, float[] b, float scale, float[] magnitude) {
    public LowRank {
        boolean fits = rank > 0 && a.length == (long) rank * in && b.length == (long) out * rank && (magnitude == null || magnitude.length == out);
        if (!fits) throw new IllegalArgumentException("%s: a of %d and b of %d numbers are no change of [%d, %d] of rank %d".formatted(linear, a.length, b.length, out, in, rank));
    }

    /**
     * Adds the change, {@code weight} times, to a row of the matrix: to w + weight · (w' - w).
     *
     * @param row      which one, [in], changed in place
     * @param original the same row without any change
     */
    void addTo(float[] row, int index, float[] original, float weight) {
        if (magnitude == null) {
            addProduct(row, index, scale * weight);
            return;
        }
        var changed = original.clone();
        addProduct(changed, index, scale);
        double squares = 0;
        for (float value : changed) squares += (double) value * value;
        float factor = factor(linear, index, magnitude[index], (float) Math.sqrt(squares));
        for (int k = 0; k < in; k++) row[k] += weight * (factor * changed[k] - original[k]);
    }

    private void addProduct(float[] row, int index, float times) {
        for (int r = 0; r < rank; r++) {
            float factor = times * b[index * rank + r];
            for (int k = 0; k < in; k++) row[k] += factor * a[r * in + k];
        }
    }

    /** What a row of this length is multiplied by. */
    static float factor(String linear, int row, float magnitude, float length) {
        if (length > 0) return magnitude / length;
        throw new ModelException("row %d of %s is zero, which has no direction that a weight-decomposed adapter could keep".formatted(row, linear));
    }
}
