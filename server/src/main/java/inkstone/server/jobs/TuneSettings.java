package inkstone.server.jobs;

import java.util.List;

/**
 * What a fine-tuning job is to do, all filled in.
 *
 * @param title           what people call the job
 * @param model           id of a {@link BaseModel}
 * @param data            id of an {@link Upload}
 * @param format          of the data, as {@link DataSummary} names it; empty: found by looking
 * @param rank            of the adapter's matrices; LoRA, QLoRA and DoRA only, as are alpha, dropout and targets
 * @param targets         names of the layers that get an adapter; empty: all linear layers
 * @param epochs          times that the examples are seen
 * @param maxSteps        0: as many as the epochs make
 * @param batchTokens     tokens of one step
 * @param context         tokens of the longest example; 0: what the model and the data allow
 * @param validationShare of the examples that are held out
 */
public record TuneSettings(String title, String model, String data, String format, Method method, int rank, double alpha, double dropout, List<String> targets, double epochs, int maxSteps,
                           double learningRate, int batchTokens, int context, double validationShare, long seed) {
    public enum Method {
        LORA(2e-4), QLORA(2e-4), DORA(2e-4), FULL(5e-5), DPO(5e-5);

        private final double learningRate;

        Method(double learningRate) { this.learningRate = learningRate; }

        /** What usually works: adapters bear ten times the rate of whole models. */
        public double learningRate() { return learningRate; }
    }

    public static final int RANK = 16, BATCH_TOKENS = 2_048;
    public static final double DROPOUT = 0.05, EPOCHS = 3, VALIDATION_SHARE = 0.1;

    TuneSettings titled(String newTitle) {
        return new TuneSettings(newTitle, model, data, format, method, rank, alpha, dropout, targets, epochs, maxSteps, learningRate, batchTokens, context, validationShare, seed);
    }
}
