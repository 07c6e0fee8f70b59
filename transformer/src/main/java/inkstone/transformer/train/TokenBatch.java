package inkstone.transformer.train;

/**
 * Rows that go through a model together: whole sequences side by side, which do not see each other.
 *
 * @param tokens  [n]
 * @param targets [n], the token that each row should say next, or -1 where nothing is learned
 * @param lengths of the sequences; their sum is n
 */
public record TokenBatch(int[] tokens, int[] targets, int[] lengths) {
    public TokenBatch {
        int rows = 0;
        for (int length : lengths) rows += length;
        if (tokens.length != targets.length || rows != tokens.length) {
            throw new IllegalArgumentException("a batch of %d tokens, %d targets and sequences of %d together".formatted(tokens.length, targets.length, rows));
        }
    }

    public int size() { return tokens.length; }

    /** Rows whose target is learned. */
    public int learned() {
        int learned = 0;
        for (int target : targets) if (target >= 0) learned++;
        return learned;
    }
}
