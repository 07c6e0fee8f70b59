package inkstone.transformer;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Recurrence;
import inkstone.tensor.Tensor;

/** Says what each row of a batch is, and is the only difference between training, prefill and decoding inside a model. */
public sealed interface Context permits Packed, Cached {
    /** Position of each row in its sequence: I32 [n]. */
    Tensor positions();

    /** Causal attention of these rows: q [n, heads · headDim], k [n, kvHeads · headDim], v [n, kvHeads · valueHeadDim] -> [n, heads · valueHeadDim]. */
    Tensor attend(int layer, Tensor q, Tensor k, Tensor v, AttentionShape shape);

    /** State number {@code state} of a recurrent layer, {@code width} floats for each sequence. */
    Recurrence recurrence(int layer, int state, int width);
}
