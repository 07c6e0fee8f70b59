package inkstone.transformer.layers;

import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/**
 * One expert for each row, which reads the row times the router's weight for it, beside a shared one (Meta AI 2025, "The Llama 4 herd"): x [n, dim] -> [n, dim].
 */
public record InputWeighedExpert(Experts experts, SwiGlu shared) implements FeedForward {
    /** As {@link Experts}, one of which is used, and ffn_gate_shexp, ffn_up_shexp and ffn_down_shexp, as wide. */
    public static InputWeighedExpert of(Weights w, int dim, Experts.Sizes sizes) {
        return new InputWeighedExpert(Experts.of(w, dim, sizes), SwiGlu.of(w, "_shexp", dim, sizes.hidden()));
    }

    @Override public Tensor forward(Tensor x) {
        var choice = experts.router().forward(x).route(null, experts.routing());
        return experts.through(x.weightedSum(choice.weights()), choice.experts()).add(shared.forward(x));
    }
}
