package inkstone.transformer.layers;

import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/** GEGLU feed-forward (Shazeer 2020, arXiv:2002.05202), with the tanh form of GELU: x [n, dim] -> [n, dim]. */
public record GeGlu(Linear gate, Linear up, Linear down) implements FeedForward {
    /** ffn_gate, ffn_up and ffn_down. */
    public static GeGlu of(Weights w, int dim, int hidden) {
        return new GeGlu(w.linear("ffn_gate", dim, hidden), w.linear("ffn_up", dim, hidden), w.linear("ffn_down", hidden, dim));
    }

    @Override public Tensor forward(Tensor x) { return down.forward(gate.forward(x).geglu(up.forward(x))); }
}
