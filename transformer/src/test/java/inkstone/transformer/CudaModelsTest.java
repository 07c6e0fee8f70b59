package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.cuda.CudaBackend;
import inkstone.tensor.cuda.SplitBackend;
import inkstone.tensor.cuda.StandIn;
import inkstone.tensor.train.Schedule;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import inkstone.tokenizer.MarkedText;
import inkstone.transformer.train.Pretraining;
import inkstone.transformer.train.PretrainingConfig;
import inkstone.transformer.tune.FineTuneRun;
import inkstone.transformer.tune.FineTuneSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole models on a GPU, or on the stand-in for one: what is written, and what is learned. */
class CudaModelsTest {
    @TempDir private Path folder;

    @BeforeAll static void device() {
        StandIn.require();
    }

    private static CudaBackend cuda() { return new CudaBackend(0, false); }

    @Test void aModelTellsTheExpectedStory() throws IOException {
        try (var backend = cuda()) { StoriesTest.assertTellsTheStory(TestData.stories(), backend); }
    }

    /** Layers 3 and 4 of five, and the head, on the GPU. */
    @Test void aModelThatIsPartlyOnTheGpuTellsTheExpectedStory() throws IOException {
        var footprint = Footprint.of(TestData.stories(), _ -> 256, tokens -> tokens, DType.F32);
        assertEquals(5, footprint.layers());
        assertEquals(2, footprint.fitting(footprint.bytes(2)));
        assertEquals(1, footprint.fitting(footprint.bytes(2) - 1));
        assertEquals(5, footprint.fitting(footprint.bytes()));
        try (var gpu = cuda()) {
            long free = gpu.memory().orElseThrow().free();
            try (var backend = new SplitBackend(new CpuBackend(2), gpu, layer -> layer >= 3, name -> footprint.goes(name, 2), footprint.weights(2));
                 var model = Models.open(TestData.stories(), backend)) {
                assertTrue(free - gpu.memory().orElseThrow().free() < footprint.weights(2) + 100_000);
                StoriesTest.assertTellsTheStory(TestData.stories(), backend);
                assertEquals("cuda+cpu", model.backend().name());
            }
        }
    }

    @Test void severalAnswersAtATimeAreThoseOfTheCpu() throws Exception {
        var settings = new BatchScheduler.Settings(256, 2048, DType.F32, 4, 8);
        var answers = new ArrayList<List<int[]>>();
        for (boolean gpu : new boolean[] {false, true}) {
            var these = new ArrayList<int[]>();
            try (Backend backend = gpu ? cuda() : new CpuBackend(2); var model = Models.open(TestData.stories(), backend); var scheduler = BatchScheduler.start(model, settings)) {
                var tokens = model.tokenizer().encodePrompt(MarkedText.trusted(TestData.storiesText().substring(0, 160)));
                var tickets = new ArrayList<Ticket>();
                for (int length : new int[] {1, 3, 8, 20, 40}) tickets.add(scheduler.submit(Fakes.greedy(Arrays.copyOf(tokens, length), 24), _ -> { }));
                for (var ticket : tickets) these.add(ticket.result().get().tokens());
            }
            answers.add(these);
        }
        for (int i = 0; i < 5; i++) assertArrayEquals(answers.get(0).get(i), answers.get(1).get(i), "answer " + i);
    }

    /** A careful backend runs each step plainly; the other records it. */
    @ParameterizedTest
    @ValueSource(strings = {"F32", "F16"})
    void recordedStepsEqualPlainOnes(DType cacheType) throws IOException {
        var logits = new ArrayList<List<float[]>>();
        for (boolean careful : new boolean[] {true, false}) {
            var these = new ArrayList<float[]>();
            try (var backend = new CudaBackend(0, careful); var model = Models.open(TestData.folder("golden-logits").resolve("llama3-rope").resolve("model.gguf"), backend);
                 var engine = new Engine(model, 64, 256, cacheType)) {
                var sequences = List.of(engine.sequence(40), engine.sequence(40));
                for (int i = 0; i < 2; i++) {
                    sequences.get(i).restart(IntStream.range(i, 36 + i).map(token -> 3 + token * 7 % 50).toArray());
                    assertTrue(sequences.get(i).reserve(36));
                }
                for (int round = 0; round < 5; round++) {
                    these.add(engine.step(List.of(new Engine.Run(sequences.get(0), 1, 1))).values().clone());
                    these.add(engine.step(List.of(new Engine.Run(sequences.get(0), 1, 1), new Engine.Run(sequences.get(1), 2, 2))).values().clone());
                    if (round == 2) these.add(engine.step(List.of(new Engine.Run(sequences.get(1), 20, 1))).values().clone());        // scratch memory may move
                }
            }
            logits.add(these);
        }
        for (int i = 0; i < logits.getFirst().size(); i++) assertArrayEquals(logits.get(0).get(i), logits.get(1).get(i), "step " + i);
    }

