package inkstone.transformer.tune;

import inkstone.tensor.Tensor;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import inkstone.transformer.ModelConfig;

/** A model with another head: in place of each token's, its logits are those of labels. {@code score} F32 [labels, dim]. */
record LabelModel(CausalModel base, Tensor score) implements CausalModel {
    @Override public Tensor forward(Tensor tokens, Context context) { return base.forward(tokens, context); }

    @Override public Tensor logits(Tensor hidden) { return hidden.linear(score, null); }

    @Override public ModelConfig config() { return base.config(); }
}
