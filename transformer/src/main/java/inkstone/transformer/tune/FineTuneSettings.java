package inkstone.transformer.tune;

import inkstone.tensor.train.Schedule;
import inkstone.transformer.tune.data.Format;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * How a model is to be fine-tuned.
 *
 * @param model           a GGUF file or a folder
 * @param data            see {@link inkstone.transformer.tune.data.TuneData}
 * @param format          of the data; null: it is recognised
 * @param rank            of the low-rank matrices
 * @param alpha           the change is alpha / rank · b a
 * @param dropout         share of the input that the low-rank part does not see, 0 to below 1
 * @param targets         linear maps that are changed, by the last part of their name, or "all" for those of every layer
 * @param epochs          passes over the examples, where {@code maxSteps} is 0
 * @param learningRate    0: the method's usual one
 * @param batchTokens     most tokens that are carried forward and back at once
 * @param accumulate      such batches a step
 * @param context         most tokens of an example; 0: what the model was made for, at most {@code batchTokens}
 * @param validationShare of the examples, kept back to see whether the model learns or memorises
 * @param patience        evaluations without a better validation loss until the run ends; 0: it does not end early
 * @param beta            of DPO: how strongly the model is kept near the one it began as
 * @param recompute       whether layers are computed twice to save memory
 * @param out             folder for checkpoints and the result
 */
public record FineTuneSettings(Path model, Path data, Format format, Method method, int rank, float alpha, float dropout, List<String> targets, double epochs, int maxSteps,
                               double learningRate, Schedule.Shape schedule, int batchTokens, int accumulate, int context, double validationShare, int patience, float beta,
                               boolean recompute, long seed, Path out) {
    /** What learns. */
    public enum Method {
        /** Low-rank changes beside frozen weights in any format, quantized ones included (Hu et al. 2021, arXiv:2106.09685; Dettmers et al. 2023, arXiv:2305.14314). */
        LORA(2e-4),
        /** The same, with lengths of rows learned apart (Liu et al. 2024, arXiv:2402.09353). */
        DORA(2e-4),
        /** Every weight, as F32. */
        FULL(5e-5),
        /** A low-rank change that prefers one answer to another (Rafailov et al. 2023, arXiv:2305.18290). */
        DPO(5e-5);

        private final double usualRate;

        Method(double usualRate) { this.usualRate = usualRate; }

        /** As people write it. */
        public String label() { return name().toLowerCase(Locale.ROOT); }
    }

    public FineTuneSettings {
        require(rank >= 1 && rank <= 1024, "rank: expected 1 to 1024, got %s", rank);
        require(alpha > 0 && alpha <= 1e6, "alpha: expected above 0, got %s", alpha);
        require(dropout >= 0 && dropout < 1, "dropout: expected 0 to below 1, got %s", dropout);
        require(!targets.isEmpty(), "targets: expected names of linear maps, or all");
        require(maxSteps >= 0 && (maxSteps > 0 || epochs > 0 && epochs <= 1000), "epochs: expected above 0, at most 1000, got %s", epochs);
        require(learningRate >= 0 && learningRate < 10, "learning rate: expected above 0 and below 10, got %s", learningRate);
        require(batchTokens >= 16 && batchTokens <= 1 << 24, "batch tokens: expected 16 or more, got %s", batchTokens);
        require(accumulate >= 1, "accumulate: expected 1 or more, got %s", accumulate);
        require(context == 0 || context >= 8, "context: expected 8 or more tokens, got %s", context);
        require(validationShare >= 0 && validationShare <= 0.5, "validation share: expected 0 to 0.5, got %s", validationShare);
        require(patience >= 0, "patience: expected 0 or more, got %s", patience);
        require(beta > 0 && Float.isFinite(beta), "beta: expected above 0, got %s", beta);
        targets = List.copyOf(targets);
    }

    private static void require(boolean condition, String message, Object... arguments) {
        if (!condition) throw new IllegalArgumentException(message.formatted(arguments));
    }

    /** What suits most: rank 16 on every linear map of the layers, three passes, a tenth kept back. */
    public static FineTuneSettings usual(Path model, Path data, Method method, Path out) {
        return new FineTuneSettings(model, data, null, method, 16, 32, 0, List.of("all"), 3, 0, 0, Schedule.Shape.COSINE, 2048, 1, 0, 0.1, 0, 0.1f, false, 1, out);
    }

    /** The same with another method, or with layers computed twice. */
    FineTuneSettings with(Method other, boolean recomputing) {
        return new FineTuneSettings(model, data, format, other, rank, alpha, dropout, targets, epochs, maxSteps, learningRate, schedule, batchTokens, accumulate, context, validationShare, patience, beta,
            recomputing, seed, out);
    }

    /** The learning rate, or the method's usual one. */
    public double rate() { return learningRate > 0 ? learningRate : method.usualRate; }
}
