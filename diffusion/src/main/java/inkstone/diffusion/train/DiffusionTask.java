package inkstone.diffusion.train;

import inkstone.diffusion.dit.Dit;
import inkstone.diffusion.sampling.Objective;
import inkstone.tensor.Backend;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.train.Trainer;
import inkstone.tensor.train.TrainingEvent;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/** A network learns to take noise out of captioned pictures: the weighted mean square of its error, over pixels and pictures. */
final class DiffusionTask implements Trainer.Task<PictureBatch> {
    /** Levels of noise at which each validation picture is judged. */
    private static final double[] SHARES = {0.1, 0.3, 0.5, 0.7, 0.9};
    private static final long VALIDATION_SEED = 0xD1F;

    /** What the network paints now. */
    interface Samples { void paint(long step, Consumer<TrainingEvent> events) throws IOException; }

    private final Dit dit;
    private final Objective objective;
    private final Backend backend;
    private final PictureBatches batches;
    private final List<List<Captioned>> validation;
    private final Samples samples;
    private final double[] losses = new double[SHARES.length];

    /** @param validation pictures to judge by, some at a time; may be empty */
    DiffusionTask(Dit dit, Objective objective, Backend backend, PictureBatches batches, List<List<Captioned>> validation, Samples samples) {
        this.dit = dit;
        this.objective = objective;
        this.backend = backend;
        this.batches = batches;
        this.validation = validation;
        this.samples = samples;
    }

    @Override public PictureBatch next() { return batches.next(); }
    @Override public int weight(PictureBatch batch) { return batch.count(); }
    @Override public int size(PictureBatch batch) { return batch.count(); }
    @Override public String position() { return batches.position(); }
    @Override public void seek(String position) { batches.seek(position); }
    @Override public boolean judgesAverage() { return true; }

    @Override public Tensor loss(Scope scope, PictureBatch batch, float scale) { return loss(dit, scope, batch, scale); }

    static Tensor loss(Dit dit, Scope scope, PictureBatch batch, float scale) {
        var config = dit.config();
        int rows = batch.count() * config.tokens(), width = config.patchNumbers();
        var error = dit.forward(scope.floats(batch.input(), rows, width), batch.times(), dit.read(scope, batch.prompts())).add(scope.floats(batch.target(), rows, width));
        var weights = new float[batch.count() * width];
        for (int i = 0; i < weights.length; i++) weights[i] = (float) (batch.weights()[i / width] - 1);
        return error.mul(error).modulate(scope.floats(weights, batch.count(), width), null).sum().scale(scale / (config.tokens() * width));
    }

    @Override public double evaluate() {
        if (validation.isEmpty()) return Double.NaN;
        Arrays.fill(losses, 0);
        long count = 0;
        try (var scope = Scope.inference(backend)) {
            for (int part = 0; part < validation.size(); part++) {
                var pictures = validation.get(part);
                count += pictures.size();
                for (int level = 0; level < SHARES.length; level++) {
                    var noises = new double[pictures.size()];
                    Arrays.fill(noises, objective.spread(SHARES[level]));
                    scope.reset();
                    losses[level] += loss(scope, batches.batch(pictures, noises, new SplittableRandom(VALIDATION_SEED + part)), 1).toFloats()[0];
                }
            }
        }
        for (int level = 0; level < losses.length; level++) losses[level] /= count;
        return Arrays.stream(losses).average().orElseThrow();
    }

    @Override public void sample(long step, Consumer<TrainingEvent> events) throws IOException {
        if (!validation.isEmpty()) {
            for (int level = 0; level < SHARES.length; level++) events.accept(new TrainingEvent.Measure(step, String.format(Locale.ROOT, "loss at noise %.2f", objective.spread(SHARES[level])), losses[level]));
        }
        samples.paint(step, events);
    }
}
