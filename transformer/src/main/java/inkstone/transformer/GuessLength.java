package inkstone.transformer;

/**
 * How many tokens to guess next for one answer, by how the last guesses went: twice as many where all were right, one more than were right otherwise, and after guesses
 * that were all wrong none for a while, which doubles up to {@link #LONGEST_PAUSE} steps. A text that cannot be foretold then costs a guess in nine steps.
 */
final class GuessLength {
    private static final int FIRST = 4, LONGEST_PAUSE = 8;

    private int length = FIRST, pause = 1, pausing;

    /** Before each step. */
    int next() {
        if (pausing == 0) return length;
        pausing--;
        return 0;
    }

    void told(Guesses guesses) {
        if (guesses.right() == guesses.made()) length = Math.max(length, Math.min(Speculation.MOST, 2 * guesses.made()));
        else length = guesses.right() + 1;
        if (guesses.right() > 0) {
            pause = 1;
            return;
        }
        pausing = pause;
        pause = Math.min(LONGEST_PAUSE, 2 * pause);
    }
}
