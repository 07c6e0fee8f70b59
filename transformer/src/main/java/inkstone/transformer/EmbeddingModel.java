package inkstone.transformer;

import inkstone.tensor.Tensor;

/** A model that makes one vector of a text. Immutable; its backend's thread runs it. */
public interface EmbeddingModel {
    /** tokens I32 [n], one text of at most {@link #contextLength} -> [1, dim], of any length. */
    Tensor embed(Tensor tokens);

    int dim();
    int vocabularySize();
    /** Tokens the model was made for. */
    int contextLength();
}
