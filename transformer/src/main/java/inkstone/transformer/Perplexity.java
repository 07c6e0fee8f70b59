package inkstone.transformer;

import inkstone.tensor.DType;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * How surprising a text is to a model: exp of the mean negative log-likelihood of its tokens, 1 where the model knows every token beforehand. The text is cut into
 * consecutive windows, each read from nothing, and the second half of each window is scored, so that every scored token has at least half a window before it. Where
 * the model wants a beginning token it takes the place of each window's first. So does llama.cpp's perplexity tool by default; the figures can be compared.
 *
 * @param value  exp(-mean log p)
 * @param error  one standard error of {@code value}: value · deviation of log p / sqrt(scored - 1), tokens taken as independent
 * @param scored tokens whose likelihood was measured
 */
public record Perplexity(double value, double error, int windows, int scored) {
    /** Most logits that exist at once: 32 MiB of them, whatever window and vocabulary. */
    static final int LOGITS_AT_ONCE = 1 << 23;

    /** Fewest tokens of a window: one is scored. */
    public static final int SHORTEST_WINDOW = 4;

    /**
     * Measures a text; tokens after its last whole window are left out.
     *
     * @param text      token ids
     * @param window    tokens of a window, {@link #SHORTEST_WINDOW} to what the model was made for
     * @param cacheType of keys and values
     * @param progress  told after each window how many are done
     * @throws ArithmeticException where the logits are not numbers
     */
    public static Perplexity of(LanguageModel model, int[] text, int window, DType cacheType, IntConsumer progress) {
        int windows = text.length / window;
        if (window < SHORTEST_WINDOW || windows < 1) {
            throw new IllegalArgumentException("a window needs at least %d tokens and a text at least one window, got windows of %d and a text of %d tokens"
                .formatted(SHORTEST_WINDOW, window, text.length));
        }
        boolean begins = model.tokenizer().addsBos();
        var scores = new Scores();
        try (var engine = new Engine(model, window, window, cacheType)) {
            var sequence = engine.sequence(window);
            for (int i = 0; i < windows; i++) {
                sequence.truncate(0);
                for (int position = 0; position < window; position++) sequence.append(position == 0 && begins ? model.tokenizer().bos() : text[i * window + position]);
                score(engine, sequence, window, scores);
                progress.accept(i + 1);
            }
        }
        return scores.perplexity(windows);
    }

    /** The first half is read for its keys and values only. The last token is not read: nothing after it is scored. */
    private static void score(Engine engine, Sequence sequence, int window, Scores scores) {
        boolean fits = sequence.reserve(window);
        assert fits : "the cache is as large as the window";
        int vocabulary = engine.vocabulary();
        int scoredAtOnce = Math.clamp(LOGITS_AT_ONCE / vocabulary, 1, Engine.PREFILL_ROWS);
        for (int first = window / 2; sequence.cached() < first;) {
            engine.step(List.of(new Engine.Run(sequence, Math.min(first - sequence.cached(), Engine.PREFILL_ROWS), 0)));
        }
        while (sequence.pending() > 1) {
            int rows = Math.min(sequence.pending() - 1, scoredAtOnce);
            int next = sequence.cached() + 1;
            var logits = engine.step(List.of(new Engine.Run(sequence, rows, rows))).values();
            for (int row = 0; row < rows; row++) scores.add(logProbability(logits, row * vocabulary, vocabulary, sequence.tokens()[next + row]));
        }
    }

    /** log softmax of one row at one token, sums in double precision. */
    private static double logProbability(float[] logits, int offset, int vocabulary, int token) {
        float largest = Float.NEGATIVE_INFINITY;
        for (int i = offset; i < offset + vocabulary; i++) largest = Math.max(largest, logits[i]);
        double sum = 0;
        for (int i = offset; i < offset + vocabulary; i++) sum += Math.exp(logits[i] - largest);
        double result = logits[offset + token] - largest - Math.log(sum);
        if (Double.isNaN(result)) throw new ArithmeticException("the model computed logits that are not numbers: its weights are broken or overflow");
        return result;
    }

    private static final class Scores {
        private double sum, squares;
        private int count;

        void add(double logProbability) {
            sum -= logProbability;
            squares += logProbability * logProbability;
            count++;
        }

        Perplexity perplexity(int windows) {
            double mean = sum / count, variance = Math.max(0, squares / count - mean * mean), value = Math.exp(mean);
            return new Perplexity(value, count < 2 ? 0 : value * Math.sqrt(variance / (count - 1)), windows, count);
        }
    }
}
