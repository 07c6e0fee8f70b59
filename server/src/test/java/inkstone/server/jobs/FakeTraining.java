package inkstone.server.jobs;

import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import inkstone.tensor.train.TrainingEvent.End;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/** Trains nothing: each step takes a permit, the loss is 10 / step, every tenth step is evaluated, and a pause writes down the step. */
public final class FakeTraining implements Training {
    /** One permit, one step. */
    public final Semaphore permits = new Semaphore(0);
    public final AtomicInteger running = new AtomicInteger(), mostAtOnce = new AtomicInteger();
    public volatile int failAt = -1;
    public volatile boolean fits = true;
    public volatile Path loaded;

    public static TuneSettings settings(String title, String data, int steps) {
        return new TuneSettings(title, "fake", data, "", TuneSettings.Method.LORA, 16, 32, 0.05, List.of(), 3, steps, 2e-4, 2_048, 0, 0.1, 0);
    }

    @Override public List<BaseModel> models() { return List.of(new BaseModel("fake", "Fake 1", "F32", 12, 48, List.of(TuneSettings.Method.LORA, TuneSettings.Method.FULL))); }

    @Override public String device(TuneSettings settings) { return "cpu"; }

    @Override public DataSummary report(Path data, TuneSettings settings) throws IOException {
        int lines = Files.readAllLines(data).size();
        if (lines > 1_000) throw new IllegalArgumentException("too many lines");
        return new DataSummary("text", List.of(new DataSummary.Format("text", "Plain text")), lines, 7L * lines, 5L * lines, lines / 10, new DataSummary.Lengths(1, 7, 9, List.of(lines)), List.of(),
            List.of(List.of(new DataSummary.Span("a", false), new DataSummary.Span("b", true))), List.of());
    }

    @Override public Plan plan(Path data, TuneSettings settings) { return new Plan(settings, settings.maxSteps(), 12, 4, 2_000, fits ? 3_000 : 1_000, fits ? null : "needs 2,000 bytes of 1,000"); }

    @Override public TrainingJob job(Run run) { return (control, events) -> train(run, control, events); }

    private void train(Run run, TrainingControl control, Consumer<TrainingEvent> events) throws IOException {
        mostAtOnce.accumulateAndGet(running.incrementAndGet(), Math::max);
        try {
            var checkpoint = run.folder().resolve("step");
            long step = Files.exists(checkpoint) ? Long.parseLong(Files.readString(checkpoint)) : 0, steps = run.settings().maxSteps();
            events.accept(new TrainingEvent.Started("Fake 1 with LoRA", step, steps, 12, 4, 2_000));
            while (step < steps) {
                while (!permits.tryAcquire(2, TimeUnit.MILLISECONDS) && !control.pauseRequested() && !control.cancelRequested()) { }
                if (control.cancelRequested()) { events.accept(new TrainingEvent.Finished(step, End.CANCELLED)); return; }
                if (control.pauseRequested()) { save(checkpoint, step, events); events.accept(new TrainingEvent.Finished(step, End.PAUSED)); return; }
                if (++step == failAt) throw new IOException("the disk is full");
                events.accept(new TrainingEvent.Step(step, steps, 10.0 / step, 1e-4, 1, 100, step * 64, steps - step));
                if (step % 10 == 0) {
                    events.accept(new TrainingEvent.Evaluation(step, 11.0 / step));
                    save(checkpoint, step, events);
                }
            }
            events.accept(new TrainingEvent.Finished(step, End.COMPLETE));
        } catch (InterruptedException e) {
            throw new IOException(e);
        } finally {
            running.decrementAndGet();
        }
    }

    private static void save(Path checkpoint, long step, Consumer<TrainingEvent> events) throws IOException {
        Files.writeString(checkpoint, Long.toString(step));
        events.accept(new TrainingEvent.Saved(step, checkpoint));
    }

    @Override public void compare(Run run, Question question, BiConsumer<Side, String> pieces, BooleanSupplier cancelled) {
        for (var side : Side.values()) for (var word : List.of("I am ", side.name())) pieces.accept(side, word);
    }

    @Override public List<Export> exports(Run run) { return List.of(new Export("gguf-lora", "GGUF LoRA", "for llama.cpp", "tuned é.gguf")); }

    @Override public void export(Run run, String export, Path out) throws IOException { Files.writeString(out, "made of " + Files.readString(run.folder().resolve("step"))); }

    @Override public void load(Run run) { loaded = run.folder(); }

    @Override public void unload() { loaded = null; }
}
