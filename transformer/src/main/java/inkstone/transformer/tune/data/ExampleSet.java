package inkstone.transformer.tune.data;

/**
 * The examples to train on, or those held out. An example is one sequence, or for preferences two, the chosen and the rejected. Immutable; any thread. Memory: 4 bytes
 * for each token, shared by both sets.
 */
public final class ExampleSet {
    private final TokenStore store;
    private final int sequencesEach;
    private final int[] indices;
    private final boolean labelled;

    ExampleSet(TokenStore store, int sequencesEach, int[] indices, boolean labelled) {
        this.store = store;
        this.sequencesEach = sequencesEach;
        this.indices = indices;
        this.labelled = labelled;
    }

    /** Number of examples. */
    public int size() { return indices.length; }

    /** 1; 2 for preferences: the chosen, then the rejected. */
    public int sequencesEach() { return sequencesEach; }

    public Example sequence(int example, int sequence) { return store.get(indices[example] * sequencesEach + sequence); }

    /** An example that is one sequence. */
    public Example get(int example) { return sequence(example, 0); }

    /** Index into {@link DataReport#labels()}; -1 where the data has no labels. */
    public int label(int example) { return labelled ? store.label(indices[example]) : -1; }

    /** Tokens of the example, of both its sequences where it has two. */
    public int length(int example) {
        int length = 0;
        for (int i = 0; i < sequencesEach; i++) length += store.length(indices[example] * sequencesEach + i);
        return length;
    }

    public long tokens() {
        long tokens = 0;
        for (int i = 0; i < size(); i++) tokens += length(i);
        return tokens;
    }
}
