package inkstone.transformer.layers;

import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/** SwiGLU feed-forward (Shazeer 2020, arXiv:2002.05202): x [n, dim] -> [n, dim]. */
public record SwiGlu(Linear gate, Linear up, Linear down) implements FeedForward {
    /** ffn_gate, ffn_up and ffn_down, each with {@code suffix}. */
    public static SwiGlu of(Weights w, String suffix, int dim, int hidden) {
        return new SwiGlu(w.linear("ffn_gate" + suffix, dim, hidden), w.linear("ffn_up" + suffix, dim, hidden), w.linear("ffn_down" + suffix, hidden, dim));
    }

    /** ffn_gate above ffn_up in one matrix, ffn_up. */
    public static SwiGlu fused(Weights w, int dim, int hidden) {
        var gateAndUp = w.linear("ffn_up", dim, 2 * hidden);
        return new SwiGlu(gateAndUp.rows(0, hidden), gateAndUp.rows(hidden, 2 * hidden), w.linear("ffn_down", hidden, dim));
    }

    @Override public Tensor forward(Tensor x) { return down.forward(gate.forward(x).swiglu(up.forward(x))); }
}
