package inkstone.tensor.train;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.checkpoint.NewFile;
import inkstone.tensor.train.TrainingEvent.End;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Runs a training: steps, evaluation, early stopping, checkpoints. The task supplies the loss and the data; what learns is a set of {@link Parameters}. Given the same seed, task,
 * backend and number of threads every loss is the same to the last bit, also when the run was killed and resumed on the way. Owns its optimizer and averages, not the parameters.
 * One thread.
 */
public final class Trainer implements AutoCloseable {
    /** What is learned from. B is a micro-batch, as much as is carried forward and back at once. */
    public interface Task<B> {
        /** The next micro-batch; moves the position in the data on. */
        B next() throws IOException;

        /** How much this micro-batch counts: its learned tokens, or images. At least 1. */
        int weight(B batch);

        /** Tokens (or images) that are read, for the speed. */
        int size(B batch);

        /** F32 [1]: the sum of the losses of what the micro-batch counts, times {@code scale}. */
        Tensor loss(Scope scope, B batch, float scale);

        /** Mean loss on the validation part; NaN where there is none. Records nothing. */
        double evaluate() throws IOException;

        /** Share that the model decided rightly in the last evaluation; NaN where it decides nothing. */
        default double accuracy() { return Double.NaN; }

        /** Whether evaluations and samples are of the moving average of the parameters, where one is kept. */
        default boolean judgesAverage() { return false; }

        /** What the model makes now, at an evaluation. */
        default void sample(long step, Consumer<TrainingEvent> events) throws IOException {}

        /** Where the data goes on, in a form that {@link #seek} takes. */
        String position();

        void seek(String position) throws IOException;
    }

    /**
     * @param steps         to take in all
     * @param accumulate    micro-batches a step
     * @param clip          largest gradient norm; larger gradients are scaled down to it; 0: as they are
     * @param evaluateEvery steps; also evaluated at the start and the end
     * @param saveEvery     steps between checkpoints
     * @param patience      evaluations without a better loss until the run ends; 0: it does not end early
     * @param average       decay of the exponential moving average of the parameters, such as 0.999; 0: none
     * @param recompute     whether layers are computed twice to save memory
     */
    public record Settings(String what, Schedule schedule, int accumulate, double clip, long evaluateEvery, long saveEvery, int patience, double average, boolean recompute, long seed) {
        public Settings {
            if (accumulate < 1) throw new IllegalArgumentException("micro-batches a step: expected 1 or more, got " + accumulate);
            if (!(clip >= 0)) throw new IllegalArgumentException("clip: expected 0 or more, got " + clip);
            if (evaluateEvery < 1 || saveEvery < 1) throw new IllegalArgumentException("evaluations and checkpoints: expected every 1 or more steps");
            if (!(average >= 0 && average < 1)) throw new IllegalArgumentException("average: expected a decay of 0 to below 1, got " + average);
        }
    }

    private final Backend backend;
    private final Parameters parameters;
    private final Optimizer optimizer;
    private final Settings settings;
    private final Path checkpoint, best;
    private final Map<String, Tensor> averages = new LinkedHashMap<>();
    private final List<MemorySegment> owned = new ArrayList<>();
    private final Scope scope;

    private long step, tokens;
    private double bestLoss = Double.POSITIVE_INFINITY;
    private int evaluationsSinceBest;

    /** @param folder where checkpoints are kept; it exists */
    public Trainer(Backend backend, Parameters parameters, Optimizer optimizer, Settings settings, Path folder) {
        this.backend = backend;
        this.parameters = parameters;
        this.optimizer = optimizer;
        this.settings = settings;
        this.checkpoint = checkpoint(folder);
        this.best = best(folder);
        this.scope = settings.recompute() ? Scope.recomputing(backend) : Scope.training(backend);
        if (settings.average() > 0) parameters.tensors().forEach((name, parameter) -> averages.put("average:" + name, copyOf(parameter)));
    }

