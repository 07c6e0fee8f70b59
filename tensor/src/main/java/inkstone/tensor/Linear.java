package inkstone.tensor;

/** A learned affine map over the last axis: x [.., in] -> [.., out]. Models hold Linears and never ask how the weight is stored. */
public sealed interface Linear {
    Tensor forward(Tensor x);

    /** weight [out, in] in any weight format, bias F32 [out] or null. */
    record Dense(Tensor weight, Tensor bias) implements Linear {
        @Override public Tensor forward(Tensor x) { return x.linear(weight, bias); }
    }
}
