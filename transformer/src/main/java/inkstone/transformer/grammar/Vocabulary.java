package inkstone.transformer.grammar;

import inkstone.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * The bytes of every token that prints something, as a tree in which tokens that begin alike share a path. Built once per tokenizer, about 8 MB for 150,000
 * tokens; immutable, any thread. Holds no native memory and outlives the tokenizer.
 */
public final class Vocabulary {
    private final byte[][] bytes;
    private final int[] endOfGeneration;
    /* Nodes in depth-first order without the root: what follows a node up to end[node] is below it. */
    private final byte[] edge;
    private final int[] depth, parent, end;
    /* Tokens spelled by a node: ids[first[node] .. first[node + 1]). */
    private final int[] first, ids;
    private final int size, deepest;

    private Vocabulary(byte[][] bytes, int[] endOfGeneration) {
        this.bytes = bytes;
        this.endOfGeneration = endOfGeneration;
        var sorted = IntStream.range(0, bytes.length).filter(token -> bytes[token].length > 0).boxed()
                .sorted(Comparator.comparing((Integer token) -> bytes[token], Arrays::compareUnsigned)).mapToInt(Integer::intValue).toArray();
        ids = sorted;
        int capacity = 1, longest = 0;
        for (int i = 0; i < sorted.length; i++) {
            capacity += bytes[sorted[i]].length - shared(sorted, i);
            longest = Math.max(longest, bytes[sorted[i]].length);
        }
        edge = new byte[capacity];
        depth = new int[capacity];
        parent = new int[capacity];
        end = new int[capacity];
        first = new int[capacity + 1];
        var path = new int[longest + 1];
        path[0] = -1;
        int nodes = 0, open = 0;                                                        // open: length of the path that is not closed
        for (int i = 0; i < sorted.length; i++) {
            var spelling = bytes[sorted[i]];
            int shared = shared(sorted, i);
            for (; open > shared; open--) end[path[open]] = nodes;
            for (; open < spelling.length; open++) {
                edge[nodes] = spelling[open];
                depth[nodes] = open + 1;
                parent[nodes] = path[open];
                first[nodes] = i;
                path[open + 1] = nodes++;
            }
            first[nodes] = i + 1;
        }
        for (; open > 0; open--) end[path[open]] = nodes;
        first[nodes] = sorted.length;
        size = nodes;
        deepest = longest;
    }

    private int shared(int[] sorted, int i) {
        if (i == 0) return 0;
        int mismatch = Arrays.mismatch(bytes[sorted[i - 1]], bytes[sorted[i]]);
        return mismatch < 0 ? bytes[sorted[i]].length : mismatch;
    }

    /** Reads every token's bytes once; tokens that end a generation are kept apart, and tokens that print nothing are never allowed. */
    public static Vocabulary of(Tokenizer tokenizer) {
        var ends = tokenizer.endOfGeneration().stream().mapToInt(Integer::intValue).sorted().toArray();
        var bytes = new byte[tokenizer.vocabularySize()][];
        for (int token = 0; token < bytes.length; token++) bytes[token] = Arrays.binarySearch(ends, token) >= 0 ? new byte[0] : tokenizer.bytes(token);
        return new Vocabulary(bytes, ends);
    }

    int tokens() { return bytes.length; }
    int[] endOfGeneration() { return endOfGeneration; }
    byte[] bytes(int token) { return bytes[token]; }

    /** Nodes of the tree. */
    int size() { return size; }
    int deepest() { return deepest; }
    int edge(int node) { return edge[node] & 0xFF; }
    /** Bytes from the root to the node, its own counted. */
    int depth(int node) { return depth[node]; }
    int parent(int node) { return parent[node]; }
    /** The node after the last one below this. */
    int end(int node) { return end[node]; }

    void addTokens(int node, long[] set) { for (int i = first[node]; i < first[node + 1]; i++) set[ids[i] >> 6] |= 1L << ids[i]; }
}
