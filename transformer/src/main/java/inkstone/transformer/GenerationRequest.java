package inkstone.transformer;

import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * One text to be written.
 *
 * @param prompt      token ids, at least one
 * @param maxTokens   most tokens to write; the context's end stops earlier
 * @param stop        texts that end the answer; they and what follows never reach the reader
 * @param logitBias   added to the model's logits of these tokens, -100 to 100: the ends all but forbid and all but force a token
 * @param topLogprobs how many of the likeliest tokens to report at each place, up to {@link #MAX_TOP_LOGPROBS}; 0 reports the chosen token alone, -1 nothing
 * @param constraint  makes the constraint of one answer; null where the answer may say anything
 * @param variant     of the model that answers: the model with other adapters, on the same weights; null for the model itself
 * @param client      who asks: clients take turns where requests wait; empty where nobody is known
 */
public record GenerationRequest(int[] prompt, SamplerSettings sampling, int maxTokens, List<String> stop, Map<Integer, Float> logitBias, int topLogprobs,
                                Supplier<? extends Constraint> constraint, CausalModel variant, String client) {
    public static final int MAX_TOP_LOGPROBS = 20;

    public GenerationRequest {
        if (prompt.length == 0) throw new IllegalArgumentException("the prompt has no tokens");
        if (maxTokens < 0) throw new IllegalArgumentException("max_tokens must be 0 or more, got " + maxTokens);
        if (topLogprobs < -1 || topLogprobs > MAX_TOP_LOGPROBS) {
            throw new IllegalArgumentException("top_logprobs must be 0 to %d, or -1 for none, got %d".formatted(MAX_TOP_LOGPROBS, topLogprobs));
        }
        prompt = prompt.clone();
        stop = List.copyOf(stop);
        logitBias = Map.copyOf(logitBias);
        if (stop.stream().anyMatch(String::isEmpty)) throw new IllegalArgumentException("a stop text is empty");
        logitBias.forEach((token, bias) -> {
            if (!(bias >= -100 && bias <= 100)) throw new IllegalArgumentException("logit_bias of token %d must be -100 to 100, got %s".formatted(token, bias));
        });
    }

    /** Without bias, log-probabilities and constraint, by the model itself, of nobody known. */
    public GenerationRequest(int[] prompt, SamplerSettings sampling, int maxTokens, List<String> stop) {
        this(prompt, sampling, maxTokens, stop, Map.of(), -1, null, null, "");
    }

    public GenerationRequest withLogitBias(Map<Integer, Float> value) {
        return new GenerationRequest(prompt, sampling, maxTokens, stop, value, topLogprobs, constraint, variant, client);
    }

    public GenerationRequest withTopLogprobs(int value) {
        return new GenerationRequest(prompt, sampling, maxTokens, stop, logitBias, value, constraint, variant, client);
    }

    public GenerationRequest withConstraint(Supplier<? extends Constraint> value) {
        return new GenerationRequest(prompt, sampling, maxTokens, stop, logitBias, topLogprobs, value, variant, client);
    }

    public GenerationRequest withVariant(CausalModel value) {
        return new GenerationRequest(prompt, sampling, maxTokens, stop, logitBias, topLogprobs, constraint, value, client);
    }

    public GenerationRequest withClient(String value) {
        return new GenerationRequest(prompt, sampling, maxTokens, stop, logitBias, topLogprobs, constraint, variant, value);
    }
}
