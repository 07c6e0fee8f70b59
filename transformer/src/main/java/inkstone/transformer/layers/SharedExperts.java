package inkstone.transformer.layers;

import inkstone.tensor.Elementwise;
import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/**
 * Experts beside which every row goes through shared ones, kept as one (Dai et al. 2024, arXiv:2401.06066): x [n, dim] -> [n, dim].
 *
 * @param gate a map to one number, whose sigmoid says how much of the shared ones a row gets (Qwen 2); null where it is all
 */
public record SharedExperts(Experts experts, SwiGlu shared, Linear gate) implements FeedForward {
    /** As {@link Experts}, and ffn_gate_shexp, ffn_up_shexp and ffn_down_shexp, {@code shared} wide; only the former where that is 0. */
    public static FeedForward of(Weights w, int dim, Experts.Sizes sizes, int shared) {
        var experts = Experts.of(w, dim, sizes);
        return shared == 0 ? experts : new SharedExperts(experts, SwiGlu.of(w, "_shexp", dim, shared), null);
    }

    /** With ffn_gate_inp_shexp [dim]. */
    public static SharedExperts gated(Weights w, int dim, Experts.Sizes sizes, int shared) {
        var gate = new Linear.Dense(w.tensor("ffn_gate_inp_shexp.weight", dim).view(1, dim), null);
        return new SharedExperts(Experts.of(w, dim, sizes), SwiGlu.of(w, "_shexp", dim, shared), gate);
    }

    @Override public Tensor forward(Tensor x) {
        var every = shared.forward(x);
        return experts.forward(x).add(gate == null ? every : every.weightedSum(gate.forward(x).map(Elementwise.SIGMOID)));
    }
}
