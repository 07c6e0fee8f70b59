package inkstone.transformer;

import java.util.List;

/**
 * What the model thought of a token that an answer got: natural logarithms of probabilities of its own distribution, the softmax of the raw logits before bias,
 * constraint, penalties, temperature and filters, as OpenAI and llama.cpp report them. A token that the settings forced may be unlikely here.
 *
 * @param logprob of this token
 * @param top     the likeliest tokens at its place, as many as were asked for, likeliest first and of equals the lower id; this one need not be among them
 * @param offset  characters (code points) of the answer before the token's own; a token that continues a character begins where the character does
 */
public record TokenLogprob(int token, float logprob, List<Candidate> top, int offset) {
    /** A token that might have come. */
    public record Candidate(int token, float logprob) {}
}
