package inkstone.transformer;

import inkstone.tensor.Backend;
import inkstone.tensor.Tensor;
import inkstone.tokenizer.Tokenizer;

/** A model ready to be used that reads texts: it writes, or makes vectors only. Immutable; closing it leaves the backend open. */
public sealed interface TextModel extends AutoCloseable permits LanguageModel, Embedder {
    /** What clients call it, from the file's name. */
    String name();
    Tokenizer tokenizer();
    Backend backend();
    /** The prevailing weight format as people write it: "Q8_0", "F16", ... */
    String format();
    /** Number of weights. */
    long parameters();
    /** Size of the weights in memory. */
    long bytes();
    /** How a text's hidden states become its vector where the caller does not say. */
    Pooling pooling();
    ModelConfig config();

    /** Hidden states after the last norm of whole texts side by side: tokens I32 [n] -> [n, dim]. The backend's thread runs it. */
    Tensor hidden(Tensor tokens, Packed context);

    @Override void close();
}
