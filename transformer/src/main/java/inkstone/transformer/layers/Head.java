package inkstone.transformer.layers;

import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.DecoderConfig;

/** The map from hidden states to logits. */
public final class Head {
    private Head() {}

    /** {@code output}, or token_embd itself where the file has none ("tied"; Press & Wolf 2016, arXiv:1608.05859). */
    public static Linear of(DecoderConfig c, Weights w, Tensor tokenEmbd) {
        return w.has("output.weight") ? w.linear("output", c.dim(), c.vocabularySize()) : w.tied("output", tokenEmbd);
    }
}
