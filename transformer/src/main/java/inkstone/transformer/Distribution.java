package inkstone.transformer;

import inkstone.transformer.TokenLogprob.Candidate;
import java.util.ArrayList;
import java.util.Arrays;

/**
 * log softmax of one row of logits, log p(t) = logit(t) - log sum exp(logit), and its largest entries. Reads the row before a {@link Sampler} overwrites it:
 * one copy and two passes, no sort of the vocabulary. One thread.
 */
final class Distribution {
    private final int[] top;
    private float[] logits = {};
    private int found;
    private double logSum;

    /** @param top how many of the likeliest tokens are wanted */
    Distribution(int top) { this.top = new int[top]; }

    /** Takes the row {@code logits[offset .. offset + vocabulary)}, which stays as it is. */
    void read(float[] row, int offset, int vocabulary) {
        if (logits.length != vocabulary) logits = new float[vocabulary];
        System.arraycopy(row, offset, logits, 0, vocabulary);
        float largest = Float.NEGATIVE_INFINITY;
        found = 0;
        for (int token = 0; token < vocabulary; token++) {
            largest = Math.max(largest, logits[token]);
            if (found < top.length || found > 0 && logits[token] > logits[top[found - 1]]) insert(token);
        }
        double sum = 0;
        for (float logit : logits) sum += Math.exp((double) logit - largest);
        logSum = largest + Math.log(sum);
    }

    /** Into its place among the likeliest, behind equals, which have lower ids. */
    private void insert(int token) {
        int at = found < top.length ? found++ : found - 1;
        for (; at > 0 && logits[token] > logits[top[at - 1]]; at--) top[at] = top[at - 1];
        top[at] = token;
    }

    float logprob(int token) { return (float) (logits[token] - logSum); }

    /** What is to be told of the token that was chosen from the row. */
    TokenLogprob of(int token, int offset) {
        var candidates = new ArrayList<Candidate>(found);
        for (int candidate : Arrays.copyOf(top, found)) candidates.add(new Candidate(candidate, logprob(candidate)));
        return new TokenLogprob(token, logprob(token), candidates, offset);
    }
}
