package inkstone.transformer;

import inkstone.tensor.Tensor;

/** A decoder-only language model: weights and one forward pass. Immutable; its backend's thread runs it. */
public interface CausalModel {
    /**
     * Hidden states after the last norm: tokens I32 [n] -> [n, dim]. Every row is one token of some sequence; {@code context} says which and where.
     */
    Tensor forward(Tensor tokens, Context context);

    /** The output head: hidden [m, dim] -> logits [m, vocabulary]. Apart from {@link #forward}, because a prompt needs the logits of its last row only. */
    Tensor logits(Tensor hidden);

    ModelConfig config();
}
