package inkstone.transformer;

import inkstone.tensor.DType;
import inkstone.transformer.GenerationResult.Finish;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * One conversation with a model: keeps its cache between answers and reads only what of the next prompt is new to it. Owns the cache, not the model. One
 * thread at a time, which must be the one that may use the backend; only {@link #cancel} may be called from another.
 *
 * <p>Context: a prompt that leaves no room for one more token is refused with {@link ContextFullException}; an answer that reaches the end of the context
 * ends there with {@link Finish#LENGTH}. Nothing is ever dropped from a prompt in silence.
 */
public final class Session implements AutoCloseable {
    private final LanguageModel model;
    private final Engine engine;
    private final Speculator speculator;
    private final Sequence sequence;
    private final LongSupplier clock;
    private volatile Generation running;

    private Session(LanguageModel model, Engine engine, Speculator speculator, LongSupplier clock) {
        this.clock = clock;
        this.model = model;
        this.engine = engine;
        this.speculator = speculator;
        this.sequence = engine.sequence(engine.contextLength());
    }

    /**
     * @param contextLength tokens that a prompt and its answer may have together, 2 to what the model was made for
     * @param cacheType     of keys and values, F32, F16 or Q8_0
     */
    public static Session open(LanguageModel model, int contextLength, DType cacheType) { return open(model, contextLength, cacheType, Speculation.NONE); }

    /** A session that guesses; throws {@link IllegalArgumentException} where the model is recurrent, whose states know no way back from a wrong guess. */
    public static Session open(LanguageModel model, int contextLength, DType cacheType, Speculation speculation) {
        return open(model, contextLength, cacheType, speculation, System::nanoTime);
    }

    /** @param clock nanoseconds, as {@link System#nanoTime} counts them */
    static Session open(LanguageModel model, int contextLength, DType cacheType, Speculation speculation, LongSupplier clock) {
        var engine = new Engine(model, contextLength, contextLength, cacheType);
        try {
            return new Session(model, engine, new Speculator(speculation, model, engine, contextLength, cacheType, clock), clock);
        } catch (RuntimeException unfit) {
            engine.close();
            throw unfit;
        }
    }

    /**
     * Writes the answer to a prompt.
     *
     * @param onPiece called for every piece, on this thread; what it throws ends the answer and comes out here
     * @throws ContextFullException where the prompt leaves no room for an answer
     */
    public GenerationResult generate(GenerationRequest request, Consumer<Piece> onPiece) {
        var generation = new Generation(request, onPiece, model.tokenizer(), engine);
        running = generation;
        try {
            generation.start(sequence);
            while (!generation.ended()) {
                if (generation.writing()) speculator.guess(List.of(generation), 0);
                int rows = generation.writing() ? sequence.pending() : Math.min(sequence.pending(), Engine.PREFILL_ROWS);
                boolean fits = sequence.reserve(sequence.cached() + rows), last = rows == sequence.pending();
                assert fits : "the cache is as large as the context";
                var runs = List.of(new Engine.Run(sequence, rows, last ? generation.rowsToAccept() : 0, generation.deciding()));
                long start = clock.getAsLong();
                var logits = engine.step(runs);
                if (generation.writing()) speculator.measured(rows, clock.getAsLong() - start);
                else speculator.follow(runs);
                if (last) generation.accept(logits, 0);
            }
            return generation.result();
        } finally {
            running = null;
            sequence.truncate(sequence.cached());
        }
    }

    /** Ends the answer being written at its next step; without one, does nothing. Any thread. */
    public void cancel() {
        var generation = running;
        if (generation != null) generation.cancel();
    }

    @Override public void close() {
        speculator.close();
        engine.close();
    }
}
