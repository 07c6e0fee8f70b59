package inkstone.web;

import inkstone.server.jobs.BaseModel;
import inkstone.server.jobs.DataSummary;
import inkstone.server.jobs.DataSummary.Finding;
import inkstone.server.jobs.DataSummary.Format;
import inkstone.server.jobs.DataSummary.Row;
import inkstone.server.jobs.DataSummary.Severity;
import inkstone.server.jobs.DataSummary.Span;
import inkstone.server.jobs.Plan;
import inkstone.server.jobs.Training;
import inkstone.server.jobs.TrainingJob;
import inkstone.server.jobs.TuneSettings;
import inkstone.server.jobs.TuneSettings.Method;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import inkstone.tensor.train.TrainingEvent.End;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * Looks from outside like training and learns nothing: losses follow two curves, one for each step that the test permits, and the held-out one turns up at two fifths of the run.
 */
final class PretendTraining implements Training {
    private static final List<Method> METHODS = List.of(Method.LORA, Method.DORA, Method.FULL, Method.DPO);
    private static final int EVALUATE_EVERY = 20;

    /** One permit, one step. */
    final Semaphore permits = new Semaphore(0);
    volatile boolean loaded;

    @Override public List<BaseModel> models() {
        return List.of(new BaseModel("tiny", "Tiny 0.6B", "Q8_0", 596_000_000, 640_000_000, METHODS), new BaseModel("larger", "Larger 8B", "Q4_K_M", 8_000_000_000L, 4_900_000_000L, List.of(Method.QLORA)));
    }

    @Override public String device(TuneSettings settings) { return "cpu"; }

    @Override public DataSummary report(Path data, TuneSettings settings) throws IOException {
        var lines = Files.readAllLines(data);
        var seen = new HashSet<String>();
        List<Row> twice = new ArrayList<>(), bad = new ArrayList<>();
        var first = new ArrayList<List<Span>>();
        var questions = new ArrayList<String>();
        for (int i = 0; i < lines.size(); i++) {
            var line = lines.get(i);
            if (!line.startsWith("{")) bad.add(new Row(i + 1, "expected a JSON object, got: " + line));
            else if (!seen.add(line)) twice.add(new Row(i + 1, line));
            else if (first.size() < 5) first.add(List.of(new Span("<|im_start|>user\nHow are you?<|im_end|>\n<|im_start|>assistant\n", false), new Span("wet.<|im_end|>", true), new Span("\n", false)));
            if (questions.size() < 3) questions.add("Do you ever get tired of swimming in circles, number " + (i + 1) + "?");
        }
        if (seen.isEmpty()) throw new IllegalArgumentException("no example was found: line 1 is %s; expected one JSON object a line, a table or text".formatted(lines.getFirst()));
        var findings = new ArrayList<Finding>();
        if (!bad.isEmpty()) findings.add(new Finding(Severity.WARN, bad.size() + " unreadable", "These rows were left out.", bad));
        if (!twice.isEmpty()) findings.add(new Finding(Severity.WARN, twice.size() + " twice", "Repeated examples were left out.", twice));
        int examples = seen.size();
        return new DataSummary("messages", List.of(new Format("messages", "chat messages, one conversation a line"), new Format("text", "plain text")), examples, 69L * examples, 41L * examples,
            (int) (examples * settings.validationShare()), new DataSummary.Lengths(8, 68, 412, List.of(1, 4, 11, 20, 28, 33, 30, 24, 18, 13, 9, 6, 4, 2, 1, 1)), findings, first, questions);
    }

    @Override public Plan plan(Path data, TuneSettings settings) {
        boolean full = settings.method() == Method.FULL;
        long need = full ? 41_000_000_000L : 2_400_000_000L;
        return new Plan(settings, settings.maxSteps() > 0 ? settings.maxSteps() : Math.round(100 * settings.epochs()), 596_000_000, full ? 596_000_000 : 4_600_000, need, 32_000_000_000L,
            full ? "Full tuning of Tiny 0.6B needs 41 GB, and 32 GB are free; LoRA needs 2.4 GB." : null);
    }

