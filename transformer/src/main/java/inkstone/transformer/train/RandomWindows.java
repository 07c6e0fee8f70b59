package inkstone.transformer.train;

import inkstone.tensor.ModelException;
import java.util.Arrays;
import java.util.List;

/**
 * Rows of {@code context} tokens from anywhere, as nanoGPT draws them: a source's documents are one long text, whose windows run across their ends. For texts that are one document, such as
 * all of Shakespeare, or where documents do not matter. Memory: 8 bytes a document.
 */
public final class RandomWindows extends Batches {
    /* Of each source, how many tokens lie before each document's end. */
    private final long[][] totals;
    private long batches;

    /** @throws ModelException where a source has no window of {@code context} tokens and the one after them */
    public RandomWindows(List<Source> sources, int context, int rows, long seed) {
        super("windows", sources, context, rows, seed);
        totals = new long[sources.size()][];
        for (int i = 0; i < totals.length; i++) totals[i] = totals(sources.get(i).documents(), context);
    }

    /** Of one source. */
    public RandomWindows(Documents documents, int context, int rows, long seed) { this(List.of(new Source(documents, 1)), context, rows, seed); }

    private static long[] totals(Documents documents, int context) {
        var totals = new long[documents.count()];
        long total = 0;
        for (int i = 0; i < totals.length; i++) totals[i] = total += documents.ends()[i] - documents.starts()[i];
        if (total <= context) {
            throw new ModelException("%s: has %,d tokens to learn from, a window of %,d needs one more than that; take more text or a smaller context".formatted(documents.file().path(), total, context));
        }
        return totals;
    }

    @Override public TokenBatch next() {
        var random = Shuffle.random(seed, batches++);
        var tokens = new int[size()];
        var targets = new int[size()];
        var window = new int[context + 1];
        for (int row = 0; row < rows; row++) {
            int source = furthestBehind();
            long last = totals[source][totals[source].length - 1] - context;
            copy(source, random.nextLong(last), window);
            System.arraycopy(window, 0, tokens, row * context, context);
            System.arraycopy(window, 1, targets, row * context, context);
            taken[source] += context;
        }
        var lengths = new int[rows];
        Arrays.fill(lengths, context);
        return new TokenBatch(tokens, targets, lengths);
    }

    private void copy(int source, long from, int[] window) {
        var documents = sources.get(source).documents();
        int document = Arrays.binarySearch(totals[source], from + 1);
        if (document < 0) document = -document - 1;
        for (int filled = 0; filled < window.length; document++) {
            long end = totals[source][document], at = documents.ends()[document] - (end - from);
            int count = (int) Math.min(window.length - filled, end - from);
            documents.file().copy(at, window, filled, count);
            filled += count;
            from += count;
        }
    }

    @Override int placeNumbers() { return 1; }

    @Override long[] place(int source) { return new long[] {batches}; }

    @Override void place(int source, long[] place) { batches = place[0]; }
}
