package inkstone.transformer;

import java.util.List;

/**
 * How a generation ended and what it cost.
 *
 * @param text          the whole answer, stop texts cut off
 * @param tokens        the tokens written, the end-of-generation token excluded
 * @param logprobs      of the tokens that the text shows, a beginning of {@code tokens}; empty where none were asked for
 * @param promptTokens  tokens of the prompt, {@code cachedTokens} of them re-used from the cache
 * @param guesses       what was guessed on the way, see {@link Speculation}
 * @param promptNanos   nanoseconds from start to the first sampled token; {@code generationNanos} from there to the end
 */
public record GenerationResult(String text, int[] tokens, List<TokenLogprob> logprobs, Finish finish, int promptTokens, int cachedTokens, Guesses guesses,
                               long promptNanos, long generationNanos) {
    public enum Finish {
        /** An end-of-generation token or a stop text. */ STOP,
        /** maxTokens, or the end of the context. */ LENGTH,
        /** The caller cancelled. */ CANCELLED
    }
}
