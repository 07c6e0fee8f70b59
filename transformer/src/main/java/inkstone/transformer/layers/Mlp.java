package inkstone.transformer.layers;

import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.function.UnaryOperator;

/** Two maps with a function between them (Vaswani et al. 2017, arXiv:1706.03762): x [n, dim] -> [n, dim]. */
public record Mlp(Linear up, UnaryOperator<Tensor> activation, Linear down) implements FeedForward {
    /** ffn_up and ffn_down. */
    public static Mlp of(Weights w, int dim, int hidden, UnaryOperator<Tensor> activation) {
        return new Mlp(w.linear("ffn_up", dim, hidden), activation, w.linear("ffn_down", hidden, dim));
    }

    @Override public Tensor forward(Tensor x) { return down.forward(activation.apply(up.forward(x))); }
}
