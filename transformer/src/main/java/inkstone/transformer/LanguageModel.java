package inkstone.transformer;

import inkstone.tensor.Backend;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.template.ChatTemplate;

/**
 * A model ready to be used: immutable and shared by sessions. Closing it closes the tokenizer and the file behind the weights, not the backend.
 *
 * @param name     what clients call it, from the file's name
 * @param format   the prevailing weight format as people write it: "Q8_0", "F16", ...
 * @param parameters number of weights
 * @param bytes    size of the weights in memory
 * @param hasChatTemplate false where {@code template} is {@link ChatTemplate#PLAIN} for want of one
 * @param onClose  releases what the weights were read from
 */
public record LanguageModel(String name, CausalModel model, Tokenizer tokenizer, ChatTemplate template, boolean hasChatTemplate, Backend backend,
                            String format, long parameters, long bytes, Runnable onClose) implements AutoCloseable {
    @Override public void close() {
        tokenizer.close();
        onClose.run();
    }
}
