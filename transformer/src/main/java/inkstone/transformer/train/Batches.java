package inkstone.transformer.train;

import inkstone.tensor.ModelException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;

/**
 * Batches without end, drawn by a seed from one or more sources. The {@link #position} says all that is needed to go on: after {@link #seek} on the same data with the
 * same settings the same batches come. One thread.
 */
public abstract sealed class Batches implements TokenBatches permits PackedBatches, RandomWindows {
    /** @param weight its share of all tokens, in proportion to the other weights; above 0 */
    public record Source(Documents documents, double weight) {}

    private final String kind;
    final int context, rows;
    final long seed;
    final List<Source> sources;
    /** Tokens that came from each source. */
    final long[] taken;
    private final double[] shares;

    /** @param kind of these batches, by which positions are told apart */
    Batches(String kind, List<Source> sources, int context, int rows, long seed) {
        if (sources.isEmpty()) throw new IllegalArgumentException("batches need at least one source of tokens");
        if (context < 1 || rows < 1) throw new IllegalArgumentException("a batch should have 1 or more rows of 1 or more tokens, got %d of %d".formatted(rows, context));
        if ((long) context * rows > 1 << 28) throw new IllegalArgumentException("a batch of %d rows of %d tokens is too large; take fewer rows".formatted(rows, context));
        for (var source : sources) if (!(source.weight > 0 && source.weight < Double.POSITIVE_INFINITY)) throw new IllegalArgumentException("a source's weight should be above 0, got " + source.weight);
        this.kind = kind;
        this.sources = List.copyOf(sources);
        this.context = context;
        this.rows = rows;
        this.seed = seed;
        taken = new long[sources.size()];
        double all = sources.stream().mapToDouble(Source::weight).sum();
        shares = sources.stream().mapToDouble(source -> source.weight / all).toArray();
    }

    /** Tokens of each batch. */
    public int size() { return context * rows; }

    @Override public abstract TokenBatch next();

    /** The source that is furthest behind its share, so that shares hold at any time and do not depend on luck. */
    int furthestBehind() {
        long all = Arrays.stream(taken).sum();
        int source = 0;
        double most = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < shares.length; i++) {
            double behind = shares[i] * (all + 1) - taken[i];
            if (behind > most) {
                most = behind;
                source = i;
            }
        }
        return source;
    }

    /** Numbers of a source's place. */
    abstract long[] place(int source);

    /** Throws {@link IllegalArgumentException} where there is no such place. */
    abstract void place(int source, long[] place);

    abstract int placeNumbers();

    /** Where the next batch begins, in a form that {@link #seek} takes: a mark of the data and settings, then for each source its place. */
    @Override public final String position() {
        var text = new StringBuilder(mark());
        for (int i = 0; i < taken.length; i++) text.append(' ').append(taken[i]).append(Arrays.stream(place(i)).mapToObj(number -> ":" + number).collect(Collectors.joining()));
        return text.toString();
    }

    /** @throws ModelException where the position is of other data, another context, number of rows or seed */
    @Override public final void seek(String position) {
        var parts = position.split(" ");
        if (!parts[0].equals(mark()) || parts.length != taken.length + 1) {
            throw new ModelException("the run stood at \"%s\" in other data, or with another context, number of rows or seed; go on with the same, or start anew".formatted(position));
        }
        try {
            for (int i = 0; i < taken.length; i++) {
                var numbers = Arrays.stream(parts[i + 1].split(":")).mapToLong(Long::parseLong).toArray();
                if (numbers.length != placeNumbers() + 1 || Arrays.stream(numbers).anyMatch(number -> number < 0)) throw new IllegalArgumentException(parts[i + 1]);
                place(i, Arrays.copyOfRange(numbers, 1, numbers.length));
                taken[i] = numbers[0];
            }
        } catch (IllegalArgumentException e) {
            throw new ModelException("the position \"%s\" is damaged; go on from another checkpoint, or start anew".formatted(position), e);
        }
    }

    private String mark() {
        var checksum = new CRC32C();
        checksum.update("%s %d %d %d".formatted(kind, context, rows, seed).getBytes(StandardCharsets.US_ASCII));
        for (var source : sources) {
            var documents = source.documents;
            checksum.update(documents.file().inputs());
            checksum.update(documents.file().tokenizer());
            checksum.update("%s %d %d %s".formatted(source.weight, documents.count(), documents.tokens(), Arrays.hashCode(documents.starts())).getBytes(StandardCharsets.US_ASCII));
        }
        return "%08x".formatted(checksum.getValue());
    }
}
