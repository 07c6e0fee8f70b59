package inkstone.tensor;

/** Functions of one number that {@link Tensor#map} applies to each. */
public enum Elementwise {
    /** z / (1 + e⁻ᶻ) (Elfwing et al. 2017, arXiv:1702.03118) */
    SILU,
    /** 1 / (1 + e⁻ᶻ) */
    SIGMOID,
    TANH,
    /** max(z, 0)² (So et al. 2021, arXiv:2109.08668) */
    RELU_SQUARED,
    /** z / 2 · (1 + erf(z / sqrt(2))) (Hendrycks & Gimpel 2016, arXiv:1606.08415); {@link Kernels#gelu} is its approximation by tanh */
    GELU_ERF,
    /** z / (1 + e^(-1.702 z)): the approximation that CLIP was trained with (Radford et al. 2021, arXiv:2103.00020) */
    QUICK_GELU,
    /** 1 / sqrt(z) */
    RECIPROCAL_ROOT,
    /** eᶻ */
    EXP,
    /** z where it is above 0, else eᶻ - 1 (Clevert et al. 2015, arXiv:1511.07289) */
    ELU,
    /** ln(1 + eᶻ): -ln of the sigmoid of -z */
    SOFTPLUS
}
