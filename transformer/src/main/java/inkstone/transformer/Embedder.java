package inkstone.transformer;

import inkstone.tensor.Backend;
import inkstone.tokenizer.Tokenizer;

/**
 * An embedding model ready to be used: immutable. Closing it closes the tokenizer and the file behind the weights, not the backend.
 *
 * @param name    what clients call it, from the file's name
 * @param onClose releases what the weights were read from
 */
public record Embedder(String name, EmbeddingModel model, Tokenizer tokenizer, Backend backend, Runnable onClose) implements AutoCloseable {
    @Override public void close() {
        tokenizer.close();
        onClose.run();
    }
}