    /** The checkpoint that a run in this folder goes on from. */
    public static Path checkpoint(Path folder) { return folder.resolve("checkpoint.gguf"); }

    /** The parameters with the lowest validation loss so far. */
    public static Path best(Path folder) { return folder.resolve("best.gguf"); }

    private Tensor copyOf(Tensor parameter) {
        var memory = backend.allocate(parameter.data().byteSize());
        owned.add(memory);
        backend.copy(memory, parameter.data());
        return Tensor.of(DType.F32, memory, parameter.shape().toArray());
    }

    /**
     * Trains until the last step, an early stop or a request, from the folder's checkpoint where there is one. Afterwards the parameters are the last ones; {@link #useBest} and
     * {@link #useAverage} replace them.
     */
    public <B> End run(Task<B> task, TrainingControl control, long predictedBytes, long modelParameters, Consumer<TrainingEvent> events) throws IOException {
        NewFile.sweep(checkpoint);
        NewFile.sweep(best);
        if (Files.exists(checkpoint)) resume(task);
        long steps = settings.schedule().steps(), saved = step;
        events.accept(new TrainingEvent.Started(settings.what(), step, steps, modelParameters, parameters.count(), predictedBytes));
        if (step == 0) evaluate(task, events);
        var speed = new Speed();
        End end = step >= steps ? End.COMPLETE : null;
        while (end == null) {
            if (control.cancelRequested()) return finished(End.CANCELLED, events);
            if (control.pauseRequested()) {
                end = End.PAUSED;
                break;
            }
            step(task, speed, events);
            if (step % settings.evaluateEvery() == 0 || step == steps) {
                evaluate(task, events);
                if (settings.patience() > 0 && evaluationsSinceBest >= settings.patience()) end = End.STOPPED_EARLY;
                speed.restart();
            }
            if (end == null && step == steps) end = End.COMPLETE;
            if (end == null && step - saved >= settings.saveEvery()) {
                save(task, events);
                saved = step;
                speed.restart();
            }
        }
        save(task, events);
        return finished(end, events);
    }

    private End finished(End end, Consumer<TrainingEvent> events) {
        events.accept(new TrainingEvent.Finished(step, end));
        return end;
    }

    private <B> void step(Task<B> task, Speed speed, Consumer<TrainingEvent> events) throws IOException {
        var batches = new ArrayList<B>();
        long weight = 0, size = 0;
        for (int i = 0; i < settings.accumulate(); i++) {
            var batch = task.next();
            batches.add(batch);
            weight += task.weight(batch);
            size += task.size(batch);
        }
        step++;
        parameters.clearGradients();
        double loss = 0;
        for (int i = 0; i < batches.size(); i++) {
            scope.reset();
            scope.seed(settings.seed() + step * settings.accumulate() + i);
            var part = task.loss(scope, batches.get(i), 1f / weight);
            scope.backward(part);
            loss += part.toFloats()[0];
        }
        double norm = parameters.gradientNorm();
        if (!Double.isFinite(loss) || !Double.isFinite(norm)) {
            throw new ModelException("step %d: the loss is %s and the gradient's norm %s, which cannot be learned from; resume with a lower learning rate (now %.3g)"
                .formatted(step, loss, norm, settings.schedule().rate(step)));
        }
        double rate = settings.schedule().rate(step);
        optimizer.step(Math.toIntExact(step), rate, settings.clip() > 0 && norm > settings.clip() ? (float) (settings.clip() / norm) : 1);
        averages.forEach((name, average) -> backend.kernels().average(average, parameters.tensors().get(name.substring("average:".length())), averageShare()));
        tokens += size;
        speed.add(size);
        events.accept(new TrainingEvent.Step(step, settings.schedule().steps(), loss, rate, norm, speed.perSecond(), tokens, speed.secondsLeft(settings.schedule().steps() - step)));
    }

