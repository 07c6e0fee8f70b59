package inkstone.transformer.grammar;

import inkstone.transformer.Constraint;
import inkstone.transformer.ConstraintException;
import java.util.Arrays;

/** Follows one answer through a grammar. */
final class GrammarConstraint implements Constraint {
    private static final int[] NONE = {};

    private final TokenMasks masks;
    private State state;

    GrammarConstraint(TokenMasks masks) { this(masks, masks.pushdown().start()); }

    private GrammarConstraint(TokenMasks masks, State state) {
        this.masks = masks;
        this.state = state;
    }

    @Override public Constraint fork() { return new GrammarConstraint(masks, state); }

    @Override public void mask(float[] logits, int offset, int vocabulary) {
        var allowed = masks.after(state);
        var ends = masks.vocabulary().endOfGeneration();
        if (allowed.isEmpty() && (!state.ends || ends.length == 0)) {
            throw new ConstraintException(state.ends ? "the grammar's text is complete and the vocabulary has no token to end it"
                    : "the vocabulary has no token for what the grammar asks for next; use a grammar in characters that the model knows");
        }
        allowed.mask(logits, offset, vocabulary, state.ends ? ends : NONE);
    }

    @Override public void accept(int token) {
        var vocabulary = masks.vocabulary();
        if (Arrays.binarySearch(vocabulary.endOfGeneration(), token) >= 0 && state.ends) return;
        if (token < 0 || token >= vocabulary.tokens()) throw new IllegalArgumentException("token %d is not one of %d".formatted(token, vocabulary.tokens()));
        var next = state;
        for (byte b : vocabulary.bytes(token)) next = masks.pushdown().next(next, b & 0xFF);
        if (vocabulary.bytes(token).length == 0 || !next.alive()) throw new IllegalArgumentException("token %d is not what the grammar allows here".formatted(token));
        state = next;
    }
}
