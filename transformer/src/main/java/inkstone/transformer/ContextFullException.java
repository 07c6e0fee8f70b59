package inkstone.transformer;

/** A prompt longer than the context. */
public final class ContextFullException extends IllegalArgumentException {
    private final int promptTokens, contextLength;

    public ContextFullException(int promptTokens, int contextLength) {
        super("the prompt has %d tokens, the context holds %d and needs room for at least one more; shorten the prompt or start with a larger --context".formatted(promptTokens, contextLength));
        this.promptTokens = promptTokens;
        this.contextLength = contextLength;
    }
    public int promptTokens() { return promptTokens; }
    public int contextLength() { return contextLength; }
}
