package inkstone.transformer;

/**
 * Tokens that were guessed during an answer.
 *
 * @param made  that ran through the model
 * @param right of them, those that the sampler chose of itself, and the answer took
 */
public record Guesses(int made, int right) {
    public static final Guesses NONE = new Guesses(0, 0);

    public Guesses plus(Guesses other) { return new Guesses(made + other.made, right + other.right); }

    /** Share of guesses that came true, 0 to 1; 0 without any. */
    public double acceptance() { return made == 0 ? 0 : (double) right / made; }
}
