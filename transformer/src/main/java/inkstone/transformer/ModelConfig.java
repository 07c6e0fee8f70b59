package inkstone.transformer;

import inkstone.tensor.AttentionShape;

/** What sessions, caches and the server must know of any model. */
public interface ModelConfig {
    /** As GGUF names it: "llama", ... */
    String architecture();
    int vocabularySize();
    int dim();
    int layers();
    /** Tokens the model was made for. */
    int contextLength();
    AttentionShape attention();
}
