package inkstone.tokenizer;

/** What a token of a vocabulary is for. In the order of {@code tokenizer.ggml.token_type} in GGUF files, which counts from 1. */
enum Kind {
    /** Text, or a part of it. */
    NORMAL,
    /** Stands for text that the vocabulary cannot spell. */
    UNKNOWN,
    /** Structure, such as {@code <s>}: read in trusted text only, prints nothing. */
    CONTROL,
    /** A piece that is cut out of any text before the rest is encoded, such as {@code <tool_call>} or a run of spaces. */
    USER_DEFINED,
    /** A hole in the vocabulary. */
    UNUSED,
    /** One byte of UTF-8, spelled {@code <0xE2>}. */
    BYTE;

    /** Control and unknown tokens are never read in untrusted text. */
    boolean needsTrust() { return this == CONTROL || this == UNKNOWN; }
}
