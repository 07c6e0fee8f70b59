package inkstone.transformer;

import inkstone.tensor.DType;
import java.util.List;

/**
 * Lets answers run ahead of the model: before a step it appends guesses to their sequences, which {@link Generation#accept} then takes or takes back. Both
 * {@link Session} and {@link BatchScheduler} guess through it. Owns the draft model's cache, not the draft model. One thread.
 */
final class Speculator implements AutoCloseable {
    /**
     * Most guesses in one step, of all answers together. A row more is all but free while weights are what a step waits for; from here on it costs as much as it may
     * bring. So one reader gets long guesses, a few get short ones, and a crowd gets none.
     */
    static final int MOST_TOGETHER = 16;

    private final int most;
    /** Null where the text itself is looked up, or nothing guessed. */
    private final Draft draft;

    Speculator(Speculation speculation, LanguageModel model, Engine engine, int cacheTokens, DType cacheType) {
        this.most = speculation.most();
        if (most > 0 && engine.cache().recurrent()) {
            throw new IllegalArgumentException("%s keeps states, which cannot be taken back to the last right guess; use it without guesses".formatted(model.name()));
        }
        this.draft = most == 0 || speculation.draft() == null ? null : new Draft(speculation.draft(), model, engine.contextLength(), cacheTokens, cacheType);
    }

    /** Memory of the draft model's keys and values. */
    long cacheBytes() { return draft == null ? 0 : draft.cacheBytes(); }

    /** Appends guesses to the sequences of answers that are being written, as far as free pages go. */
    void guess(List<Generation> writing) {
        if (most == 0) return;
        var wanted = new int[writing.size()];
        int guessing = 0;
        for (int i = 0; i < wanted.length; i++) {
            var answer = writing.get(i);
            wanted[i] = answer.ended() ? 0 : Math.min(Math.min(most, answer.guessLength().next()), answer.tokensLeft() - 1);
            if (wanted[i] > 0) guessing++;
        }
        if (guessing == 0) return;
        for (int i = 0; i < wanted.length; i++) {
            if (wanted[i] == 0) continue;
            var sequence = writing.get(i).sequence();
            sequence.reserve(sequence.length() + Math.min(wanted[i], MOST_TOGETHER / guessing));
            wanted[i] = Math.min(Math.min(wanted[i], MOST_TOGETHER / guessing), sequence.room());
        }
        if (draft != null) draft.guess(writing, wanted);
        else for (int i = 0; i < wanted.length; i++) NgramLookup.guess(writing.get(i), wanted[i]);
    }

    /** The model has read these rows. */
    void follow(List<Engine.Run> runs) { if (draft != null) draft.follow(runs); }

    @Override public void close() { if (draft != null) draft.close(); }
}
