package inkstone.transformer;

import inkstone.tensor.DType;
import java.util.List;
import java.util.function.LongSupplier;

/**
 * Lets answers run ahead of the model: before a step it appends guesses to their sequences, which {@link Generation#accept} then takes or takes back. As many as pay: of
 * all lengths that which brings most tokens a second, by how often guesses come true, what a step of so many rows costs and what a draft takes (Leviathan et al. 2022,
 * section 3.5, with measured times). So one reader gets long guesses where a row more is all but free, a crowd, whose rows fill the machine without them, gets short ones
 * or none, and nobody waits for guesses that do not come true. Both {@link Session} and {@link BatchScheduler} guess through it. Owns the draft model's cache, not the
 * draft model. One thread.
 */
final class Speculator implements AutoCloseable {
    /** Rows of a step with guesses: on no machine is a row all but free beyond them. */
    private static final int MOST_ROWS = 2 * Speculation.MOST;

    /** Tokens that a draft reads at once in the time in which it writes one. */
    private static final double ROWS_OF_A_PASS = 8;

    private final int most;
    private final LongSupplier clock;
    /** Null where the text itself is looked up, or nothing guessed. */
    private final Draft draft;
    private final StepTimes steps = new StepTimes(MOST_ROWS), draftPasses = new StepTimes(1);

    /** @param clock nanoseconds, as {@link System#nanoTime} counts them */
    Speculator(Speculation speculation, LanguageModel model, Engine engine, int cacheTokens, DType cacheType, LongSupplier clock) {
        this.most = speculation.most();
        this.clock = clock;
        if (most > 0 && engine.cache().recurrent()) {
            throw new IllegalArgumentException("%s keeps states, which cannot be taken back to the last right guess; use it without guesses".formatted(model.name()));
        }
        this.draft = most == 0 || speculation.draft() == null ? null : new Draft(speculation.draft(), model, engine.contextLength(), cacheTokens, cacheType);
    }

    /** Memory of the draft model's keys and values. */
    long cacheBytes() { return draft == null ? 0 : draft.cacheBytes(); }

    /**
     * Appends guesses to the sequences of answers that are being written, as far as free pages go.
     *
     * @param besides nanoseconds that the step will take for rows of prompts
     */
    void guess(List<Generation> writing, double besides) {
        if (most == 0 || writing.isEmpty()) return;
        var possible = new int[writing.size()];
        for (int i = 0; i < possible.length; i++) {
            var answer = writing.get(i);
            possible[i] = Math.clamp(answer.tokensLeft() - 1, 0, most);
            if (draft != null) possible[i] = Math.min(possible[i], draft.reach(answer.sequence()));
            else if (NgramLookup.continuation(answer.sequence()) < 0) possible[i] = 0;
        }
        int length = mostWorthwhile(writing, possible, besides), longest = 0;
        for (int i = 0; i < possible.length; i++) {
            var sequence = writing.get(i).sequence();
            int count = Math.min(possible[i], length);
            if (count > 0) {
                sequence.reserve(sequence.length() + count);
                count = Math.min(count, sequence.room());
            } else if (possible[i] > 0) {
                writing.get(i).acceptance().toldNothing();
            }
            possible[i] = count;
            longest = Math.max(longest, count);
        }
        if (draft == null) {
            for (int i = 0; i < possible.length; i++) NgramLookup.guess(writing.get(i), possible[i]);
        } else if (longest > 0) {
            long before = clock.getAsLong();
            draft.guess(writing, possible);
            draftPasses.measured(1, (clock.getAsLong() - before) / longest);
        } else {
            draftPasses.fade();
        }
    }

    /** How far each answer should be guessed ahead, as far as it can: 0 where no guess pays, or it is not known yet what a step without costs. */
    private int mostWorthwhile(List<Generation> writing, int[] possible, double besides) {
        int best = 0;
        double mostPerNano = 0, behind = 0;
        for (int i = 0; i < possible.length; i++) if (draft != null && possible[i] > 0) behind += writing.get(i).sequence().pendingDraft();
        for (int length = 0; length <= most; length++) {
            double tokens = 0;
            int rows = 0;
            boolean longer = length == 0;
            for (int i = 0; i < possible.length; i++) {
                longer |= possible[i] >= length;
                int guesses = Math.min(possible[i], length);
                tokens += writing.get(i).acceptance().tokens(guesses);
                rows += 1 + guesses;
            }
            double nanos = steps.of(rows), passes = length == 0 ? 0 : length + behind / ROWS_OF_A_PASS;
            if (!longer || nanos == 0 || rows > MOST_ROWS) break;
            double perNano = tokens / (besides + nanos + passes * draftPasses.of(1));
            if (perNano > mostPerNano) {
                mostPerNano = perNano;
                best = length;
            }
        }
        return best;
    }

    /** A step without rows of prompts had so many rows and took so long, guessing left out. */
    void measured(int rows, long nanos) { if (most > 0) steps.measured(rows, nanos); }

    /** The model has read these rows of prompts. */
    void follow(List<Engine.Run> runs) { if (draft != null) draft.follow(runs); }

    @Override public void close() { if (draft != null) draft.close(); }
}
