package inkstone.transformer;

/** Restricts what an answer may say; state of one answer, one thread. */
public interface Constraint {
    /** Sets to minus infinity every logit of logits[offset .. offset + vocabulary) that may not come next; end-of-generation tokens are allowed only when the text may end here. */
    void mask(float[] logits, int offset, int vocabulary);

    /** The token was chosen. */
    void accept(int token);

    /** A constraint in the same state that goes its own way from here: guesses are tried on it. */
    Constraint fork();
}
