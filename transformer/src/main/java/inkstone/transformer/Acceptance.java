package inkstone.transformer;

/** How likely the next guess for one answer comes true, by how the last ones did: what few guesses said is soon forgotten, and where none are made doubt fades. */
final class Acceptance {
    /** Where nothing is known; that many guesses weigh as much as all before them; of the way back to it, each step without a guess goes so much. */
    private static final double UNKNOWN = 0.7, MEMORY = 4, FADING = 0.01;

    private double share = UNKNOWN;

    /** Tokens that a step with so many guesses is expected to bring: (1 - share^(guesses + 1)) / (1 - share) (Leviathan et al. 2022, section 3.1). */
    double tokens(int guesses) {
        double tokens = 1, reached = 1;
        for (int i = 0; i < guesses; i++) tokens += reached *= share;
        return tokens;
    }

    /** Those after a wrong guess say nothing. */
    void told(Guesses guesses) {
        int heard = Math.min(guesses.made(), guesses.right() + 1);
        share = (MEMORY * share + guesses.right()) / (MEMORY + heard);
    }

    void toldNothing() { share += FADING * (UNKNOWN - share); }
}
