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
    /** Of the widest layer; throws {@link UnsupportedOperationException} where the model is recurrent. */
    AttentionShape attention();
    /** Floats of each state that a layer of a recurrent model keeps of a sequence; none where layers keep keys and values of every token. */
    default int[] stateWidths() { return new int[0]; }
    /** Of one layer; null where it keeps no keys and values of its own. */
    default AttentionShape attention(int layer) { return stateWidths().length > 0 ? null : attention(); }
    /** {@link #stateWidths()} of one layer, where layers differ. */
    default int[] stateWidths(int layer) { return stateWidths(); }
}
