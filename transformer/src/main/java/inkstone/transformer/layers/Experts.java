package inkstone.transformer.layers;

import inkstone.tensor.Linear;
import inkstone.tensor.ModelException;
import inkstone.tensor.Routing;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Metadata;

/**
 * A mixture of SwiGLU experts (Shazeer et al. 2017, arXiv:1701.06538; Jiang et al. 2024, arXiv:2401.04088): x [n, dim] -> [n, dim], each row the weighted sum of
 * the experts that the router chose for it.
 *
 * @param bias F32 [experts], added for the choice alone, or null
 * @param gate and up [experts, hidden, dim]; down [experts, dim, hidden]
 */
public record Experts(Linear router, Tensor bias, Tensor gate, Tensor up, Tensor down, Routing routing) implements FeedForward {
    private static final int MOST_EXPERTS = 1 << 12;

    /** How many experts there are, how wide each is inside, and how they are chosen. */
    public record Sizes(int count, int hidden, Routing routing) {
        /** Softmax over the chosen, where the {@code architecture.expert_*} keys of a GGUF file speak of experts; null where the model is dense. */
        public static Sizes orNull(Metadata file, String architecture) {
            return file.integer(architecture + ".expert_count", 0) == 0 ? null : fromGguf(file, architecture, Routing.softmax(used(file, architecture)));
        }

        /** From the same keys, with a routing of the model's own; {@code feed_forward_length} where experts have no width of their own. */
        public static Sizes fromGguf(Metadata file, String architecture, Routing routing) {
            int count = file.integer(architecture + ".expert_count"), hidden = file.integer(architecture + ".expert_feed_forward_length", 0);
            if (count < routing.used() || hidden < 0 || count > MOST_EXPERTS) {
                throw new ModelException("%s: %d of %d experts of %d features are none that a model has".formatted(file.source(), routing.used(), count, hidden));
            }
            return new Sizes(count, hidden > 0 ? hidden : file.integer(architecture + ".feed_forward_length"), routing);
        }

        /** How many experts a row goes to, at least 1. */
        public static int used(Metadata file, String architecture) {
            int used = file.integer(architecture + ".expert_used_count");
            if (used < 1) throw new ModelException("%s: expert_used_count must be 1 or more, got %d".formatted(file.source(), used));
            return used;
        }
    }

    /** ffn_gate_inp, exp_probs_b, ffn_gate_exps, ffn_up_exps and ffn_down_exps. */
    public static Experts of(Weights w, int dim, Sizes sizes) {
        int count = sizes.count(), hidden = sizes.hidden();
        return new Experts(w.linear("ffn_gate_inp", dim, count), w.has("exp_probs_b.bias") ? w.tensor("exp_probs_b.bias", count) : null,
            w.tensor("ffn_gate_exps.weight", count, hidden, dim), w.tensor("ffn_up_exps.weight", count, hidden, dim),
            w.tensor("ffn_down_exps.weight", count, dim, hidden), sizes.routing());
    }

    @Override public Tensor forward(Tensor x) {
        var choice = router.forward(x).route(bias, routing);
        var inner = x.expertLinear(gate, null, choice.experts()).swiglu(x.expertLinear(up, null, choice.experts()));
        return inner.expertLinear(down, null, choice.experts()).weightedSum(choice.weights());
    }
}
