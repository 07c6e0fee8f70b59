package inkstone.transformer;

import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * How many rows of prompts the next step may take, by what the last ones took: a reader of an answer waits for every step, whatever else is in it. The time of a whole
 * step is laid on its prompt rows, so a step that took twice its time has half as many rows the next time. A slower step counts at once, a faster one by half: one
 * slow step costs a few small ones, one fast step cannot cause a long one. One thread.
 */
final class PrefillPace {
    /**
     * Nanoseconds of a step while answers are being written. Half of 200 ms, the longest pause that readers shall see: the step after a change is a guess, and another
     * program may take a core meanwhile.
     */
    static final long WHILE_WRITING = 100_000_000;
    /** Nanoseconds of a step where nobody waits but for a cancel, or to join. */
    static final long ALONE = 500_000_000;
    /** Fewer rows would cost the prompt more than they give the reader. */
    static final int FEWEST = 16;
    /** Rows while answers are being written and nothing is known. */
    static final int FIRST = 32;

    private double nanosPerRow = -1, nanosOfAnswers = -1;

    int rows(boolean writing) {
        if (nanosPerRow < 0) return writing ? FIRST : Engine.PREFILL_ROWS;
        return (int) Math.clamp((writing ? Math.max(WHILE_WRITING, 2 * nanosOfAnswers) : ALONE) / nanosPerRow, FEWEST, Engine.PREFILL_ROWS);
    }

    /** Rows for each prompt that is being read, of which {@code pending} wait: equal shares, and what short ones leave for the others. */
    static int[] shares(int rows, int[] pending) {
        var shares = new int[pending.length];
        var shortestFirst = IntStream.range(0, pending.length).boxed().sorted(Comparator.comparingInt(i -> pending[i])).toList();
        int left = rows;
        for (int n = 0; n < pending.length; n++) {
            int i = shortestFirst.get(n);
            shares[i] = Math.min(pending[i], Math.ceilDiv(left, pending.length - n));
            left -= shares[i];
        }
        return shares;
    }

    /**
     * A step with so many rows of prompts took so long. Of fewer than {@link #FEWEST} the time was mostly that of the answers' rows, of which a faster one counts at once
     * and a slower one by an eighth: one slow step must not make all that follow it long.
     */
    void measured(int rows, long nanos) {
        if (rows < FEWEST) {
            nanosOfAnswers = nanosOfAnswers < 0 || nanos < nanosOfAnswers ? nanos : nanosOfAnswers + (nanos - nanosOfAnswers) / 8;
            return;
        }
        double measured = (double) nanos / rows;
        nanosPerRow = measured > nanosPerRow ? measured : (measured + nanosPerRow) / 2;
    }
}
