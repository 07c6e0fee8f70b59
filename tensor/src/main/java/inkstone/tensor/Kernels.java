package inkstone.tensor;

/**
 * What a backend computes. Destination first; no kernel allocates tensors, checks shapes (operations on {@link Tensor} do) or knows about gradients:
 * a backward kernel stands beside its forward as a method of its own. "Any weight format" means F32, F16, BF16 and every quantized {@link DType}.
 * A format that a backend lacks throws {@link UnsupportedOperationException} naming kernel and format.
 */
public interface Kernels {
    /** y[i] = table[tokens[i]]. y F32 [n, dim], tokens I32 [n] in [0, vocabulary), table [vocabulary, dim] any weight format. */
    void embedding(Tensor y, Tensor tokens, Tensor table);

    /** y = x Wᵀ + bias. y F32 [n, out], x F32 [n, in], weight [out, in] any weight format, bias F32 [out] or null. */
    void linear(Tensor y, Tensor x, Tensor weight, Tensor bias);

    /** y = a + b, same shapes, F32; y may be a. */
    void add(Tensor y, Tensor a, Tensor b);

    /** y = x / sqrt(mean(x²) + eps) · weight over the last axis (Zhang & Sennrich 2019, arXiv:1910.07467). x F32 [.., d], weight F32 [d]. */
    void rmsNorm(Tensor y, Tensor x, Tensor weight, float eps);

    /** Rotates each head of x F32 [n, heads · headDim] by its row's position I32 [n]; see {@link Rope}. */
    void rope(Tensor y, Tensor x, Tensor positions, Rope rope);

    /** y = silu(gate) · up with silu(z) = z / (1 + e⁻ᶻ) (Shazeer 2020, arXiv:2002.05202). F32, same shapes. */
    void swiglu(Tensor y, Tensor gate, Tensor up);

    /**
     * Causal attention among the rows of a packed batch: row i attends rows starts[i]..i. y, q F32 [n, heads · headDim],
     * k, v F32 [n, kvHeads · headDim], starts I32 [n]: the first row of row i's sequence.
     */
    void attention(Tensor y, Tensor q, Tensor k, Tensor v, Tensor starts, AttentionShape shape);

    /**
     * Causal attention over a paged cache (Kwon et al. 2023, arXiv:2309.06180): row i, at positions[i] of sequence sequences[i], attends
     * cache positions 0..positions[i] of that sequence. y, q F32 [n, heads · headDim]; keys, values F32 or F16 [pages, pageSize, kvHeads · headDim];
     * positions, sequences I32 [n]; pageTable I32 [sequences, maxPages]: page of position p is pageTable[s][p / pageSize].
     */
    void pagedAttention(Tensor y, Tensor q, Tensor keys, Tensor values, Tensor positions, Tensor sequences, Tensor pageTable, AttentionShape shape);

    /** cache[slots[i]] = x[i], converted to the cache's format. cache F32 or F16 [pages, pageSize, d] seen as [pages · pageSize, d], x F32 [n, d], slots I32 [n]. */
    void scatterRows(Tensor cache, Tensor x, Tensor slots);

    /** y[i] = x[rows[i]]. y F32 [m, d], x F32 [n, d], rows I32 [m]. */
    void gatherRows(Tensor y, Tensor x, Tensor rows);
}
