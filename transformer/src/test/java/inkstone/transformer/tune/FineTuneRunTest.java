package inkstone.transformer.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.train.Schedule;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import inkstone.tensor.train.TrainingEvent.End;
import inkstone.transformer.Converter;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.Models;
import inkstone.transformer.Packed;
import inkstone.transformer.QuantizationMixture;
import inkstone.transformer.TestData;
import inkstone.transformer.adapters.Adapter;
import inkstone.transformer.adapters.AdapterFile;
import inkstone.transformer.adapters.Merge;
import inkstone.transformer.train.TrainingLog;
import inkstone.transformer.tune.FineTuneSettings.Method;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whole runs on stories260K: what learns, what is written, and what happens to runs that are stopped, cancelled or wrong. */
class FineTuneRunTest {
    private static final int[] TOKENS = new Random(3).ints(24, 3, 500).toArray();
    /** Sums in another order; an adapter in the wrong place moves logits by more than 1e-2. */
    private static final double TOLERANCE = 2e-4;

    private final Backend backend = new CpuBackend(2);
    @TempDir private Path folder;

    @AfterEach void close() { backend.close(); }

    private Path written(String name, String row, String... names) throws IOException {
        return Files.writeString(folder.resolve(name), IntStream.range(0, 24).mapToObj(i -> row.formatted(names[i % names.length] + " and " + names[(i * 5 + i / names.length) % names.length], i))
            .collect(Collectors.joining("\n")));
    }

    private Path texts() throws IOException { return written("texts.jsonl", "{\"text\": \"%s saw %d red cars today.\"}", "Tom", "Lily", "Ben", "Sue", "Max"); }

    private Path pairs() throws IOException {
        return written("pairs.jsonl", "{\"prompt\": \"%s has %d\", \"chosen\": \"red cars.\", \"rejected\": \"a big dog.\"}", "Tom", "Lily", "Ben", "Sue", "Max");
    }

    private FineTuneSettings settings(Path model, Path data, Method method, int steps, double rate, String out) {
        int batchTokens = method == Method.DPO ? 1_024 : 256;                                                // a pair of answers with their prompt is some 400
        return new FineTuneSettings(model, data, null, method, 4, 8, 0.1f, List.of("all"), 1, steps, rate, Schedule.Shape.CONSTANT, batchTokens, 1, 256, 0.2, 0, 0.1f, false, 1,
            folder.resolve(out));
    }

    private record Told(End end, List<Double> losses, List<TrainingEvent.Evaluation> evaluations) {
        double first() { return evaluations.getFirst().loss(); }
        double best() { return evaluations.stream().skip(1).mapToDouble(TrainingEvent.Evaluation::loss).min().orElseThrow(); }
    }

    private Told run(FineTuneSettings settings) throws IOException { return run(settings, new TrainingControl(), _ -> {}); }

    private Told run(FineTuneSettings settings, TrainingControl control, Consumer<TrainingEvent> also) throws IOException {
        var losses = new ArrayList<Double>();
        var evaluations = new ArrayList<TrainingEvent.Evaluation>();
        try (var run = FineTuneRun.open(settings, backend, (_, _) -> {})) {
            var end = run.run(control, event -> {
                if (event instanceof TrainingEvent.Step step) losses.add(step.loss());
                if (event instanceof TrainingEvent.Evaluation evaluation) evaluations.add(evaluation);
                also.accept(event);
            });
            return new Told(end, losses, evaluations);
        }
    }

    private float[] logits(LanguageModel model) {
        try (var scope = Scope.inference(backend)) { return model.model().logits(model.model().forward(scope.ints(TOKENS), Packed.of(scope, TOKENS.length))).toFloats(); }
    }

    private float[] logits(Path file) throws IOException {
        try (var model = Models.open(file, backend)) { return logits(model); }
    }

    private float[] logits(Path file, Path adapter) throws IOException {
        try (var model = Models.open(file, backend)) { return logits(model.adapted(Adapter.together(List.of(new Adapter.Use(Adapter.open(adapter, model), 1)), backend))); }
    }

