package inkstone.transformer;

import inkstone.tensor.Tensor;

/** An encoder: a model that reads texts and writes none. Immutable; its backend's thread runs it. */
public interface EmbeddingModel {
    /** Hidden states after the last layer of whole texts side by side, each of at most {@link ModelConfig#contextLength} tokens: tokens I32 [n] -> [n, dim]. */
    Tensor forward(Tensor tokens, Packed context);

    ModelConfig config();
}
