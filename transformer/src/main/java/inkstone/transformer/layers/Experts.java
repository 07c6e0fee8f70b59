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
            return file.integer(architecture + ".expert_count", 0) == 0 ? null : fromGguf(file, architecture, routing(file, architecture, Routing.Scoring.SOFTMAX, true));
        }

        /** From the same keys, with a routing of the model's own; {@code feed_forward_length} where experts have no width of their own. */
        public static Sizes fromGguf(Metadata file, String architecture, Routing routing) {
            int count = file.integer(architecture + ".expert_count"), hidden = file.integer(architecture + ".expert_feed_forward_length", 0);
            if (count < routing.used() || hidden < 0 || count > MOST_EXPERTS) {
                throw new ModelException("%s: %d of %d experts of %d features are none that a model has".formatted(file.source(), routing.used(), count, hidden));
            }
            return new Sizes(count, hidden > 0 ? hidden : file.integer(architecture + ".feed_forward_length"), routing);
        }

        /**
         * What the {@code architecture.expert_*} keys say of the choice; of how scores become probabilities, and whether weights are normalised, the family knows what holds
         * where they do not.
         */
        public static Routing routing(Metadata file, String architecture, Routing.Scoring scoring, boolean normalised) {
            var prefix = architecture + ".expert_";
            int used = file.integer(prefix + "used_count"), count = file.integer(prefix + "count");
            if (used < 1) throw new ModelException("%s: expert_used_count must be 1 or more, got %d".formatted(file.source(), used));
            int groups = Math.max(1, file.integer(prefix + "group_count", 1)), groupsUsed = groups == 1 ? 1 : file.integer(prefix + "group_used_count", groups);
            if (file.has(prefix + "group_used_count") && (groupsUsed < 1 || groupsUsed > groups) || count % groups != 0 || groups > 1 && count / groups < 2) {
                throw new ModelException("%s: %d experts do not stand in %d groups of which %d are used".formatted(file.source(), count, groups, groupsUsed));
            }
            float scale = file.floating(prefix + "weights_scale", 1);
            boolean overChosen = false;
            switch (file.integer(prefix + "gating_func", 0)) {
                case 0 -> { }
                case 1 -> scoring = Routing.Scoring.SOFTMAX;
                case 2 -> scoring = Routing.Scoring.SIGMOID;
                // softmax over the chosen alone is softmax over all, normalised
                case 3 -> overChosen = true;
                default -> throw new ModelException("%s: expert_gating_func is %d, expected 1 (softmax), 2 (sigmoid) or 3 (softmax over the chosen)"
                    .formatted(file.source(), file.integer(prefix + "gating_func")));
            }
            return new Routing(used, overChosen ? Routing.Scoring.SOFTMAX : scoring,
                overChosen || file.bool(prefix + "weights_norm", normalised), scale == 0 ? 1 : scale, groups, groupsUsed);
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
        return through(x, choice.experts()).weightedSum(choice.weights());
    }

    /** Each row through the experts chosen for it: x [n, dim], chosen I32 [n, used] -> [n · used, dim]. */
    Tensor through(Tensor x, Tensor chosen) {
        return x.expertLinear(gate, null, chosen).swiglu(x.expertLinear(up, null, chosen)).expertLinear(down, null, chosen);
    }
}
