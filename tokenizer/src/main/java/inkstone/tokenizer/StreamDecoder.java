package inkstone.tokenizer;

/** Turns a stream of tokens into text that is complete at every step: half a code point is held back until the rest comes. One thread. */
public interface StreamDecoder {
    /** The text that this token completes; empty while a code point is unfinished and for control tokens. */
    String next(int token);

    /** What is still held back when the stream ends, broken bytes as U+FFFD. */
    String flush();
}
