package inkstone.transformer.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.assertThrows;

import inkstone.tensor.Backend;
import inkstone.tensor.Gradients;
import inkstone.tensor.Kernels;
import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.LearningWeights;
import inkstone.tensor.train.Parameters;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.Models;
import inkstone.transformer.TestData;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is foretold of a run's memory against what the run takes. */
class MemoryNeedTest {
    private static final int[] EIGHT = {60, 60, 60, 60, 60, 60, 60, 60};

    @TempDir private Path folder;

    private static LanguageModel learning(Path file, Backend backend, Parameters parameters) throws IOException {
        return Models.open(file, backend, source -> new LearningWeights(source, parameters, LearningWeights.ALL));
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama3-rope", "gpt2", "mixtral"})
    void activationsAreForetoldToTheByte(String family) throws IOException {
        var file = TestData.folder("golden-logits").resolve(family).resolve("model.gguf");
        for (boolean recompute : new boolean[] {false, true}) {
            var need = MemoryNeed.of(false, (counting, parameters) -> learning(file, counting, parameters), (counting, parameters) -> new AdamW(counting, parameters, AdamW.Settings.USUAL, 1),
                MemoryNeed.Loss.ofLanguage(false, EIGHT), 0, recompute, false, 0);
            try (var backend = new CpuBackend(2); var parameters = new Parameters(backend); var model = learning(file, backend, parameters);
                 var scope = recompute ? Scope.recomputing(backend) : Scope.training(backend)) {
                int[] tokens = IntStream.range(0, 480).map(i -> 3 + i % 60).toArray(), targets = tokens.clone();
                targets[40] = -1;
                scope.backward(LanguageLoss.of(model.model(), scope, new TokenBatch(tokens, targets, EIGHT), 1f / 479));
                scope.reset();
                assertEquals(scope.bytes(), need.activations(), family + (recompute ? ", recomputing" : ""));
                assertEquals(8 * parameters.count(), need.parameters(), family);
                assertEquals(8 * parameters.count(), need.optimizer(), family);
            }
        }
    }

    /** Counts what is allocated from another backend. */
    private static final class Metered implements Backend {
        private final Backend backend;
        private long held, peak;

        Metered(Backend backend) { this.backend = backend; }

        @Override public MemorySegment allocate(long bytes) {
            held += bytes;
            peak = Math.max(peak, held);
            return backend.allocate(bytes);
        }

        @Override public void free(MemorySegment memory) {
            held -= memory.byteSize();
            backend.free(memory);
        }

        @Override public String name() { return backend.name(); }
        @Override public Kernels kernels() { return backend.kernels(); }
        @Override public Gradients gradients() { return backend.gradients(); }
        @Override public MemorySegment resident(MemorySegment host) { return backend.resident(host); }
        @Override public void upload(MemorySegment destination, MemorySegment host) { backend.upload(destination, host); }
        @Override public void download(MemorySegment host, MemorySegment source) { backend.download(host, source); }
        @Override public void copy(MemorySegment destination, MemorySegment source) { backend.copy(destination, source); }
        @Override public void clear(MemorySegment memory) { backend.clear(memory); }
        @Override public void synchronize() { backend.synchronize(); }
        @Override public void close() { backend.close(); }
    }

    private Path config(String training) throws IOException {
        Files.writeString(folder.resolve("text.txt"), "the quick brown fox jumps over the lazy dog and runs away into the wood.\n".repeat(200));
        return Files.writeString(folder.resolve("config.json"), """
            {"name": "tiny", "model": {"layers": 2, "dim": 64, "heads": 2, "context": 64}, "tokenizer": {"characters": true}, "data": [{"path": "text.txt"}], "samples": ["the"], "sampleTokens": 4,
             "out": "run", "training": {"steps": 3, %s}}""".formatted(training));
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"windows\": true, \"rows\": 8, \"average\": 0.9", "\"rows\": 8, \"optimizer\": \"muon\", \"recompute\": true"})
    void aWholeRunTakesWhatWasForetold(String training) throws IOException {
        var file = config(training);
        var predicted = new ArrayList<Long>();
        try (var backend = new Metered(new CpuBackend(2))) {
            var run = new Pretraining(PretrainingConfig.read(file), file, backend, 2);
            run.run(new TrainingControl(), (_, _, _) -> {}, event -> { if (event instanceof TrainingEvent.Started started) predicted.add(started.predictedBytes()); });
            var need = run.need();
            assertEquals(need.allocated(), backend.peak);
            assertEquals(0, backend.held);
            long tokens = Files.size(run.folder().resolve("data-0.tokens"));
            assertTrue(predicted.getFirst() >= need.allocated() + need.mapped() + tokens && predicted.getFirst() < need.allocated() + (4L << 30), need + ", predicted " + predicted);
            assertTrue(need.mapped() > 4 * 2 * 64 * 64);
        }
    }

    @Test void aRunThatCannotFitIsRefusedWithWhatWouldFit() throws IOException {
        var file = config("\"windows\": true, \"context\": 64, \"rows\": 128");
        try (var backend = new CpuBackend(2)) {
            var run = new Pretraining(PretrainingConfig.read(file), file, backend, 2, () -> 130_000_000 + Runtime.getRuntime().totalMemory());
            var problem = assertThrows(ModelException.class, () -> run.run(new TrainingControl(), (_, _, _) -> {}, _ -> {}));
            assertTrue(problem.getMessage().matches("tiny needs [\\d.]+ GB of memory \\(.*activations.*\\), [\\d.]+ GB are free; it fits with \"rows\": \\d+, \"accumulate\": \\d+.*\"recompute\": true.*"),
                problem.getMessage());
        }
    }
}
