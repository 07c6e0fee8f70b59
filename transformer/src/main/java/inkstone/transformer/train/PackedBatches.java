package inkstone.transformer.train;

import inkstone.tensor.ModelException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Documents packed side by side, each a sequence of its own, so that none sees another (Krell et al. 2021, arXiv:2107.02027). Every batch is full. Each pass over a source takes every token once as a target,
 * but the first of each document: documents of more than {@code context} tokens are cut, at other places in each pass, and the pieces come in an order drawn anew. Where a batch is
 * full its last piece goes on in the next as a sequence of its own. Memory: 12 bytes a piece.
 */
public final class PackedBatches extends Batches {
    private static final class Pieces {
        private final Documents documents;
        private final long[] starts;
        private final int[] lengths;
        private int count;

        /** @param random where to cut, and the order; null: cut from the start, in order */
        Pieces(Documents documents, int context, SplittableRandom random) {
            this.documents = documents;
            long most = 0;
            for (int i = 0; i < documents.count(); i++) {
                long targets = documents.ends()[i] - documents.starts()[i] - 1;
                most += targets <= context ? 1 : 2 + targets / context;
            }
            if (most > Integer.MAX_VALUE - 8) throw new ModelException("%s: falls into more than 2 billion pieces of %d tokens; take a larger context".formatted(documents.file().path(), context));
            starts = new long[(int) most];
            lengths = new int[(int) most];
            for (int i = 0; i < documents.count(); i++) cut(documents.starts()[i], documents.ends()[i] - 1, context, random);
            if (random == null) return;
            for (int i = count - 1; i > 0; i--) swap(i, random.nextInt(i + 1));
        }

        private void cut(long start, long end, int context, SplittableRandom random) {
            int length = random != null && end - start > context ? 1 + random.nextInt(context) : context;
            for (long at = start; at < end; at += length, length = context) {
                length = (int) Math.min(length, end - at);
                starts[count] = at;
                lengths[count++] = length;
            }
        }

        private void swap(int i, int j) {
            long start = starts[i];
            int length = lengths[i];
            starts[i] = starts[j];
            lengths[i] = lengths[j];
            starts[j] = start;
            lengths[j] = length;
        }
    }

    /** A batch that is being filled. */
    private static final class Filling {
        private final int[] tokens, targets;
        private int[] lengths = new int[16];
        private int filled, sequences;

        Filling(int size) {
            tokens = new int[size];
            targets = new int[size];
        }

        int room() { return tokens.length - filled; }

        void add(TokenFile file, long from, int count) {
            file.copy(from, tokens, filled, count);
            file.copy(from + 1, targets, filled, count);
            filled += count;
            if (sequences == lengths.length) lengths = Arrays.copyOf(lengths, 2 * sequences);
            lengths[sequences++] = count;
        }

        TokenBatch batch() { return new TokenBatch(Arrays.copyOf(tokens, filled), Arrays.copyOf(targets, filled), Arrays.copyOf(lengths, sequences)); }
    }

    private final Pieces[] pieces;
    private final long[] epochs;
    private final int[] indices, offsets;

    /**
     * @param context the longest sequence, in tokens
     * @param rows    a batch has rows · context tokens
     * @throws ModelException where a source has nothing to learn from
     */
    public PackedBatches(List<Source> sources, int context, int rows, long seed) {
        super("packed", sources, context, rows, seed);
        pieces = new Pieces[sources.size()];
        epochs = new long[pieces.length];
        indices = new int[pieces.length];
        offsets = new int[pieces.length];
        for (int i = 0; i < pieces.length; i++) requireTargets(sources.get(i).documents());
        for (int i = 0; i < pieces.length; i++) draw(i);
    }

    /** Of one source. */
    public PackedBatches(Documents documents, int context, int rows, long seed) { this(List.of(new Source(documents, 1)), context, rows, seed); }

    private static void requireTargets(Documents documents) {
        if (documents.targets() > 0) return;
        throw new ModelException("%s: has no document of two tokens or more to learn from; take more text, or a smaller share for validation".formatted(documents.file().path()));
    }

    private void draw(int source) { pieces[source] = new Pieces(sources.get(source).documents(), context, Shuffle.random(seed + source, epochs[source])); }

    /** Passes over a source that are complete. */
    public long epoch(int source) { return epochs[source]; }

    @Override public TokenBatch next() {
        var filling = new Filling(size());
        while (filling.room() > 0) {
            int source = furthestBehind(), index = indices[source], offset = offsets[source];
            var of = pieces[source];
            int count = Math.min(filling.room(), of.lengths[index] - offset);
            filling.add(of.documents.file(), of.starts[index] + offset, count);
            taken[source] += count;
            offsets[source] = offset + count;
            if (offsets[source] == of.lengths[index]) nextPiece(source);
        }
        return filling.batch();
    }

    private void nextPiece(int source) {
        offsets[source] = 0;
        if (++indices[source] < pieces[source].count) return;
        indices[source] = 0;
        epochs[source]++;
        draw(source);
    }

    @Override int placeNumbers() { return 3; }

    @Override long[] place(int source) { return new long[] {epochs[source], indices[source], offsets[source]}; }

    @Override void place(int source, long[] place) {
        if (epochs[source] != place[0]) {
            epochs[source] = place[0];
            draw(source);
        }
        if (place[1] >= pieces[source].count || place[2] >= pieces[source].lengths[(int) place[1]]) throw new IllegalArgumentException("no piece %d, or no token %d in it".formatted(place[1], place[2]));
        indices[source] = (int) place[1];
        offsets[source] = (int) place[2];
    }

    /**
     * Every target once, in the order of the documents: for evaluation. The last batch is shorter.
     *
     * @param rows a batch has at most rows · context tokens
     * @param most batches to give, of more the first; documents that {@link TokenFile#split} kept back are in an order drawn by its seed
     */
    public static List<TokenBatch> inOrder(Documents documents, int context, int rows, int most) {
        requireTargets(documents);
        var pieces = new Pieces(documents, context, null);
        int size = Math.multiplyExact(context, rows);
        var batches = new ArrayList<TokenBatch>();
        for (int index = 0; index < pieces.count && batches.size() < most;) {
            var filling = new Filling(size);
            for (; index < pieces.count && pieces.lengths[index] <= filling.room(); index++) filling.add(documents.file(), pieces.starts[index], pieces.lengths[index]);
            batches.add(filling.batch());
        }
        return batches;
    }
}
