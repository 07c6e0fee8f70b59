package inkstone.transformer.tune.data;

import inkstone.tensor.ModelException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** All sequences of a data set in memory: 4 bytes a token (the sign bit says that it is learned) and 8 to 16 a sequence. */
final class TokenStore {
    /** 512 MiB, a quarter of the program's heap. */
    static final long MOST_TOKENS = 128L << 20;
    private static final int CHUNK_BITS = 18, CHUNK = 1 << CHUNK_BITS, LEARNED = 1 << 31;

    private final List<int[]> chunks = new ArrayList<>();
    private long[] starts = new long[64];
    private int[] labels = {};
    private int count;
    private long learnedTokens;

    void add(String source, Example example) {
        long start = starts[count];
        if (start + example.tokens().length > MOST_TOKENS) {
            throw new ModelException("%s: more than %,d tokens of examples, which is as many as are kept in memory; take a part of the file".formatted(source, MOST_TOKENS));
        }
        for (int i = 0; i < example.tokens().length; i++) {
            long at = start + i;
            if (at >> CHUNK_BITS == chunks.size()) chunks.add(new int[CHUNK]);
            chunks.get((int) (at >> CHUNK_BITS))[(int) at & CHUNK - 1] = example.tokens()[i] | (example.learned()[i] ? LEARNED : 0);
            if (example.learned()[i]) learnedTokens++;
        }
        if (++count == starts.length) starts = Arrays.copyOf(starts, 2 * count);
        starts[count] = start + example.tokens().length;
    }

    /** Of the sequence added last. */
    void addLabel(int label) {
        if (labels.length < count) labels = Arrays.copyOf(labels, Math.max(64, 2 * count));
        labels[count - 1] = label;
    }

    int label(int sequence) { return labels[sequence]; }

    void relabel(int[] to) { for (int i = 0; i < count; i++) labels[i] = to[labels[i]]; }

    int sequences() { return count; }

    long tokens() { return starts[count]; }

    long learnedTokens() { return learnedTokens; }

    int length(int sequence) { return (int) (starts[sequence + 1] - starts[sequence]); }

    Example get(int sequence) {
        int length = length(sequence);
        var tokens = new int[length];
        var learned = new boolean[length];
        for (int i = 0; i < length; i++) {
            int kept = at(starts[sequence] + i);
            tokens[i] = kept & ~LEARNED;
            learned[i] = kept < 0;
        }
        return new Example(tokens, learned);
    }

    private int at(long token) { return chunks.get((int) (token >> CHUNK_BITS))[(int) token & CHUNK - 1]; }

    /** A number that another data set does not have, but by a chance of one in 2^64. */
    long fingerprint() {
        long digest = count;
        for (long i = 0; i < tokens(); i++) digest = mixed(digest, at(i));
        for (int i = 0; i < count; i++) digest = mixed(digest, length(i) + (labels.length == 0 ? 0 : (long) labels[i] << 32));
        return digest;
    }

    static long mixed(long digest, long value) {
        digest = (digest ^ value) * 0x9E3779B97F4A7C15L;
        return digest ^ digest >>> 29;
    }
}
