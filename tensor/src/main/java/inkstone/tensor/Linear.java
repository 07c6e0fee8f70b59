package inkstone.tensor;

/** A learned affine map over the last axis: x [.., in] -> [.., out]. Models hold Linears and never ask how the weight is stored. */
public sealed interface Linear {
    Tensor forward(Tensor x);

    /** The part of the map that makes outputs {@code from} to {@code to - 1}, in the same memory: one of several maps that a file keeps fused. */
    Linear rows(int from, int to);

    /** weight [out, in] in any weight format, bias F32 [out] or null. */
    record Dense(Tensor weight, Tensor bias) implements Linear {
        @Override public Tensor forward(Tensor x) { return x.linear(weight, bias); }
        @Override public Linear rows(int from, int to) { return new Dense(weight.rows(from, to), bias == null ? null : bias.rows(from, to)); }
    }
}
