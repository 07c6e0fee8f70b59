package inkstone.tensor;

/**
 * Heads of one attention layer. Query head h reads key-value head h / (heads / kvHeads) (grouped queries, Ainslie et al. 2023,
 * arXiv:2305.13245). Scores are scaled by {@code scale}, usually 1 / sqrt(headDim), before the softmax.
 */
public record AttentionShape(int heads, int kvHeads, int headDim, float scale) {
    public AttentionShape {
        if (heads < 1 || kvHeads < 1 || headDim < 1 || heads % kvHeads != 0) {
            throw new IllegalArgumentException("attention needs heads divisible by kvHeads, got %d heads, %d kvHeads of %d".formatted(heads, kvHeads, headDim));
        }
    }
    /** Floats in one row of queries. */
    public int queryDim() { return heads * headDim; }
    /** Floats in one row of keys or values. */
    public int keyDim() { return kvHeads * headDim; }
}
