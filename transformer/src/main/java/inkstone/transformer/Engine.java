package inkstone.transformer;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs a model over rows of any mix of sequences, prompts and single tokens alike: the one step that {@link Session} and {@link BatchScheduler} share. Owns the
 * cache and one scope that every step reuses. Sequences may be of several variants of the model (adapters, see {@link Sequence#variant}): the rows of each variant
 * run together, one variant after the other, so that a step of k variants reads the weights k times. One thread.
 */
final class Engine implements AutoCloseable {
    /** Most rows of prompts in one step: enough to fill the matrix kernels, few enough that a cancel or another answer's next token does not wait long. */
    static final int PREFILL_ROWS = 256;

    private final CausalModel model;
    private final Backend backend;
    private final KvCache cache;
    private final Scope scope;
    private final int contextLength, vocabulary;
    /** Whether sequences are run by their own variant; a draft guesses for all of them. */
    private final boolean variants;
    private float[] logits = {};

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
        MachineMemory.require(KvCache.bytes(config, cacheType, cacheTokens, contextLength), "a cache for %d tokens".formatted(cacheTokens), "a smaller --context");
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
     * @param logits how many of these rows, counted from the last, have their logits wanted
     */
    record Run(Sequence sequence, int from, int rows, int logits) {
        /** The next of those that wait. */
        Run(Sequence sequence, int rows, int logits) { this(sequence, sequence.cached(), rows, logits); }
    }

    /** {@link #forward} of tokens that wait, after which they are cached. */
    float[] step(List<Run> runs) {
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
     * Runs every row, stores its keys and values, and returns the wanted logits, [wanted rows, vocabulary] in the order of the runs and their rows. The array is the
     * caller's to overwrite until the next step. A token that this model does not know, as a draft may not, is read as token 0.
     */
    float[] forward(List<Run> runs) {
        int wanted = 0;
        for (var run : runs) wanted += run.logits;
        if (logits.length < wanted * vocabulary) logits = new float[wanted * vocabulary];
        var left = new ArrayList<>(runs);
        while (!left.isEmpty()) {
            var variant = variantOf(left.getFirst());
            var together = left.stream().filter(run -> variantOf(run) == variant).toList();
            left.removeAll(together);
            forward(variant, together, together.size() == runs.size() ? null : runs);
        }
        return logits;
    }

    private CausalModel variantOf(Run run) { return variants ? run.sequence.variant() : model; }

    /** @param all the runs of the step, among which these put their logits; null where these are all */
    private void forward(CausalModel variant, List<Run> runs, List<Run> all) {
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
        var hidden = variant.forward(scope.ints(tokens), context);
        if (wanted == 0) {
            backend.synchronize();
            return;
        }
        put(variant.logits(hidden.gatherRows(scope.ints(wantedRows))), runs, all);
    }

    private void put(Tensor computed, List<Run> runs, List<Run> all) {
        if (all == null) {
            backend.download(MemorySegment.ofArray(logits).asSlice(0, computed.data().byteSize()), computed.data());
            return;
        }
        float[] rows = computed.toFloats();
        int from = 0, at = 0;
        for (var run : all) {
            int count = run.logits * vocabulary;
            if (runs.contains(run)) {
                System.arraycopy(rows, from, logits, at, count);
                from += count;
            }
            at += count;
        }
    }

    @Override public void close() {
        scope.close();
        cache.close();
    }
}
