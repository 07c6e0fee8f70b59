package inkstone.ink;

/** Something to talk about. */
@FunctionalInterface
interface Topic {
    /**
     * Adds one exchange, and further ones about the same thing while the dice say so.
     *
     * @param more how likely each further exchange is; 0 for one alone
     */
    void talk(Talk talk, double more);
}
