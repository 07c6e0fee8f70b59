package inkstone.transformer;

import inkstone.tensor.AdaptedWeights;
import inkstone.tensor.Backend;
import inkstone.tensor.Tensor;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.template.ChatTemplate;

/**
 * A model ready to be used: immutable and shared by sessions. Closing it closes the tokenizer and the file behind the weights, not the backend.
 *
 * @param hasChatTemplate false where {@code template} is {@link ChatTemplate#PLAIN} for want of one
 * @param adapterBase what adapters change
 * @param onClose  releases what the weights were read from
 */
public record LanguageModel(String name, CausalModel model, Tokenizer tokenizer, ChatTemplate template, boolean hasChatTemplate, Backend backend,
                            String format, long parameters, long bytes, Pooling pooling, AdapterBase adapterBase, Runnable onClose) implements TextModel {
    @Override public ModelConfig config() { return model.config(); }

    @Override public Tensor hidden(Tensor tokens, Packed context) { return model.forward(tokens, context); }

    /**
     * The same model with adapted linear maps, on the same weights in memory, for which nothing is read again. Both may be used side by side, by the thread of the backend;
     * closing one closes the other.
     */
    public LanguageModel adapted(AdaptedWeights.Adaptation adaptation) {
        return with(adapterBase.builder().apply(adaptation));
    }

    /** The same with another head or around the same layers; closing one closes the other. */
    public LanguageModel with(CausalModel other) {
        return new LanguageModel(name, other, tokenizer, template, hasChatTemplate, backend, format, parameters, bytes, pooling, adapterBase, onClose);
    }

    @Override public void close() {
        tokenizer.close();
        onClose.run();
    }
}
