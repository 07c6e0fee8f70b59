package inkstone.tensor;

/**
 * Heads of one attention layer. Query head h reads key-value head h / (heads / kvHeads) (grouped queries, Ainslie et al. 2023, arXiv:2305.13245). Scores are
 * scaled, capped, masked, and go through the softmax, in this order.
 *
 * @param headDim      width of a query or key head
 * @param valueHeadDim width of a value head, and so of what a query head gets; unlike headDim only in latent attention
 * @param scale        usually 1 / sqrt(headDim)
 * @param window       how many positions a query sees, its own included (Beltagy et al. 2020, arXiv:2004.05150); 0: all before it
 * @param softCap      scores become softCap · tanh(score / softCap) (Gemma Team 2024, arXiv:2408.00118); 0: they stay
 * @param sinks        F32 [heads], the score of one more position that every query sees and whose value is zero (Xiao et al. 2023, arXiv:2309.17453); or null
 * @param causal       whether a query sees positions up to its own only; otherwise all of its sequence, as encoders do, and then without a window or a cache
 */
public record AttentionShape(int heads, int kvHeads, int headDim, int valueHeadDim, float scale, int window, float softCap, Tensor sinks,
                             boolean causal) {
    public AttentionShape {
        if (heads < 1 || kvHeads < 1 || headDim < 1 || valueHeadDim < 1 || heads % kvHeads != 0) {
            throw new IllegalArgumentException("attention needs heads divisible by kvHeads, got %d heads, %d kvHeads of %d and %d"
                .formatted(heads, kvHeads, headDim, valueHeadDim));
        }
        if (!causal && window != 0) throw new IllegalArgumentException("attention to both sides has no window, got " + window);
        if (window < 0 || !(softCap >= 0)) throw new IllegalArgumentException("attention needs window and softCap of 0 or more, got %d and %s".formatted(window, softCap));
    }

    /** Values as wide as keys, no window, no cap, no sinks. */
    public AttentionShape(int heads, int kvHeads, int headDim, float scale) { this(heads, kvHeads, headDim, headDim, scale, 0, 0, null, true); }

    public AttentionShape withValueHeadDim(int valueHeadDim) { return new AttentionShape(heads, kvHeads, headDim, valueHeadDim, scale, window, softCap, sinks, causal); }
    public AttentionShape withWindow(int window) { return new AttentionShape(heads, kvHeads, headDim, valueHeadDim, scale, window, softCap, sinks, causal); }
    public AttentionShape withSoftCap(float softCap) { return new AttentionShape(heads, kvHeads, headDim, valueHeadDim, scale, window, softCap, sinks, causal); }
    public AttentionShape withSinks(Tensor sinks) { return new AttentionShape(heads, kvHeads, headDim, valueHeadDim, scale, window, softCap, sinks, causal); }

    /** Each query sees its whole sequence. */
    public AttentionShape bidirectional() { return new AttentionShape(heads, kvHeads, headDim, valueHeadDim, scale, window, softCap, sinks, false); }

    /** Floats in one row of queries. */
    public int queryDim() { return heads * headDim; }
    /** Floats in one row of keys. */
    public int keyDim() { return kvHeads * headDim; }
    /** Floats in one row of values. */
    public int valueDim() { return kvHeads * valueHeadDim; }
    /** Floats in one row of the result. */
    public int outputDim() { return heads * valueHeadDim; }
    /** The first of {@code count} positions that the last of them sees. */
    public int firstSeen(int count) { return window == 0 ? 0 : Math.max(0, count - window); }
}
