package inkstone.transformer;

/**
 * Guesses how a sequence goes on without a second model: as it went on when its last few tokens stood in it before (A. Saxena 2023, "Prompt Lookup Decoding"; as a
 * draft in the sense of Leviathan et al. 2022, arXiv:2211.17192). Right where an answer quotes its prompt: code, summaries, tables. Looks at every token once.
 */
final class NgramLookup {
    /** Tokens that must agree: the longest that are found, for they foretell best; a single token foretells little. */
    private static final int LONGEST = 4, SHORTEST = 2;

    private NgramLookup() {}

    static int continuation(Sequence sequence) { return continuation(sequence.tokens(), sequence.length()); }

    /** Appends up to {@code most} guesses to the sequence of an answer. They may go on into themselves: a text that repeats itself. */
    static void guess(Generation answer, int most) {
        var sequence = answer.sequence();
        int from = most == 0 ? -1 : continuation(sequence);
        for (int i = 0; from >= 0 && i < most; i++) if (!answer.guess(sequence.tokens()[from + i])) return;
    }

    /**
     * Where in {@code tokens} the continuation stands that followed the last tokens the last time; -1 where they did not stand there. Of equally long agreements the
     * latest.
     *
     * @param length tokens that count
     */
    static int continuation(int[] tokens, int length) {
        int best = -1, longest = SHORTEST - 1;
        for (int end = length - 1; end >= SHORTEST && longest < LONGEST; end--) {                  // the earlier occurrence is tokens[.. end)
            int agreeing = 0;
            while (agreeing < LONGEST && agreeing < end && tokens[end - 1 - agreeing] == tokens[length - 1 - agreeing]) agreeing++;
            if (agreeing > longest) {
                longest = agreeing;
                best = end;
            }
        }
        return best;
    }
}