    private Path labelled() throws IOException {
        return Files.writeString(folder.resolve("labelled.csv"), "text,label\n" + IntStream.range(0, 40)
            .mapToObj(i -> i % 2 == 0 ? "The %d big dogs ran to the park.,dog".formatted(i) : "Lily gave milk to her %d little cats.,cat".formatted(i)).collect(Collectors.joining("\n")));
    }

    @ParameterizedTest @EnumSource(value = Method.class, names = {"LORA", "FULL"}) void textsWithLabelsMakeAClassifier(Method method) throws IOException {
        var settings = settings(TestData.stories(), labelled(), method, 10, method == Method.FULL ? 2e-3 : 1e-2, "classes");
        var told = run(settings);
        assertEquals(Math.log(2), told.first(), 1e-6, "a head of zeros knows nothing");
        assertTrue(told.best() < 0.2, told.toString());
        assertEquals(1, told.evaluations.getLast().accuracy());
        try (var classifier = Classifier.open(settings.out(), method == Method.FULL ? null : settings.model(), backend)) {
            assertEquals(List.of("cat", "dog"), classifier.labels());
            var found = classifier.probabilities(List.of("The 77 big dogs ran to the park.", "Lily gave milk to her 78 little cats."));
            assertEquals(1, Classifier.likeliest(found.get(0)));
            assertEquals(0, Classifier.likeliest(found.get(1)));
            assertEquals(1, found.get(0)[0] + found.get(0)[1], 1e-6);
        }
        if (method == Method.LORA) {
            assertTrue(assertThrows(ModelException.class, () -> Classifier.open(settings.out(), null, backend)).getMessage().contains("-m"));
            assertTrue(assertThrows(ModelException.class, () -> Classifier.open(folder, settings.model(), backend)).getMessage().contains(Classifier.FILE));
        }
    }

    @Test void anAdapterLearnsAndIsTheSameInEveryFile() throws IOException {
        var settings = settings(TestData.stories(), texts(), Method.LORA, 6, 1e-2, "lora");
        var told = run(settings);
        assertEquals(End.COMPLETE, told.end);
        assertTrue(told.best() < told.first() - 0.5, told.toString());
        Path peft = settings.out().resolve(FineTuneRun.PEFT), gguf = settings.out().resolve(FineTuneRun.GGUF_LORA), merged = folder.resolve("merged.gguf");
        Merge.toGguf(TestData.stories(), List.of(new AdapterFile(gguf, 1)), merged, QuantizationMixture.F32, 1, (_, _, _) -> {});
        var expected = logits(merged);
        assertTrue(TestData.largestDifference(logits(TestData.stories()), expected) > 0.1);
        assertTrue(TestData.largestDifference(expected, logits(TestData.stories(), peft)) < TOLERANCE);
        assertTrue(TestData.largestDifference(expected, logits(TestData.stories(), gguf)) < TOLERANCE);
        /* The same validation part finds the merged model as good as the best step of the run. */
        assertEquals(told.best(), run(settings(merged, settings.data(), Method.LORA, 1, 1e-9, "again")).first(), 1e-5);
    }

    @ParameterizedTest @EnumSource(names = {"Q8_0", "Q4_0"})
    void anAdapterLearnsBesideQuantizedWeights(DType format) throws IOException {
        var model = folder.resolve("quantized.gguf");
        Converter.convert(TestData.stories(), model, format, 1, (_, _, _) -> {});
        var told = run(settings(model, texts(), Method.LORA, 4, 1e-2, "quantized"));
        assertTrue(told.best() < told.first() - 0.3, told.toString());
    }

    @Test void aWholeModelLearnsAndIsWritten() throws IOException {
        var settings = settings(TestData.stories(), texts(), Method.FULL, 4, 1e-3, "full");
        var told = run(settings);
        assertTrue(told.best() < told.first() - 0.3, told.toString());
        var model = settings.out().resolve(FineTuneRun.MODEL);
        assertEquals(told.best(), run(settings(model, settings.data(), Method.LORA, 1, 1e-9, "again")).first(), 1e-5);
    }

