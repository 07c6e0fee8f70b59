package inkstone.transformer.tune;

import inkstone.tensor.Backend;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.train.Trainer;
import inkstone.tensor.train.TrainingEvent;
import inkstone.transformer.Packed;
import inkstone.transformer.train.LanguageLoss;
import inkstone.transformer.train.LanguageTask;
import inkstone.transformer.train.TokenBatch;
import inkstone.transformer.train.TokenBatches;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * A model learns which label a text has, from the hidden state of its last token, by cross-entropy. The target of a text's last row is the number of its label, the other rows
 * have none. Owns nothing.
 */
final class ClassificationTask implements Trainer.Task<TokenBatch> {
    private final LabelModel model;
    private final Backend backend;
    private final TokenBatches batches;
    private final List<TokenBatch> validation;
    private final LanguageTask.Samples samples;
    private double accuracy = Double.NaN;

    /** @param validation may be empty */
    ClassificationTask(LabelModel model, Backend backend, TokenBatches batches, List<TokenBatch> validation, LanguageTask.Samples samples) {
        this.model = model;
        this.backend = backend;
        this.batches = batches;
        this.validation = List.copyOf(validation);
        this.samples = samples;
    }

    @Override public TokenBatch next() throws IOException { return batches.next(); }
    @Override public int weight(TokenBatch batch) { return batch.learned(); }
    @Override public int size(TokenBatch batch) { return batch.size(); }
    @Override public Tensor loss(Scope scope, TokenBatch batch, float scale) { return LanguageLoss.of(model, scope, batch, scale); }
    @Override public String position() { return batches.position(); }
    @Override public void seek(String position) throws IOException { batches.seek(position); }
    @Override public void sample(long step, Consumer<TrainingEvent> events) throws IOException { samples.write(step, events); }

    @Override public double evaluate() {
        double loss = 0;
        int right = 0, texts = 0;
        try (var scope = Scope.inference(backend)) {
            for (var batch : validation) {
                scope.reset();
                int[] last = IntStream.range(0, batch.size()).filter(row -> batch.targets()[row] >= 0).toArray();
                var logits = model.logits(model.forward(scope.ints(batch.tokens()), Packed.of(scope, batch.lengths())).gatherRows(scope.ints(last)));
                int labels = logits.shape().last();
                var all = logits.toFloats();
                for (int i = 0; i < last.length; i++) {
                    var probabilities = Classifier.softmax(Arrays.copyOfRange(all, i * labels, (i + 1) * labels));
                    int target = batch.targets()[last[i]];
                    loss -= Math.log(Math.max(probabilities[target], Float.MIN_VALUE));
                    if (Classifier.likeliest(probabilities) == target) right++;
                }
                texts += last.length;
            }
        }
        accuracy = (double) right / texts;
        return texts == 0 ? Double.NaN : loss / texts;
    }

    /** Share of the validation texts whose likeliest label is theirs. */
    @Override public double accuracy() { return accuracy; }
}
