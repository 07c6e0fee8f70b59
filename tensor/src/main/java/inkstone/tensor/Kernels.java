package inkstone.tensor;

/**
 * What a backend computes. Destination first; no kernel allocates tensors, checks shapes (operations on {@link Tensor} do) or knows about gradients,
 * whose kernels are in {@link Gradients}. "Any weight format" means F32, F16, BF16 and every quantized {@link DType}.
 * A format that a backend lacks throws {@link UnsupportedOperationException} naming kernel and format.
 */
public interface Kernels {
    /** How many entries of a row {@link #largest} finds at most. */
    int MOST_LARGEST = 256;

    /** y[i] = table[tokens[i]]. y F32 [n, dim], tokens I32 [n] in [0, vocabulary), table [vocabulary, dim] any weight format. */
    void embedding(Tensor y, Tensor tokens, Tensor table);

    /** y = x Wᵀ + bias. y F32 [n, out], x F32 [n, in], weight [out, in] any weight format, bias F32 [out] or null. */
    void linear(Tensor y, Tensor x, Tensor weight, Tensor bias);

    /** y = a + b, same shapes, F32; y may be a. */
    void add(Tensor y, Tensor a, Tensor b);

    /** y = x / sqrt(mean(x²) + eps) · weight over the last axis (Zhang & Sennrich 2019, arXiv:1910.07467). x F32 [.., d], weight F32 [d]. */
    void rmsNorm(Tensor y, Tensor x, Tensor weight, float eps);

