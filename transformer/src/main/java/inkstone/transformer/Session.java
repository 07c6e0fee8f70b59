package inkstone.transformer;

import inkstone.tensor.DType;
import inkstone.transformer.GenerationResult.Finish;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/**
 * One conversation with a model: keeps its cache between answers and reads only what of the next prompt is new to it. Owns the cache, not the model. One
 * thread at a time, which must be the one that may use the backend; only {@link #cancel} may be called from another.
 *
 * <p>Context: a prompt that leaves no room for one more token is refused with {@link ContextFullException}; an answer that reaches the end of the context
 * ends there with {@link Finish#LENGTH}. Nothing is ever dropped from a prompt in silence.
 */
public final class Session implements AutoCloseable {
    /** Beyond this a step's rows cost more than any text repeats itself. */
    public static final int MOST_GUESSES = 64;

    /** Tokens that were guessed during an answer, and those that were right. */
    public record Guesses(int made, int right) {
        static final Guesses NONE = new Guesses(0, 0);
    }

    private final LanguageModel model;
    private final Engine engine;
    private final Sequence sequence;
    private final int lookup;
    private Guesses guesses = Guesses.NONE;
    private volatile Generation running;

    private Session(LanguageModel model, Engine engine, int lookup) {
        this.model = model;
        this.lookup = engine.cache().recurrent() ? 0 : lookup;
        this.engine = engine;
        this.sequence = engine.sequence(engine.contextLength());
    }

    /**
     * @param contextLength tokens that a prompt and its answer may have together, 2 to what the model was made for
     * @param cacheType     of keys and values, F32, F16 or Q8_0
     */
    public static Session open(LanguageModel model, int contextLength, DType cacheType) { return open(model, contextLength, cacheType, 0); }

    /**
     * A session that guesses: up to {@code lookup} tokens that followed the last ones earlier in the text run in the same step, and as many are taken as the sampler
     * chooses of itself. Every token is drawn from the model's own distribution after the tokens before it, with as many random numbers as without guesses, so the text
     * of a seed is the same, up to the last bits in which logits of one row and of several may differ.
     *
     * <p>A recurrent model never guesses: its states know no way back from a wrong one.
     *
     * @param lookup most tokens to guess at once, 0 to {@value #MOST_GUESSES}; 0 guesses never
     */
    public static Session open(LanguageModel model, int contextLength, DType cacheType, int lookup) {
        if (lookup < 0 || lookup > MOST_GUESSES) throw new IllegalArgumentException("tokens to guess must be 0 to %d, got %d".formatted(MOST_GUESSES, lookup));
        return new Session(model, new Engine(model, contextLength, contextLength, cacheType), lookup);
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
            boolean fits = sequence.reserve(sequence.length() + generation.maxTokens());
            assert fits : "the cache is as large as the context";
            guesses = Guesses.NONE;
            int end = sequence.length() + generation.maxTokens();
            while (!generation.ended()) {
                int from = lookup > 0 && generation.writing() ? NgramLookup.continuation(sequence.tokens(), sequence.length()) : -1;
                if (from >= 0) {
                    guess(generation, from, Math.min(lookup, end - 1 - sequence.length()));
                    continue;
                }
                int rows = Math.min(sequence.pending(), Engine.PREFILL_ROWS);
                boolean last = rows == sequence.pending();
                var logits = engine.step(List.of(new Engine.Run(sequence, rows, last ? 1 : 0)));
                if (last && !generation.ended()) generation.accept(logits, 0);
            }
            return generation.result();
        } finally {
            running = null;
            sequence.truncate(sequence.cached());
        }
    }

    /** One step for the last token and {@code count} guesses after it, which stand in the text from {@code from} on. */
    private void guess(Generation generation, int from, int count) {
        int start = sequence.length(), right = 0;
        for (int i = 0; i < count; i++) sequence.append(sequence.tokens()[from + i]);                 // may go on into the guesses themselves: a text that repeats itself
        int[] guessed = Arrays.copyOfRange(sequence.tokens(), start, start + count);
        var logits = engine.step(List.of(new Engine.Run(sequence, count + 1, count + 1)));
        sequence.retract(count);
        try {
            for (int row = 0; row <= count && !generation.ended(); row++) {
                generation.accept(logits, row * engine.vocabulary());
                boolean asGuessed = row < count && sequence.length() > start + row && sequence.tokens()[start + row] == guessed[row];
                if (!asGuessed) break;
                right++;
            }
        } finally {
            sequence.settle(start + right);
            guesses = new Guesses(guesses.made + count, guesses.right + right);
        }
    }

    /** Of the last answer; all zero without {@code lookup}. */
    public Guesses guesses() { return guesses; }

    /** Ends the answer being written at its next step; without one, does nothing. Any thread. */
    public void cancel() {
        var generation = running;
        if (generation != null) generation.cancel();
    }

    @Override public void close() { engine.close(); }
}