    @ParameterizedTest @EnumSource(Method.class)
    void whatARunLearnsAndNeedsIsKnownBefore(Method method) throws IOException {
        var settings = settings(TestData.stories(), method == Method.DPO ? pairs() : texts(), method, 1, 1e-2, "counted");
        long learning, needed;
        try (var model = Models.open(settings.model(), backend)) {
            var need = FineTuneRun.need(settings, model, FineTuneRun.read(settings, model, (_, _) -> {}), backend);
            learning = need.learning();
            needed = need.total();
        }
        try (var run = FineTuneRun.open(settings, backend, (_, _) -> {})) {
            assertEquals(run.trainable(), learning);
            run.run(new TrainingControl(), event -> {
                if (event instanceof TrainingEvent.Started started) assertEquals(needed, started.predictedBytes(), 0.25 * needed);     // Java's heap may have grown between the two
            });
        }
    }

    @Test void anAnswerIsPreferred() throws IOException {
        var told = run(settings(TestData.stories(), pairs(), Method.DPO, 4, 1e-2, "dpo"));
        assertEquals(0.5, told.evaluations.getFirst().accuracy());
        assertEquals(Math.log(2), told.first(), 1e-6);
        assertEquals(1, told.evaluations.getLast().accuracy());
        assertTrue(Files.exists(folder.resolve("dpo").resolve(FineTuneRun.GGUF_LORA)));
    }

    @Test void aPausedRunGoesOnAsIfNothingHadBeen() throws IOException {
        var whole = run(settings(TestData.stories(), texts(), Method.LORA, 4, 1e-2, "whole"));
        var paused = settings(TestData.stories(), texts(), Method.LORA, 4, 1e-2, "paused");
        var control = new TrainingControl();
        assertEquals(End.PAUSED, run(paused, control, event -> { if (event instanceof TrainingEvent.Step step && step.step() == 2) control.pause(); }).end);
        assertEquals(End.COMPLETE, run(paused).end);
        assertEquals(4, whole.losses.size());
        assertEquals(whole.losses, TrainingLog.losses(paused.out()));
        var gguf = FineTuneRun.GGUF_LORA;
        assertEquals(-1, Files.mismatch(folder.resolve("whole").resolve(gguf), paused.out().resolve(gguf)));
    }

    @Test void aCancelledRunLeavesNoResultAndOtherDataIsRefused() throws IOException {
        var settings = settings(TestData.stories(), texts(), Method.LORA, 4, 1e-2, "stopped");
        var control = new TrainingControl();
        assertEquals(End.CANCELLED, run(settings, control, event -> { if (event instanceof TrainingEvent.Saved) control.cancel(); }).end);
        for (var result : List.of(FineTuneRun.PEFT, FineTuneRun.GGUF_LORA, FineTuneRun.MODEL)) assertFalse(Files.exists(settings.out().resolve(result)), result);
        var others = written("others.jsonl", "{\"text\": \"%s went home at %d.\"}", "Tom", "Lily", "Ben");
        refused("begun with other data", settings(TestData.stories(), others, Method.LORA, 4, 1e-2, "stopped"));
    }

    @Test void dataThatTheMethodDoesNotLearnFromIsRefused() throws IOException {
        refused("preference data, which lora does not learn from; what does: dpo", settings(TestData.stories(), pairs(), Method.LORA, 1, 0, "x"));
        refused("text data, which dpo does not learn from; what does: lora, dora, full", settings(TestData.stories(), texts(), Method.DPO, 1, 0, "x"));
        refused("labelled data, which dpo does not learn from; what does: lora, dora, full", settings(TestData.stories(), labelled(), Method.DPO, 1, 0, "x"));
    }

    private void refused(String part, FineTuneSettings settings) {
        var problem = assertThrows(ModelException.class, () -> run(settings));
        assertTrue(problem.getMessage().contains(part) && problem.getMessage().lines().count() == 1, problem.getMessage());
    }
}
