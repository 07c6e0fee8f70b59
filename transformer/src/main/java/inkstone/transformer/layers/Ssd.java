package inkstone.transformer.layers;

import inkstone.tensor.Elementwise;
import inkstone.tensor.Linear;
import inkstone.tensor.ModelException;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.Context;

/**
 * The layer of Mamba-2 (Dao & Gu 2024, arXiv:2405.21060): a state space with one decay for each head, behind a short convolution, gated and normed: x [n, dim] -> [n, dim].
 * In GGUF files ssm_a is -exp(A_log).
 *
 * @param gate and {@code mixed}, {@code steps}: parts of ssm_in that make the gate, what the convolution sees, and time steps
 * @param norm F32 [groups, inner / groups], or null
 */
public record Ssd(Sizes sizes, int layer, Linear gate, Linear mixed, Linear steps, Tensor conv, Tensor convBias, Tensor a, Tensor skip, Tensor norm, float eps, Linear output) {
    private static final int CONVOLUTION = 0, STATE_SPACE = 1;

    /**
     * The {@code architecture.ssm.*} numbers of a GGUF file.
     *
     * @param inner  width inside
     * @param kernel rows that the convolution sees, the current one included
     * @param states of each inner feature
     * @param groups of heads that share what goes into and comes out of the states
     */
    public record Sizes(int inner, int kernel, int states, int heads, int groups) {
        private static final int MOST_FEATURES = 1 << 20, MOST_STATES = 1 << 12, MOST_ROWS = 64;

        public Sizes {
            if (inner < 1 || inner > MOST_FEATURES || kernel < 2 || kernel > MOST_ROWS || states < 1 || states > MOST_STATES || heads < 1 || inner % heads != 0 || groups < 1
                || heads % groups != 0 || inner % groups != 0) {
                throw new ModelException("a state space of %d features in %d heads and %d groups with %d states, behind a convolution over %d rows, is none that a model has"
                    .formatted(inner, heads, groups, states, kernel));
            }
        }

        public static Sizes fromGguf(Metadata file, String architecture) {
            var prefix = architecture + ".ssm.";
            return new Sizes(file.integer(prefix + "inner_size"), file.integer(prefix + "conv_kernel"), file.integer(prefix + "state_size"), file.integer(prefix + "time_step_rank"),
                file.integer(prefix + "group_count"));
        }

        /** Features that the convolution sees: inner ones, and what goes into and comes out of the states. */
        public int convolved() { return Math.addExact(inner, Math.multiplyExact(2 * groups, states)); }

        /** Of the convolution and of the state space. */
        public int[] stateWidths() { return new int[] {Math.multiplyExact(kernel - 1, convolved()), Math.multiplyExact(inner, states)}; }
    }

    /** ssm_in, ssm_conv1d, ssm_dt, ssm_a, ssm_d, ssm_norm where the source has it, and ssm_out. */
    public static Ssd of(Sizes sizes, int dim, float eps, int layer, Weights w) {
        int inner = sizes.inner, convolved = sizes.convolved(), heads = sizes.heads;
        var in = w.tensor("ssm_in.weight", inner + convolved + heads, dim);
        return new Ssd(sizes, layer, new Linear.Dense(in.rows(0, inner), null), new Linear.Dense(in.rows(inner, inner + convolved), null),
            new Linear.Dense(in.rows(inner + convolved, inner + convolved + heads), w.tensor("ssm_dt.bias", heads)),
            w.tensor("ssm_conv1d.weight", convolved, sizes.kernel), w.has("ssm_conv1d.bias") ? w.tensor("ssm_conv1d.bias", convolved) : null,
            w.tensor("ssm_a", heads, 1).view(heads), w.tensor("ssm_d", heads, 1).view(heads),
            w.has("ssm_norm.weight") ? w.tensor("ssm_norm.weight", sizes.groups, inner / sizes.groups) : null, eps, w.linear("ssm_out", inner, dim));
    }

    public Tensor forward(Tensor x, Context context) {
        int[] widths = sizes.stateWidths();
        int inner = sizes.inner, shared = sizes.groups * sizes.states;
        var seen = mixed.forward(x).causalConv(conv, convBias, context.recurrence(layer, CONVOLUTION, widths[CONVOLUTION])).map(Elementwise.SILU);
        var y = seen.columns(0, inner).ssdScan(steps.forward(x), seen.columns(inner, inner + shared), seen.columns(inner + shared, inner + 2 * shared), a, skip, sizes.states,
            context.recurrence(layer, STATE_SPACE, widths[STATE_SPACE]));
        return output.forward(normed(gate.forward(x).swiglu(y)));
    }

    private Tensor normed(Tensor x) {
        if (norm == null) return x;
        int width = sizes.inner / sizes.groups;
        Tensor y = null;
        for (int group = 0; group < sizes.groups; group++) {
            var part = (sizes.groups == 1 ? x : x.columns(group * width, (group + 1) * width)).rmsNorm(norm.rows(group, group + 1).view(width), eps);
            y = y == null ? part : y.concat(part);
        }
        return y;
    }
}
