package inkstone.transformer.train;

import java.util.Arrays;

/**
 * Documents of a token file, or parts of documents, in some order: what a run learns from or is judged by. 16 bytes of memory a document. Immutable, used no longer than its file.
 *
 * @param starts first token of each among all of the file @param ends one behind the last
 */
public record Documents(TokenFile file, long[] starts, long[] ends) {
    public Documents {
        for (int i = 0; i < starts.length; i++) if (starts[i] >= ends[i]) throw new IllegalArgumentException("document %d begins at token %d and ends at %d".formatted(i, starts[i], ends[i]));
    }

    public int count() { return starts.length; }

    public long tokens() { return Arrays.stream(ends).sum() - Arrays.stream(starts).sum(); }

    /** How many tokens can be learned: all but the first of each document, as nothing foretells that. */
    public long targets() {
        long targets = 0;
        for (int i = 0; i < starts.length; i++) targets += ends[i] - starts[i] - 1;
        return targets;
    }
}
