package inkstone.transformer.layers;

import inkstone.tensor.Tensor;

/** What stands behind the attention of a block: x [n, dim] -> [n, dim]. */
public sealed interface FeedForward permits SwiGlu, GeGlu, Mlp, Experts, SharedExperts, InputWeighedExpert {
    Tensor forward(Tensor x);
}
