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
 * Runs the training of two networks against each other: in every step the discriminator learns, then the generator, of which a moving average is kept. As with {@link Trainer}, the same seed,
 * task, backend and number of threads give the same losses to the last bit, also when a run was killed and resumed. Owns the average, not parameters and optimizers. One thread.
 */
public final class AdversarialTrainer implements AutoCloseable {
    /** What is learned from, and how the two judge each other. All that a step draws is a function of its number. */
    public interface Task {
        /** Pictures (or whatever is made) of a step, for the speed. */
        int size();

        /** Draws what the step needs. */
        void begin(long step) throws IOException;

        /** F32 [1]: mean loss of the discriminator; what carries back nothing to it must not learn. */
        Tensor discriminator(Scope scope) throws IOException;

        /** F32 [1]: mean loss of the generator, after the discriminator's step. */
        Tensor generator(Scope scope) throws IOException;

        /** What the generator makes now, at an evaluation, with the average's parameters; and what else there is to tell. */
        void evaluate(long step, Consumer<TrainingEvent> events) throws IOException;

        /** Numbers to go on from: name -> value. */
        Map<String, String> numbers();

        /** Takes back what {@link #numbers} gave. */
        void resume(Map<String, String> numbers);
    }

    /** One of the two. What does not learn, such as the running statistics of norms, is kept beside its parameters. */
    public record Player(Parameters parameters, Map<String, Tensor> fixed, Optimizer optimizer, Schedule schedule) {}

    /**
     * @param steps         to take in all
     * @param average       decay of the generator's moving average, such as 0.999
     * @param evaluateEvery steps; also at the start and the end
     */
    public record Settings(String what, long steps, double average, long evaluateEvery, long saveEvery, long seed) {
        public Settings {
            if (steps < 1) throw new IllegalArgumentException("steps: expected 1 or more, got " + steps);
            if (!(average >= 0 && average < 1)) throw new IllegalArgumentException("average: expected a decay of 0 to below 1, got " + average);
            if (evaluateEvery < 1 || saveEvery < 1) throw new IllegalArgumentException("evaluations and checkpoints: expected every 1 or more steps");
        }
    }

    private final Backend backend;
    private final Player generator, discriminator;
    private final Settings settings;
    private final Path checkpoint;
    private final Map<String, Tensor> averages = new LinkedHashMap<>();
    private final List<MemorySegment> owned = new ArrayList<>();
    private final Scope scope;
    private long step, seen;

    /** @param folder where the checkpoint is kept; it exists */
    public AdversarialTrainer(Backend backend, Player generator, Player discriminator, Settings settings, Path folder) {
        this.backend = backend;
        this.generator = generator;
        this.discriminator = discriminator;
        this.settings = settings;
        this.checkpoint = Trainer.checkpoint(folder);
        this.scope = Scope.training(backend);
        generator.parameters.tensors().forEach((name, parameter) -> averages.put(name, copyOf(parameter)));
    }

    private Tensor copyOf(Tensor parameter) {
        var memory = backend.allocate(parameter.data().byteSize());
        owned.add(memory);
        backend.copy(memory, parameter.data());
        return Tensor.of(DType.F32, memory, parameter.shape().toArray());
    }

    /** The generator's moving averages, by the names of its parameters: what is looked at and kept. */
    public Map<String, Tensor> averages() { return averages; }