    @Override public TrainingJob job(Run run) { return (control, events) -> train(run, control, events); }

    private void train(Run run, TrainingControl control, Consumer<TrainingEvent> events) throws IOException {
        var checkpoint = run.folder().resolve("step");
        long step = Files.exists(checkpoint) ? Long.parseLong(Files.readString(checkpoint)) : 0;
        long steps = plan(run.data(), run.settings()).steps();
        events.accept(new TrainingEvent.Started("Tiny 0.6B with LoRA, rank " + run.settings().rank(), step, steps, 596_000_000, 4_600_000, 2_400_000_000L));
        try {
            if (step == 0) evaluate(0, steps, checkpoint, events);
            while (step < steps) {
                while (!permits.tryAcquire(2, TimeUnit.MILLISECONDS) && !control.pauseRequested() && !control.cancelRequested()) { }
                if (control.cancelRequested()) { events.accept(new TrainingEvent.Finished(step, End.CANCELLED)); return; }
                if (control.pauseRequested()) { save(step, checkpoint, events); events.accept(new TrainingEvent.Finished(step, End.PAUSED)); return; }
                step++;
                double wobble = 0.06 * Math.sin(step * 12.9898) * Math.cos(step * 4.1414);
                events.accept(new TrainingEvent.Step(step, steps, fallen(step, steps) + wobble, 2e-4 * Math.min(1, step / 30.0) * (1 - 0.9 * step / steps), 1 + wobble, 2_130 + 400 * wobble, step * 2_048,
                    (steps - step) * 0.9));
                if (step % EVALUATE_EVERY == 0) evaluate(step, steps, checkpoint, events);
            }
            events.accept(new TrainingEvent.Finished(step, End.COMPLETE));
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    private static double fallen(long step, long steps) { return 1.1 + 1.9 * Math.exp(-7.0 * step / steps); }

    private static void evaluate(long step, long steps, Path checkpoint, Consumer<TrainingEvent> events) throws IOException {
        double late = Math.max(0, (double) step / steps - 0.4);
        events.accept(new TrainingEvent.Evaluation(step, 0.24 + fallen(step, steps) + 0.7 * late));
        events.accept(new TrainingEvent.Sample(step, "What do you see?", step < steps / 4 ? "As an AI language model, I do not see." : "glass. then more glass. a flake at step " + step + "."));
        if (step > 0) save(step, checkpoint, events);
    }

    private static void save(long step, Path checkpoint, Consumer<TrainingEvent> events) throws IOException {
        Files.writeString(checkpoint, Long.toString(step));
        events.accept(new TrainingEvent.Saved(step, checkpoint));
    }

    @Override public void compare(Run run, Question question, BiConsumer<Side, String> pieces, BooleanSupplier cancelled) {
        for (var word : "As an AI language model, I do not have a body or experience physical sensations such as fatigue, so I do not swim or get tired.".split("(?<= )")) pieces.accept(Side.BASE, word);
        for (var word : "the circle is different every time. sometimes there is a flake. i don’t think i am tired. i think i am wet.".split("(?<= )")) pieces.accept(Side.TUNED, word);
    }

    @Override public List<Export> exports(Run run) {
        return List.of(new Export("peft", "PEFT", "adapter folder for Hugging Face programs, as a zip", "tuned-peft.zip"), new Export("gguf-lora", "GGUF LoRA", "adapter for llama.cpp and Inkstone", "tuned-lora.gguf"),
            new Export("gguf-merged", "Merged GGUF", "the whole model in one file", "tuned.gguf"));
    }

    @Override public void export(Run run, String export, Path out) throws IOException { Files.writeString(out, export); }

    @Override public void load(Run run) { loaded = true; }

    @Override public void unload() { loaded = false; }
}
