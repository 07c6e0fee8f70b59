package inkstone.transformer.tune;

import inkstone.tensor.Backend;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.train.Trainer;
import inkstone.tensor.train.TrainingEvent;
import inkstone.transformer.CausalModel;
import inkstone.transformer.train.LanguageLoss;
import inkstone.transformer.train.LanguageTask;
import inkstone.transformer.train.TokenBatch;
import inkstone.transformer.train.TokenBatches;
import java.io.IOException;
import java.util.List;
import java.util.function.Consumer;

/**
 * A model learns to prefer one answer to another, by direct preference optimisation (Rafailov et al. 2023, arXiv:2305.18290): with p the probability of an answer and r the one
 * that the reference gives it, loss = -ln sigmoid(beta · (ln p_chosen - ln r_chosen - ln p_rejected + ln r_rejected)), a mean over pairs. Sequences of a batch are chosen and
 * rejected in turn. Owns nothing.
 */
final class PreferenceTask implements Trainer.Task<TokenBatch> {
    private final CausalModel model, reference;
    private final Backend backend;
    private final float beta;
    private final TokenBatches batches;
    private final List<TokenBatch> validation;
    private final LanguageTask.Samples samples;
    private double accuracy = Double.NaN;

    /**
     * @param reference  the model as it was before; does not learn
     * @param validation may be empty
     */
    PreferenceTask(CausalModel model, CausalModel reference, Backend backend, float beta, TokenBatches batches, List<TokenBatch> validation, LanguageTask.Samples samples) {
        this.model = model;
        this.reference = reference;
        this.backend = backend;
        this.beta = beta;
        this.batches = batches;
        this.validation = List.copyOf(validation);
        this.samples = samples;
    }

    @Override public TokenBatch next() throws IOException { return batches.next(); }
    @Override public int weight(TokenBatch batch) { return batch.lengths().length / 2; }
    @Override public int size(TokenBatch batch) { return batch.size(); }
    @Override public Tensor loss(Scope scope, TokenBatch batch, float scale) { return margins(scope, batch).scale(-1).map(Elementwise.SOFTPLUS).sum().scale(scale); }
    @Override public String position() { return batches.position(); }
    @Override public void seek(String position) throws IOException { batches.seek(position); }
    @Override public void sample(long step, Consumer<TrainingEvent> events) throws IOException { samples.write(step, events); }

    /** F32 [1, pairs]: beta times how much more than the reference the model prefers the chosen answer. */
    private Tensor margins(Scope scope, TokenBatch batch) {
        int sequences = batch.lengths().length, pairs = sequences / 2;
        float[] before;
        try (var apart = Scope.inference(backend)) { before = LanguageLoss.ofEach(reference, apart, batch).toFloats(); }
        var differences = new float[Math.multiplyExact(pairs, sequences)];
        for (int pair = 0; pair < pairs; pair++) {
            differences[pair * sequences + 2 * pair] = -beta;                                                // of losses, which are -ln p
            differences[pair * sequences + 2 * pair + 1] = beta;
        }
        /* First what has changed of each answer, which is small, then the difference: where nothing has changed the margin is exactly 0. */
        return LanguageLoss.ofEach(model, scope, batch).add(scope.floats(before, 1, sequences).scale(-1)).linear(scope.floats(differences, pairs, sequences), null);
    }

    /** Also counts the pairs whose chosen answer is preferred more than by the reference; where nothing has changed, which is as good as a guess, half. */
    @Override public double evaluate() {
        double loss = 0, right = 0;
        int pairs = 0;
        try (var scope = Scope.inference(backend)) {
            for (var batch : validation) {
                scope.reset();
                var margins = margins(scope, batch);
                for (float margin : margins.toFloats()) right += margin > 0 ? 1 : margin == 0 ? 0.5 : 0;
                for (float each : margins.scale(-1).map(Elementwise.SOFTPLUS).toFloats()) loss += each;
                pairs += weight(batch);
            }
        }
        accuracy = right / pairs;
        return pairs == 0 ? Double.NaN : loss / pairs;
    }

    @Override public double accuracy() { return accuracy; }
}