    private interface Run { void on(Backend backend, Path out, List<Double> losses) throws IOException; }

    /** Sums in another order, and products of bfloat16 where there are tensor cores: the first loss differs by rounding, the later ones by what the steps made of it. */
    private void assertLearnsAsOnTheCpu(Run run) throws IOException {
        List<Double> cpu = new ArrayList<>(), gpu = new ArrayList<>();
        try (var backend = new CpuBackend(2)) { run.on(backend, folder.resolve("cpu"), cpu); }
        try (var backend = cuda()) { run.on(backend, folder.resolve("cuda"), gpu); }
        assertEquals(cpu.size(), gpu.size());
        for (int i = 0; i < cpu.size(); i++) assertEquals(cpu.get(i), gpu.get(i), 0.02 * cpu.get(i), "loss %d of %s on the CPU, %s on the GPU".formatted(i, cpu, gpu));
        assertTrue(gpu.getLast() < gpu.getFirst());
    }

    private static void note(TrainingEvent event, List<Double> losses) {
        if (event instanceof TrainingEvent.Step step) losses.add(step.loss());
        if (event instanceof TrainingEvent.Evaluation evaluation) losses.add(evaluation.loss());
    }

    @ParameterizedTest
    @ValueSource(strings = {"LORA", "FULL"})
    void fineTuningLearnsAsOnTheCpu(FineTuneSettings.Method method) throws IOException {
        var data = Files.writeString(folder.resolve("texts.jsonl"), IntStream.range(0, 6).mapToObj("{\"text\": \"Tom saw %d red cars.\"}"::formatted).collect(Collectors.joining("\n")));
        assertLearnsAsOnTheCpu((backend, out, losses) -> {
            var settings = new FineTuneSettings(TestData.stories(), data, null, method, 4, 8, 0, List.of("all"), 1, 3, method == FineTuneSettings.Method.FULL ? 1e-3 : 1e-2,
                Schedule.Shape.CONSTANT, 32, 1, 20, 0.2, 0, 0.1f, false, 1, out);
            try (var run = FineTuneRun.open(settings, backend, (_, _) -> { })) { run.run(new TrainingControl(), event -> note(event, losses)); }
            try (var again = new CpuBackend(1); var learned = method == FineTuneSettings.Method.FULL ? Models.open(out.resolve(FineTuneRun.MODEL), again) : null) {
                assertTrue(Files.exists(out.resolve(learned == null ? FineTuneRun.GGUF_LORA : FineTuneRun.MODEL)));
            }
        });
    }

    @Test void pretrainingLearnsAsOnTheCpu() throws IOException {
        Files.writeString(folder.resolve("text.txt"), "the quick brown fox jumps over the lazy dog and runs away into the wood.\n".repeat(60));
        for (var optimizer : new String[] {"adamw", "muon"}) {
            assertLearnsAsOnTheCpu((backend, out, losses) -> {
                var file = Files.writeString(folder.resolve("config.json"), """
                    {"name": "tiny", "model": {"layers": 1, "dim": 32, "heads": 2, "context": 16}, "tokenizer": {"characters": true}, "data": [{"path": "text.txt"}],
                     "out": "%s", "training": {"steps": 4, "windows": true, "rows": 2, "optimizer": "%s"}}""".formatted(out.getFileName() + "-" + optimizer, optimizer));
                new Pretraining(PretrainingConfig.read(file), file, backend, 1).run(new TrainingControl(), (_, _, _) -> { }, event -> note(event, losses));
            });
        }
    }
}