    /**
     * y = (x - mean(x)) / sqrt(variance(x) + eps) · weight + bias over the last axis (Ba et al. 2016, arXiv:1607.06450). x F32 [.., d]; weight F32 [d], or
     * [heads, d] of which row r of x takes row r mod heads, or null for ones; bias F32 of the same shape, or null.
     */
    void layerNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, float eps);

    /** y = x · factor, F32, same shapes. */
    void scale(Tensor y, Tensor x, float factor);

    /** y = cap · tanh(x / cap) (Gemma Team 2024, arXiv:2408.00118). F32, same shapes, cap above 0. */
    void softCap(Tensor y, Tensor x, float cap);

    /** Rotates each head of x F32 [n, heads · headDim] by its row's position I32 [n]; see {@link Rope}. */
    void rope(Tensor y, Tensor x, Tensor positions, Rope rope);

    /** y = silu(gate) · up with silu(z) = z / (1 + e⁻ᶻ) (Shazeer 2020, arXiv:2002.05202). F32, same shapes. */
    void swiglu(Tensor y, Tensor gate, Tensor up);

    /** y = gelu(x) with gelu(z) = z / 2 · (1 + tanh(sqrt(2 / pi) · (z + 0.044715 z³))) (Hendrycks & Gimpel 2016, arXiv:1606.08415). F32, same shapes. */
    void gelu(Tensor y, Tensor x);

    /** y = gelu(gate) · up (Shazeer 2020, arXiv:2002.05202), gelu as above. F32, same shapes. */
    void geglu(Tensor y, Tensor gate, Tensor up);

    /**
     * y = g / (1 + exp(-alpha · g)) · (u + 1) with g = min(gate, limit), u = up held to [-limit, limit] (OpenAI 2025, gpt-oss model card, arXiv:2508.10925).
     * F32, same shapes.
     */
    void clampedSwiglu(Tensor y, Tensor gate, Tensor up, float alpha, float limit);

    /** y = function(x), F32, same shapes. */
    void map(Tensor y, Tensor x, Elementwise function);

    /** y = a · b, F32, same shapes. */
    void mul(Tensor y, Tensor a, Tensor b);

    /** y[i][j] = x[i][j] · factors[j] / divisors[j] + bias[j]. y, x F32 [n, d]; factors F32 [d]; divisors, bias F32 [d], or null for ones and zeros. */
    void scaleColumns(Tensor y, Tensor x, Tensor factors, Tensor divisors, Tensor bias);

    /**
     * lengths[j] = sqrt(sum over k of (weight[j][k] + scale · sum over r of b[j][r] a[r][k])²): of the rows of a weight with a low-rank change (Liu et al. 2024,
     * arXiv:2402.09353). lengths F32 [out], weight [out, in] any weight format, a F32 [rank, in], b F32 [out, rank].
     */
    void rowLengths(Tensor lengths, Tensor weight, Tensor a, Tensor b, float scale);

    /** y = a + (b - a) · weight. y, a, b F32 [n, d], weight F32 [n, d], or [d] for every row. */
    void lerp(Tensor y, Tensor a, Tensor b, Tensor weight);

    /** y[i] = the row before x[i] in its sequence, zeros for the first. y, x F32 [n, d], state of width d. */
    void shift(Tensor y, Tensor x, Recurrence recurrence);

    /**
     * Convolution of each feature with the k - 1 rows before (Gu & Dao 2023, arXiv:2312.00752): y[i][c] = bias[c] + sum over j of weight[c][j] · x[i - k + 1 + j][c].
     * y, x F32 [n, d], weight F32 [d, k], bias F32 [d] or null, state of width (k - 1) · d: the last rows, oldest first.
     */
    void causalConv(Tensor y, Tensor x, Tensor weight, Tensor bias, Recurrence recurrence);

    /**
     * Selective state space of Mamba (Gu & Dao 2023, arXiv:2312.00752): with t = ln(1 + exp(dt)), h[c][s] = exp(t[c] a[c][s]) h[c][s] + t[c] b[s] x[c] and
     * y[c] = sum over s of c[s] h[c][s] + skip[c] x[c]. y, x, dt F32 [n, d]; b, c F32 [n, states]; a F32 [d, states], skip F32 [d]; state of width d · states.
     */
    void selectiveScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence recurrence);

    /**
     * State space of Mamba-2 (Dao & Gu 2024, arXiv:2405.21060): for each head, with t = ln(1 + exp(dt)), h[p][s] = exp(t a) h[p][s] + t b[s] x[p] and y[p] = sum over s of
     * c[s] h[p][s] + skip x[p]. y, x F32 [n, heads · headDim]; dt F32 [n, heads]; b, c F32 [n, groups · states], head h of group h / (heads / groups); a, skip F32 [heads];
     * state of width heads · headDim · states.
     */
    void ssdScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence recurrence);

    /**
     * Gated delta rule (Yang et al. 2024, arXiv:2412.06464): for each head with q and k of length 1 (their length at least eps), q / sqrt(keyDim), t = ln(1 + exp(dt + bias)):
     * s = exp(a t) s, then s[i] += sigmoid(rate) (v[i] - s[i] · k) k and y[i] = s[i] · q. y, v F32 [n, heads · valueDim]; q, k F32 [n, keyHeads · keyDim], head h reading key head
     * h / (heads / keyHeads), or h mod keyHeads where {@code tiled}; dt, rate F32 [n, heads]; a, bias F32 [heads]; state of width heads · valueDim · keyDim.
     */
    void gatedDelta(Tensor y, Tensor q, Tensor k, Tensor v, Tensor dt, Tensor rate, Tensor a, Tensor bias, boolean tiled, float eps, Recurrence recurrence);

    /**
     * State of RWKV-7 (Peng et al. 2025, arXiv:2503.14456, section 4): for each head, with w = exp(-exp(-1/2) sigmoid(decay)), q = k · removal scaled to length 1 and
     * k' = k (1 + (rate - 1) · replacement), S = S diag(w) - (S q) (q · rate)ᵀ + v k'ᵀ and y = S r; bonus = v (sum of r · k' · weight).
     * All F32 [n, d] but removal, replacement, weight F32 [d]; state of width d · headDim, S of a head row by row.
     */
    void wkv7(Tensor y, Tensor bonus, Tensor r, Tensor decay, Tensor k, Tensor v, Tensor rate, Tensor removal, Tensor replacement, Tensor weight, int headDim,
              Recurrence recurrence);

    /** The choice of experts for each row; see {@link Routing}. experts I32 [n, used], weights F32 [n, used], scores F32 [n, count], bias F32 [count] or null. */
    void route(Tensor experts, Tensor weights, Tensor scores, Tensor bias, Routing routing);

    /**
     * y[i] = W x[i / (m / n)]ᵀ + b with the W and b of expert experts[i]. y F32 [m, out], x F32 [n, in] with n dividing m, weight [count, out, in] any weight
     * format, bias F32 [count, out] or null, experts I32 of m elements. An expert's weights are read once for all of its rows.
     */
    void expertLinear(Tensor y, Tensor x, Tensor weight, Tensor bias, Tensor experts);

    /** y[i] = sum over j of weights[i][j] · x[i · used + j]. y F32 [n, d], x F32 [n · used, d], weights F32 [n, used]. */
    void weightedSum(Tensor y, Tensor x, Tensor weights);

    /**
     * Attention among the rows of a packed batch: row i attends rows starts[i]..i, or the last of them that the window holds; where the shape is not causal, all
     * neighbouring rows of the same start. q F32 [n, heads · headDim],
     * k F32 [n, kvHeads · headDim], v F32 [n, kvHeads · valueHeadDim], starts I32 [n]: the first row of row i's sequence; y F32 [n, heads · valueHeadDim].
     */
    void attention(Tensor y, Tensor q, Tensor k, Tensor v, Tensor starts, AttentionShape shape);

    /**
     * Causal attention over a paged cache (Kwon et al. 2023, arXiv:2309.06180): row i, at positions[i] of sequence sequences[i], attends
     * cache positions 0..positions[i] of that sequence, or the last of them that the window holds; rows of a sequence are neighbours. y and q as above; keys F32, F16 or
     * Q8_0 (where heads are whole blocks) [pages, pageSize, kvHeads · headDim], values of the same format [pages, pageSize, kvHeads · valueHeadDim];
     * positions, sequences I32 [n]; pageTable I32 [sequences, maxPages]: page of position p is pageTable[s][p / pageSize].
     */
    void pagedAttention(Tensor y, Tensor q, Tensor keys, Tensor values, Tensor positions, Tensor sequences, Tensor pageTable, AttentionShape shape);

    /**
     * cache[slots[i]] = x[i], converted to the cache's format. cache F32, F16 or Q8_0 [pages, pageSize, d] seen as [pages · pageSize, d], x F32 [n, d], slots I32 [n].
     * A block of Q8_0 whose floats it cannot hold (NaN, infinities, magnitudes above 127 times F16's largest number) becomes NaN.
     */
    void scatterRows(Tensor cache, Tensor x, Tensor slots);

    /** y[i] = a[i] and then b[i]. y F32 [n, d + e], a F32 [n, d], b F32 [n, e]. */
    void concat(Tensor y, Tensor a, Tensor b);

    /** y[i][j] = x[i][from + j]. y F32 [n, e], x F32 [n, d], from + e at most d. */
    void columns(Tensor y, Tensor x, int from);

    /** y[i] = x[rows[i]]. y F32 [m, d], x F32 [n, d], rows I32 [m]. */
    void gatherRows(Tensor y, Tensor x, Tensor rows);

    /**
     * The k largest entries of each row in order, the first of equals first, and then the places where they stand: what a sampler needs of logits that lie on a device. NaN
     * comes before all numbers, so that it does not stay hidden. y F32 [n, 2k], x F32 [n, d], k at most d and {@link #MOST_LARGEST}, d at most 2²⁴, up to which floats
     * are whole numbers.
     */
    void largest(Tensor y, Tensor x);

    // ---- pictures: [n, height, width, channels], so that the pixels of all pictures are rows -----------------------------------------------------------

    /**
     * Convolution: y[i][r][c][o] = bias[o] + sum over a, b, k of weight[o][a][b][k] · x[i][r · stride + a - before][c · stride + b - before][k], pixels outside of x being 0.
     * y F32 [n, h', w', out], x F32 [n, h, w, in], weight [out, kh, kw, in] any weight format, bias F32 [out] or null; see {@link Convolution}.
     */
    void conv2d(Tensor y, Tensor x, Tensor weight, Tensor bias, Convolution convolution);

    /**
     * y = (x - mean) / sqrt(variance + eps) · weight + bias with the mean and variance of each picture and group of neighbouring channels (Wu & He 2018, arXiv:1803.08494), then
     * silu(y) if {@code silu}. x F32 [n, h, w, c], groups dividing c; weight, bias F32 [c].
     */
    void groupNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu);

    /** Pictures in another size, which is y's: x F32 [n, h, w, c] -> y F32 [n, h', w', c]; see {@link Resampling}. */
    void resize(Tensor y, Tensor x, Resampling resampling);

    /**
     * Attention of each sequence of queries to a sequence of keys of another length, all of it: q F32 [s · n, heads · headDim] to k F32 [s · m, kvHeads · headDim] and
     * v F32 [s · m, kvHeads · valueHeadDim], the n rows of sequence i with its m rows, of which the first lengths[i] count; lengths I32 [s] in [1, m], or null for all. bias F32
     * [heads, n, m] is added to the scaled scores, or null. y F32 [s · n, heads · valueHeadDim]. The shape is not causal and without window, cap and sinks.
     */
    void crossAttention(Tensor y, Tensor q, Tensor k, Tensor v, int sequences, Tensor lengths, Tensor bias, AttentionShape shape);

    /**
     * y = x · (1 + scale) + shift, the modulation of adaptive norms (Perez et al. 2017, arXiv:1709.07871; Peebles & Xie 2022, arXiv:2212.09748): y, x F32 [s · n, d], scale and shift
     * F32 [s, d], one row for n of x; either may be null, for zeros.
     */
    void modulate(Tensor y, Tensor x, Tensor scale, Tensor shift);

    /** y = residual + gate · x. y, residual, x F32 [s · n, d], gate F32 [s, d], one row for n of x. */
    void gated(Tensor y, Tensor residual, Tensor x, Tensor gate);

    /** y = x where x is above 0, slope · x elsewhere (Maas et al. 2013); with slope 0 the rectifier. F32, same shapes. */
    void leakyRelu(Tensor y, Tensor x, float slope);

    // ---- training ----------------------------------------------------------------------------------------------------------------------------------

    /**
     * y = x / (1 - rate), or 0 where the element's random number is below rate: word i mod 4 of {@link Philox} of counter i / 4 and this key, as a fraction of 2³². F32, same
     * shapes.
     */
    void dropout(Tensor y, Tensor x, float rate, long key);

    /** y = sum of x, in an order that depends on the shape alone. y F32 [1], x F32. */
    void sum(Tensor y, Tensor x);

    /** y = sum of x² as {@link #sum}. */
    void sumOfSquares(Tensor y, Tensor x);

    /** y[i] = ln(sum over c of exp(logits[i][c])) - logits[i][targets[i]], 0 where targets[i] is -1. y F32 [n], logits F32 [n, classes], targets I32 [n] in [-1, classes). */
    void crossEntropy(Tensor y, Tensor logits, Tensor targets);

    /**
     * A step of AdamW (Loshchilov & Hutter 2017, arXiv:1711.05101): g = gradient · scale, m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g²,
     * weight -= rate (m / (1 - beta1ᵗ) / (sqrt(v / (1 - beta2ᵗ)) + eps) + decay weight). weight, gradient F32; m and v F32 of the same size, or both Q8_0, where
     * v holds the square root; see {@link AdamStates}.
     */
    void adamW(Tensor weight, Tensor gradient, Tensor m, Tensor v, AdamStep step);

    /** average += (weight - average) · share, F32, same shapes: an exponential moving average of weights. */
    void average(Tensor average, Tensor weight, float share);
}
