package inkstone.tensor;

import java.util.function.UnaryOperator;

/** A learned affine map over the last axis: x [.., in] -> [.., out]. Models hold Linears and never ask how the weight is stored, or what is added to it. */
public sealed interface Linear {
    Tensor forward(Tensor x);

    /** The part of the map that makes outputs {@code from} to {@code to - 1}, in the same memory: one of several maps that a file keeps fused. */
    Linear rows(int from, int to);

    /** weight [out, in] in any weight format, bias F32 [out] or null. */
    record Dense(Tensor weight, Tensor bias) implements Linear {
        @Override public Tensor forward(Tensor x) { return x.linear(weight, bias); }
        @Override public Linear rows(int from, int to) { return new Dense(weight.rows(from, to), part(bias, from, to)); }
    }

    /**
     * A low-rank change of another map (Hu et al. 2021, arXiv:2106.09685): y = base(x) + scale · (x' aᵀ) bᵀ. The base may be frozen and in any format, and may itself be such
     * a change: several adapters stand one around the other.
     *
     * @param a     F32 [rank, in]
     * @param b     F32 [out, rank]
     * @param input x -> x', what the low-rank part sees of the input: dropout in training, {@link #WHOLE} otherwise
     */
    record Lora(Linear base, Tensor a, Tensor b, float scale, UnaryOperator<Tensor> input) implements Linear {
        /** Everything. */
        public static final UnaryOperator<Tensor> WHOLE = UnaryOperator.identity();

        @Override public Tensor forward(Tensor x) { return base.forward(x).add(change(x)); }
        @Override public Linear rows(int from, int to) { return new Lora(base.rows(from, to), a, b.rows(from, to), scale, input); }

        /* The scale is put on the few numbers between a and b. */
        private Tensor change(Tensor x) { return input.apply(x).linear(a, null).scale(scale).linear(b, null); }
    }

    /**
     * A low-rank change of the direction of each row of a weight and, apart from it, its length (Liu et al. 2024, arXiv:2402.09353): with v = weight + scale · b a,
     * y = x (magnitude / |v| · v)ᵀ + bias, |v| the lengths of the rows of v. For training: the lengths are computed anew each time, and no gradient flows through them
     * (section 4.3 there). A finished one is a {@link Lora} of a {@link Scaled}.
     *
     * @param weight    [out, in] in any weight format
     * @param bias      F32 [out] or null
     * @param magnitude F32 [out]
     * @param input     as in {@link Lora}
     */
    record Dora(Tensor weight, Tensor bias, Tensor a, Tensor b, float scale, Tensor magnitude, UnaryOperator<Tensor> input) implements Linear {
        @Override public Tensor forward(Tensor x) {
            var direction = new Lora(new Dense(weight, null), a, b, scale, input).forward(x);
            return direction.scaleColumns(magnitude, Tensor.rowLengths(x.scope(), weight, a, b, scale), bias);
        }

        @Override public Linear rows(int from, int to) {
            return new Dora(weight.rows(from, to), part(bias, from, to), a, b.rows(from, to), scale, magnitude.rows(from, to), input);
        }
    }

    /** Outputs of another map, which has no bias, each multiplied by a number of its own: y = base(x) · factors + bias. factors F32 [out], bias F32 [out] or null. */
    record Scaled(Linear base, Tensor factors, Tensor bias) implements Linear {
        @Override public Tensor forward(Tensor x) { return base.forward(x).scaleColumns(factors, null, bias); }
        @Override public Linear rows(int from, int to) { return new Scaled(base.rows(from, to), factors.rows(from, to), part(bias, from, to)); }
    }

    private static Tensor part(Tensor orNull, int from, int to) { return orNull == null ? null : orNull.rows(from, to); }
}
