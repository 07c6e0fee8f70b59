package inkstone.transformer.train;

import inkstone.tensor.Backend;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.train.Trainer;
import inkstone.tensor.train.TrainingEvent;
import inkstone.transformer.CausalModel;
import java.io.IOException;
import java.util.List;
import java.util.function.Consumer;

/** A language model learns to say the next token: cross-entropy on batches, validation on a fixed list of them, and texts as it goes. */
public final class LanguageTask implements Trainer.Task<TokenBatch> {
    /** What the model writes now. */
    public interface Samples { void write(long step, Consumer<TrainingEvent> events) throws IOException; }

    private final CausalModel model, evaluated;
    private final Backend backend;
    private final TokenBatches batches;
    private final List<TokenBatch> validation;
    private final Samples samples;

    /**
     * @param model      with dropout, where it is trained with some
     * @param evaluated  the same parameters without
     * @param validation may be empty
     */
    public LanguageTask(CausalModel model, CausalModel evaluated, Backend backend, TokenBatches batches, List<TokenBatch> validation, Samples samples) {
        this.model = model;
        this.evaluated = evaluated;
        this.backend = backend;
        this.batches = batches;
        this.validation = List.copyOf(validation);
        this.samples = samples;
    }

    @Override public TokenBatch next() throws IOException { return batches.next(); }
    @Override public int weight(TokenBatch batch) { return batch.learned(); }
    @Override public int size(TokenBatch batch) { return batch.tokens().length; }
    @Override public Tensor loss(Scope scope, TokenBatch batch, float scale) { return LanguageLoss.of(model, scope, batch, scale); }
    @Override public String position() { return batches.position(); }
    @Override public void seek(String position) throws IOException { batches.seek(position); }
    @Override public void sample(long step, Consumer<TrainingEvent> events) throws IOException { samples.write(step, events); }

    @Override public double evaluate() {
        double sum = 0;
        long count = 0;
        try (var scope = Scope.inference(backend)) {
            for (var batch : validation) {
                scope.reset();
                sum += LanguageLoss.of(evaluated, scope, batch, 1).toFloats()[0];
                count += batch.learned();
            }
        }
        return count == 0 ? Double.NaN : sum / count;
    }
}
