package inkstone.transformer;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Kernels;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * Runs a model over rows of any mix of sequences, prompts and single tokens alike: the one step that {@link Session} and {@link BatchScheduler} share. Owns the
 * cache and one scope that every step reuses. Sequences may be of several variants of the model (adapters, see {@link Sequence#variant}): the rows of each variant
 * run together, one variant after the other, so that a step of k variants reads the weights k times. One thread.
 */
final class Engine implements AutoCloseable {
    /** Most rows of prompts in one step: enough to fill the matrix kernels, few enough that a cancel or another answer's next token does not wait long. */
    static final int PREFILL_ROWS = 256;

    /** How many of the largest logits are brought to the host: for the likeliest token, for a usual top-k, and at most. */
    private static final int[] DECIDING = {1, 64, Kernels.MOST_LARGEST};

    /** Most rows of a step that is worth recording: larger ones keep a device busy for longer than it takes to launch them, and seldom come twice. */
    private static final int RECORDED_ROWS = 32;

    private final CausalModel model;
    private final Backend backend;
    private final KvCache cache;
    private final Scope scope;
    private final int contextLength, vocabulary;
    /** Whether sequences are run by their own variant; a draft guesses for all of them. */
    private final boolean variants;
    private float[] values = {};
    private int[] largest = {};

    /** @param cacheTokens tokens that all sequences together may hold, at least {@code contextLength} */
    Engine(LanguageModel model, int contextLength, int cacheTokens, DType cacheType) {
        this(model, contextLength, cacheTokens, cacheType, model.model().config().contextLength(), true);
    }

    /** The engine of a draft model, which runs in the pages of another: its own context may be shorter than theirs. */
    static Engine ofDraft(LanguageModel draft, int contextLength, int cacheTokens, DType cacheType) {
        return new Engine(draft, contextLength, cacheTokens, cacheType, contextLength, false);
    }

    private Engine(LanguageModel model, int contextLength, int cacheTokens, DType cacheType, int longest, boolean variants) {
        this.model = model.model();
        this.backend = model.backend();
        var config = this.model.config();
        if (contextLength < 2 || contextLength > longest) {
            throw new IllegalArgumentException("the context must be 2 to %d tokens for %s, got %d".formatted(longest, model.name(), contextLength));
        }
        KvCache.require(model.name(), config, cacheType);
        MachineMemory.require(backend, KvCache.bytes(config, cacheType, cacheTokens, contextLength), "a cache for %d tokens".formatted(cacheTokens), "a smaller --context");
        this.cache = new KvCache(backend, config, cacheType, cacheTokens, contextLength);
        this.contextLength = contextLength;
        this.vocabulary = config.vocabularySize();
        this.scope = Scope.inference(backend);
        this.variants = variants;
    }

    KvCache cache() { return cache; }

    /** Tokens a prompt and its answer may have together. */
    int contextLength() { return contextLength; }

    int vocabulary() { return vocabulary; }

    /** The model itself, without variants. */
    CausalModel model() { return model; }

    Sequence sequence(int capacity) { return sequence(capacity, model); }

    /** @param variant of the model, on whatever weights: its configuration is the same */
    Sequence sequence(int capacity, CausalModel variant) { return new Sequence(cache, capacity, variant); }

    /** Throws where the model cannot read such a prompt. */
    void check(int[] prompt) {
        if (prompt.length >= contextLength) throw new ContextFullException(prompt.length, contextLength);
        for (int token : prompt) {
            if (token < 0 || token >= vocabulary) {
                throw new IllegalArgumentException("the prompt has token %d, the vocabulary ends at %d".formatted(token, vocabulary - 1));
            }
        }
    }

    /**
     * A part of one step: {@code rows} tokens of a sequence from position {@code from} on, whose pages are reserved.
     *
     * @param logits   how many of these rows, counted from the last, have their logits wanted
     * @param deciding how many of the largest logits of a row are enough ({@link Sampler#deciding}); 0: all are wanted
     */
    record Run(Sequence sequence, int from, int rows, int logits, int deciding) {
        /** The next of those that wait. */
        Run(Sequence sequence, int rows, int logits, int deciding) { this(sequence, sequence.cached(), rows, logits, deciding); }

        /** All logits of the next of those that wait. */
        Run(Sequence sequence, int rows, int logits) { this(sequence, rows, logits, 0); }
    }

    /** {@link #forward} of tokens that wait, after which they are cached. */
    Logits step(List<Run> runs) {
        try {
            var logits = forward(runs);
            for (var run : runs) run.sequence.advance(run.rows);
            return logits;
        } catch (RuntimeException | Error e) {
            if (cache.recurrent()) for (var run : runs) run.sequence.truncate(0);      // states may be those of any token by now
            throw e;
        }
    }

    /**
     * Runs every row, stores its keys and values, and returns the wanted logits in the order of the runs and their rows: of all rows the largest, where those decide for each,
     * otherwise all. A token that this model does not know, as a draft may not, is read as token 0.
     */
    Logits forward(List<Run> runs) {
        int wanted = 0, deciding = deciding(runs), width = deciding == 0 ? vocabulary : deciding;
        for (var run : runs) wanted += run.logits;
        if (values.length < wanted * width) values = new float[wanted * width];
        if (largest.length < wanted * deciding) largest = new int[wanted * deciding];
        var logits = new Logits(values, deciding == 0 ? null : largest, width);
        var left = new ArrayList<>(runs);
        while (!left.isEmpty()) {
            var variant = variantOf(left.getFirst());
            var together = left.stream().filter(run -> variantOf(run) == variant).toList();
            left.removeAll(together);
            forward(variant, together, runs, logits);
        }
        return logits;
    }

    /** One of few sizes, so that steps are alike; 0 where any row's logits are all wanted. */
    private int deciding(List<Run> runs) {
        int most = 0;
        for (var run : runs) {
            if (run.logits > 0 && run.deciding == 0) return 0;
            if (run.logits > 0) most = Math.max(most, run.deciding);
        }
        for (int size : DECIDING) if (most <= size) return size < vocabulary ? size : 0;
        return 0;
    }

    private CausalModel variantOf(Run run) { return variants ? run.sequence.variant() : model; }

    /** @param all the runs of the step, among which these put their logits */
    private void forward(CausalModel variant, List<Run> runs, List<Run> all, Logits logits) {
        scope.reset();
        int n = 0, wanted = 0;
        for (var run : runs) {
            n += run.rows;
            wanted += run.logits;
        }
        var tokens = new int[n];
        var positions = new int[n];
        var sequences = new int[n];
        var slots = new int[n];
        var states = new int[n];
        int maxPages = Math.ceilDiv(contextLength, cache.pageSize());
        var pageTable = new int[runs.size() * maxPages];
        var wantedRows = new int[wanted];
        int row = 0, next = 0;
        for (int line = 0; line < runs.size(); line++) {
            var run = runs.get(line);
            var sequence = run.sequence;
            for (int i = 0; i < run.rows; i++, row++) {
                int position = run.from + i, token = sequence.tokens()[position];
                tokens[row] = token < vocabulary ? token : 0;
                positions[row] = position;
                sequences[row] = line;
                slots[row] = sequence.slot(position);
                states[row] = sequence.page(0);
            }
            for (int page = 0; page < sequence.pages(); page++) pageTable[line * maxPages + page] = sequence.page(page);
            for (int i = run.logits; i > 0; i--) wantedRows[next++] = row - i;
        }
        var table = scope.tensor(DType.I32, runs.size(), maxPages).set(pageTable);
        var context = new Cached(cache, scope.ints(positions), scope.ints(sequences), scope.ints(slots), table, scope.ints(states));
        Tensor rows = scope.ints(tokens), chosen = wanted == 0 ? null : scope.ints(wantedRows);
        Supplier<Tensor> work = () -> {
            var hidden = variant.forward(rows, context);
            if (chosen == null) return hidden;
            var computed = variant.logits(hidden.gatherRows(chosen));
            return logits.tokens() == null ? computed : computed.largest(logits.width());
        };
        var computed = n <= RECORDED_ROWS ? backend.replay(new Step(this, variant, n, runs.size(), wanted, logits.tokens() == null ? 0 : logits.width()), work) : work.get();
        if (chosen == null) backend.synchronize();
        else put(computed, runs, all, logits);
    }

    /**
     * Steps that are equal launch the same kernels on the same memory: a scope gives the same addresses for the same tensors in the same order, and everything that differs from token to
     * token is in tensors.
     */
    private record Step(Engine engine, CausalModel variant, int rows, int runs, int wanted, int largest) {
        /* A variant is a record of all its weights, which are not to be compared. */
        @Override public boolean equals(Object other) {
            return other instanceof Step step && engine == step.engine && variant == step.variant && rows == step.rows && runs == step.runs && wanted == step.wanted && largest == step.largest;
        }

        @Override public int hashCode() { return ((31 * System.identityHashCode(variant) + rows) * 31 + runs) * 31 + wanted * 257 + largest; }
    }

    private void put(Tensor computed, List<Run> runs, List<Run> all, Logits logits) {
        if (logits.tokens() == null && runs.size() == all.size()) {
            backend.download(MemorySegment.ofArray(logits.values()).asSlice(0, computed.data().byteSize()), computed.data());
            return;
        }
        float[] rows = computed.toFloats();
        int from = 0, row = 0;
        for (var run : all) {
            boolean here = runs.contains(run);
            for (int i = 0; i < run.logits; i++, row++) if (here) logits.set(row, rows, from++);
        }
    }

    @Override public void close() {
        scope.close();
        cache.close();
    }
}
