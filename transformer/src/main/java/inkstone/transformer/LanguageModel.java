package inkstone.transformer;

import inkstone.tensor.Backend;
import inkstone.tensor.Tensor;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.template.ChatTemplate;

/**
 * A model ready to be used: immutable and shared by sessions. Closing it closes the tokenizer and the file behind the weights, not the backend.
 *
 * @param hasChatTemplate false where {@code template} is {@link ChatTemplate#PLAIN} for want of one
 * @param onClose  releases what the weights were read from
 */
public record LanguageModel(String name, CausalModel model, Tokenizer tokenizer, ChatTemplate template, boolean hasChatTemplate, Backend backend,
                            String format, long parameters, long bytes, Pooling pooling, Runnable onClose) implements TextModel {
    @Override public ModelConfig config() { return model.config(); }

    @Override public Tensor hidden(Tensor tokens, Packed context) { return model.forward(tokens, context); }

    @Override public void close() {
        tokenizer.close();
        onClose.run();
    }
}
