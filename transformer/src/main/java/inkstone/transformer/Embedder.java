package inkstone.transformer;

import inkstone.tensor.Backend;
import inkstone.tensor.Tensor;
import inkstone.tokenizer.Tokenizer;

/**
 * An embedding model ready to be used: immutable. Closing it closes the tokenizer and the file behind the weights, not the backend.
 *
 * @param onClose releases what the weights were read from
 */
public record Embedder(String name, EmbeddingModel model, Tokenizer tokenizer, Pooling pooling, Backend backend, String format, long parameters, long bytes,
                       Runnable onClose) implements TextModel {
    @Override public ModelConfig config() { return model.config(); }

    @Override public Tensor hidden(Tensor tokens, Packed context) { return model.forward(tokens, context); }

    @Override public void close() {
        tokenizer.close();
        onClose.run();
    }
}
