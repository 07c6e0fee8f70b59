package inkstone.tensor;

/**
 * What a backend computes on the way back, a kernel for each of {@link Kernels} that training needs and under its name. Gradients have the prefix d; a kernel adds to its
 * destinations, of which each may be null and is then skipped. Shapes are those of the forward kernel. Sums are taken in an order that does not depend on threads.
 */
public interface Gradients {
    /** dTable[tokens[i]] += dy[i], rows in order. */
    void embedding(Tensor dTable, Tensor tokens, Tensor dy);

    /** dx += dy W. dx F32 [n, in], dy F32 [n, out], weight [out, in] any weight format. */
    void linearInput(Tensor dx, Tensor dy, Tensor weight);

    /** dWeight += dyᵀ x, dBias += column sums of dy. dWeight F32 [out, in], dBias F32 [out], dy F32 [n, out], x F32 [n, in]. */
    void linearWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x);

    /** With r = 1 / sqrt(mean(x²) + eps) and g = dy · weight: dx += r (g - x r² mean(g x)), dWeight += dy x r over all rows. */
    void rmsNorm(Tensor dx, Tensor dWeight, Tensor dy, Tensor x, Tensor weight, float eps);

    /** With h = (x - mean(x)) r and g = dy · weight: dx += r (g - mean(g) - h mean(g h)), dWeight += dy h, dBias += dy. */
    void layerNorm(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, float eps);

    /** dx += dy · factor; with factor 1 the sum of gradients. */
    void scale(Tensor dx, Tensor dy, float factor);

    /** dx += dy (1 - (y / cap)²), of the result y. */
    void softCap(Tensor dx, Tensor dy, Tensor y, float cap);

    /** dx += dy · function'(x) */
    void map(Tensor dx, Tensor dy, Tensor x, Elementwise function);

    /** da += dy b, db += dy a. */
    void mul(Tensor da, Tensor db, Tensor dy, Tensor a, Tensor b);

    /** dx += dy factors / divisors, dFactors += dy x / divisors, dBias += dy, both summed over rows. Divisors, null for ones, are constants. */
    void scaleColumns(Tensor dx, Tensor dFactors, Tensor dBias, Tensor dy, Tensor x, Tensor factors, Tensor divisors);

    /** da += dy (1 - weight), db += dy weight, dWeight += dy (b - a), summed over rows where there is one weight for all. */
    void lerp(Tensor da, Tensor db, Tensor dWeight, Tensor dy, Tensor a, Tensor b, Tensor weight);

    /** dx += dy turned back by the same angles, times the magnitude. */
    void rope(Tensor dx, Tensor dy, Tensor positions, Rope rope);

    /** With s = 1 / (1 + e⁻ᵍ): dGate += dy up s (1 + gate (1 - s)), dUp += dy gate s. */
    void swiglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up);

    /** dx += dy gelu'(x), of the tanh form. */
    void gelu(Tensor dx, Tensor dy, Tensor x);

    /** dGate += dy up gelu'(gate), dUp += dy gelu(gate). */
    void geglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up);

    /** Of {@link Kernels#clampedSwiglu}; nothing passes where a value was held. */
    void clampedSwiglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up, float alpha, float limit);

    /**
     * Of {@link Kernels#attention} (Dao et al. 2022, arXiv:2205.14135, appendix B): with P the probabilities, computed again, D = sum over features of dy y, and S = scale q kᵀ:
     * dv += Pᵀ dy, dS = P (dy vᵀ - D), dq += scale dS k, dk += scale dSᵀ q, each summed over the query heads of a key head; under a soft cap dS is times 1 - (S / cap)² of the
     * capped S. Sinks take their share of the probabilities and have no gradient. y is the result of the forward kernel.
     */
    void attention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, Tensor starts, AttentionShape shape);

    /** dx[i / (m / n)] += dy[i] W with the W of expert experts[i]: of {@link Kernels#expertLinear}. */
    void expertInput(Tensor dx, Tensor dy, Tensor weight, Tensor experts);

    /** dWeight of expert experts[i] += dy[i]ᵀ x[i / (m / n)], dBias of the same += dy[i]. dWeight F32 [count, out, in], dBias F32 [count, out]. */
    void expertWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor experts);

    /** dx[i · used + j] += dy[i] weights[i][j], dWeights[i][j] += dy[i] · x[i · used + j]. */
    void weightedSum(Tensor dx, Tensor dWeights, Tensor dy, Tensor x, Tensor weights);

    /** Of {@link Kernels#route}: what the weights of the chosen experts say of the scores. */
    void route(Tensor dScores, Tensor dWeights, Tensor experts, Tensor weights, Tensor scores, Routing routing);

    /** da += the first columns of dy, db += the others. */
    void concat(Tensor da, Tensor db, Tensor dy);

    /** The columns of dx from {@code from} on += dy. */
    void columns(Tensor dx, Tensor dy, int from);

    /** dx[rows[i]] += dy[i], in order. */
    void gatherRows(Tensor dx, Tensor dy, Tensor rows);

    /** dx += dy / (1 - rate) where the forward kernel kept the element. */
    void dropout(Tensor dx, Tensor dy, float rate, long key);

    /** dx += dy[0] */
    void sum(Tensor dx, Tensor dy);

    /** dLogits[i][c] += dy[i] (softmax(logits[i])[c] - [c = targets[i]]), nothing where the target is -1. */
    void crossEntropy(Tensor dLogits, Tensor dy, Tensor logits, Tensor targets);

    /** dx of {@link Kernels#conv2d}: with dx for y, y for x and its weight, a convolution backwards ("transposed"). dx F32 [n, h, w, in], dy F32 [n, h', w', out], weight in any format. */
    void conv2dInput(Tensor dx, Tensor dy, Tensor weight, Convolution convolution);

    /** dWeight[o][a][b][k] += sum over pictures and pixels of dy[i][r][c][o] · x[i][r · stride + a - before][c · stride + b - before][k], dBias += sums of dy. */
    void conv2dWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Convolution convolution);

    /** Of {@link Kernels#groupNorm}: with h the normalised x, z = h · weight + bias, e = dy · silu'(z) or dy and g = e · weight: dx += r (g - mean(g) - h mean(g h)) over the group, dWeight += e h, dBias += e. */
    void groupNorm(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu);

    /** dx += the share that each pixel of x had in dy. */
    void resize(Tensor dx, Tensor dy, Resampling resampling);

    /** Of {@link Kernels#crossAttention}, as of {@link #attention}; the bias has no gradient. y is the result of the forward kernel. */
    void crossAttention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, int sequences, Tensor lengths, Tensor bias, AttentionShape shape);

    /** dx += dy (1 + scale), dScale += dy x and dShift += dy, summed over the rows of one of theirs. scale may be null, for zeros. */
    void modulate(Tensor dx, Tensor dScale, Tensor dShift, Tensor dy, Tensor x, Tensor scale);

    /** dx += dy gate, dGate += dy x, summed over the rows of one of its. */
    void gated(Tensor dx, Tensor dGate, Tensor dy, Tensor x, Tensor gate);

    /** dx += dy where x is above 0, slope · dy elsewhere. */
    void leakyRelu(Tensor dx, Tensor dy, Tensor x, float slope);
}