    /** Early on less of the past is kept, or the average would remember the random start. */
    private float averageShare() { return (float) (1 - Math.min(settings.average(), (step + 1.0) / (step + 10.0))); }

    private <B> void evaluate(Task<B> task, Consumer<TrainingEvent> events) throws IOException {
        if (!task.judgesAverage() || averages.isEmpty()) {
            judge(task, events);
            return;
        }
        exchangeAverages();
        try {
            judge(task, events);
        } finally {
            exchangeAverages();
        }
    }

    /** Parameters become their averages and the other way round. */
    private void exchangeAverages() {
        averages.forEach((name, average) -> {
            var parameter = parameters.tensors().get(name.substring("average:".length()));
            var between = backend.allocate(average.data().byteSize());
            backend.copy(between, average.data());
            backend.copy(average.data(), parameter.data());
            backend.copy(parameter.data(), between);
            backend.synchronize();
            backend.free(between);
        });
    }

    private <B> void judge(Task<B> task, Consumer<TrainingEvent> events) throws IOException {
        scope.reset();
        double loss = task.evaluate();
        if (!Double.isNaN(loss)) {
            events.accept(new TrainingEvent.Evaluation(step, loss, task.accuracy()));
            evaluationsSinceBest++;
            if (loss < bestLoss) {
                bestLoss = loss;
                evaluationsSinceBest = 0;
                if (step > 0) new TrainingState(parameters.tensors(), Map.of("step", Long.toString(step), "loss", Double.toString(loss))).write(best, backend);
            }
        }
        task.sample(step, events);
    }

    // ---- checkpoints -------------------------------------------------------------------------------------------------------------------------------

    private <B> void save(Task<B> task, Consumer<TrainingEvent> events) throws IOException {
        var numbers = new LinkedHashMap<String, String>();
        numbers.put("step", Long.toString(step));
        numbers.put("tokens", Long.toString(tokens));
        numbers.put("best_loss", Double.toString(bestLoss));
        numbers.put("evaluations_since_best", Integer.toString(evaluationsSinceBest));
        numbers.put("position", task.position());
        new TrainingState(everything(), numbers).write(checkpoint, backend);
        events.accept(new TrainingEvent.Saved(step, checkpoint));
    }

    private Map<String, Tensor> everything() {
        var tensors = new LinkedHashMap<>(parameters.tensors());
        tensors.putAll(optimizer.states());
        tensors.putAll(averages);
        return tensors;
    }

    private <B> void resume(Task<B> task) throws IOException {
        var numbers = TrainingState.read(checkpoint, everything(), backend);
        try {
            step = Long.parseLong(numbers.get("step"));
            tokens = Long.parseLong(numbers.get("tokens"));
            bestLoss = Double.parseDouble(numbers.get("best_loss"));
            evaluationsSinceBest = Integer.parseInt(numbers.get("evaluations_since_best"));
            task.seek(numbers.get("position"));
        } catch (NumberFormatException | NullPointerException e) {
            throw new ModelException("%s: the numbers of the checkpoint are damaged: %s".formatted(checkpoint, numbers), e);
        }
    }

    /** Puts the parameters of the lowest validation loss in place of the last ones; false where there was no evaluation. */
    public boolean useBest() throws IOException {
        if (!Files.exists(best)) return false;
        TrainingState.read(best, parameters.tensors(), backend);
        return true;
    }

    /** Puts the moving averages in place of the parameters. */
    public void useAverage() {
        averages.forEach((name, average) -> backend.copy(parameters.tensors().get(name.substring("average:".length())).data(), average.data()));
    }

    /** The lowest validation loss so far; infinite before the first evaluation. */
    public double bestLoss() { return bestLoss; }

    public long step() { return step; }

    /** Bytes of activations and gradients that the steps so far needed. */
    public long activationBytes() { return scope.bytes(); }

    @Override public void close() {
        scope.close();
        optimizer.close();
        owned.forEach(backend::free);
        owned.clear();
    }
}