    /** Trains until the last step or a request, from the folder's checkpoint where there is one. */
    public End run(Task task, TrainingControl control, long predictedBytes, Consumer<TrainingEvent> events) throws IOException {
        NewFile.sweep(checkpoint);
        if (Files.exists(checkpoint)) resume(task);
        long count = generator.parameters.count() + discriminator.parameters.count(), saved = step;
        events.accept(new TrainingEvent.Started(settings.what, step, settings.steps, count, count, predictedBytes));
        if (step == 0) evaluate(task, events);
        var speed = new Speed();
        End end = step >= settings.steps ? End.COMPLETE : null;
        while (end == null) {
            if (control.cancelRequested()) return finished(End.CANCELLED, events);
            if (control.pauseRequested()) {
                end = End.PAUSED;
                break;
            }
            step(task, speed, events);
            if (step % settings.evaluateEvery == 0 || step == settings.steps) {
                evaluate(task, events);
                speed.restart();
            }
            if (step == settings.steps) end = End.COMPLETE;
            if (end == null && step - saved >= settings.saveEvery) {
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

    private interface Loss { Tensor of(Scope scope) throws IOException; }

    private void step(Task task, Speed speed, Consumer<TrainingEvent> events) throws IOException {
        step++;
        task.begin(step);
        double judged = turn(discriminator, task::discriminator, "discriminator", 0), made = turn(generator, task::generator, "generator", 1), norm = generator.parameters.gradientNorm();
        float share = (float) (1 - Math.min(settings.average, (step + 1.0) / (step + 10.0)));
        averages.forEach((name, average) -> backend.kernels().average(average, generator.parameters.tensors().get(name), share));
        seen += task.size();
        speed.add(task.size());
        events.accept(new TrainingEvent.Step(step, settings.steps, made, generator.schedule.rate(step), norm, speed.perSecond(), seen, speed.secondsLeft(settings.steps - step)));
        if (step % settings.evaluateEvery == 0 || step == settings.steps) events.accept(new TrainingEvent.Measure(step, "discriminator's loss", judged));
    }

    private double turn(Player player, Loss loss, String who, int number) throws IOException {
        player.parameters.clearGradients();
        scope.reset();
        scope.seed(settings.seed + 2 * step + number);
        var mean = loss.of(scope);
        scope.backward(mean);
        double value = mean.toFloats()[0];
        if (!Double.isFinite(value)) {
            throw new ModelException("step %d: the %s's loss is %s, which cannot be learned from; resume with a lower learning rate (now %.3g)".formatted(step, who, value, player.schedule.rate(step)));
        }
        player.optimizer.step(Math.toIntExact(step), player.schedule.rate(step), 1);
        return value;
    }

    private void evaluate(Task task, Consumer<TrainingEvent> events) throws IOException {
        scope.reset();
        task.evaluate(step, events);
    }

    // ---- checkpoints -------------------------------------------------------------------------------------------------------------------------------

    private void save(Task task, Consumer<TrainingEvent> events) throws IOException {
        var numbers = new LinkedHashMap<>(task.numbers());
        numbers.put("step", Long.toString(step));
        numbers.put("seen", Long.toString(seen));
        new TrainingState(everything(), numbers).write(checkpoint, backend);
        events.accept(new TrainingEvent.Saved(step, checkpoint));
    }

    private Map<String, Tensor> everything() {
        var tensors = new LinkedHashMap<String, Tensor>();
        put(tensors, "generator:", generator);
        put(tensors, "discriminator:", discriminator);
        averages.forEach((name, tensor) -> tensors.put("average:" + name, tensor));
        return tensors;
    }

    private static void put(Map<String, Tensor> tensors, String prefix, Player player) {
        player.parameters.tensors().forEach((name, tensor) -> tensors.put(prefix + name, tensor));
        player.fixed.forEach((name, tensor) -> tensors.put(prefix + name, tensor));
        player.optimizer.states().forEach((name, tensor) -> tensors.put(prefix + name, tensor));
    }

    private void resume(Task task) throws IOException {
        var numbers = TrainingState.read(checkpoint, everything(), backend);
        try {
            step = Long.parseLong(numbers.get("step"));
            seen = Long.parseLong(numbers.get("seen"));
            task.resume(numbers);
        } catch (NumberFormatException | NullPointerException e) {
            throw new ModelException("%s: the numbers of the checkpoint are damaged: %s".formatted(checkpoint, numbers), e);
        }
    }

    public long step() { return step; }

    /** Bytes of activations and gradients that the steps so far needed. */
    public long activationBytes() { return scope.bytes(); }

    @Override public void close() {
        scope.close();
        owned.forEach(backend::free);
        owned.clear();
    }
}
