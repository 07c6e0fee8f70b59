package inkstone.transformer;

import java.util.List;

/**
 * One text to be written.
 *
 * @param prompt    token ids, at least one
 * @param maxTokens most tokens to write; the context's end stops earlier
 * @param stop      texts that end the answer; they and what follows never reach the reader
 */
public record GenerationRequest(int[] prompt, SamplerSettings sampling, int maxTokens, List<String> stop) {
    public GenerationRequest {
        if (prompt.length == 0) throw new IllegalArgumentException("the prompt has no tokens");
        if (maxTokens < 0) throw new IllegalArgumentException("max_tokens must be 0 or more, got " + maxTokens);
        prompt = prompt.clone();
        stop = List.copyOf(stop);
        if (stop.stream().anyMatch(String::isEmpty)) throw new IllegalArgumentException("a stop text is empty");
    }
}
