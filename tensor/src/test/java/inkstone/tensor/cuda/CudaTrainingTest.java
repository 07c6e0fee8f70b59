package inkstone.tensor.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.tensor.reference.ReferenceBackend;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.LearningWeights;
import inkstone.tensor.train.Parameters;
import inkstone.tensor.train.Schedule;
import inkstone.tensor.train.Trainer;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whole runs on a GPU, or on the stand-in for one: nothing of a training reads the device's memory on the host but through the backend, and losses are the reference's. */
class CudaTrainingTest {
    private static Backend reference, cuda;
    @TempDir private Path folder;

    @BeforeAll static void open() {
        StandIn.require();
        reference = new ReferenceBackend();
        cuda = new CudaBackend(0, true);
    }

    @AfterAll static void close() {
        if (cuda != null) cuda.close();
        if (reference != null) reference.close();
    }

    private static float[] normal(int count, float size, long seed) {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = size * (float) random.nextGaussian();
        return values;
    }

    /** Finds out which of eight columns is the largest, by a factor and a shift for each. */
    private static final class Largest implements Trainer.Task<Integer> {
        private final Tensor factors, shifts, table;
        private int batch;

        Largest(Parameters parameters) {
            factors = parameters.add("factors", normal(32, 0.5f, 1), 32);
            shifts = parameters.add("shifts", normal(32, 0.5f, 2), 32);
            table = parameters.add("table", normal(16 * 32, 0.1f, 3), 16, 32);
        }

        @Override public Integer next() { return batch++; }
        @Override public int weight(Integer batch) { return 16; }
        @Override public int size(Integer batch) { return 16; }

        @Override public Tensor loss(Scope scope, Integer batch, float scale) {
            float[] x = normal(16 * 32, 1, 100 + batch);
            var targets = new int[16];
            for (int row = 0; row < 16; row++) for (int i = 1; i < 8; i++) if (x[row * 32 + i] > x[row * 32 + targets[row]]) targets[row] = i;
            return scope.floats(x, 16, 32).local(input -> input.scaleColumns(factors, null, shifts).dropout(0.1f)).add(table).columns(0, 8).crossEntropy(scope.ints(targets)).sum().scale(scale);
        }

        @Override public double evaluate() { return Double.NaN; }
        @Override public String position() { return Integer.toString(batch); }
        @Override public void seek(String position) { batch = Integer.parseInt(position); }
    }

    private static List<Double> losses(Backend backend, boolean eightBit, int steps, Path folder, TrainingControl control, Consumer<TrainingEvent> watch) throws IOException {
        var losses = new ArrayList<Double>();
        var settings = new Trainer.Settings("test", new Schedule(Schedule.Shape.COSINE, 0.05, 5, steps, 0.1), 2, 0.5, 100, 2, 0, 0.99, true, 7);
        try (var parameters = new Parameters(backend)) {
            var task = new Largest(parameters);
            var optimizer = new AdamW(backend, parameters.tensors(), new AdamW.Settings(0.9f, 0.99f, 1e-8f, 0.01f, eightBit), 1);
            try (var trainer = new Trainer(backend, parameters, optimizer, settings, folder)) {
                trainer.run(task, control, 0, parameters.count(), event -> {
                    if (event instanceof TrainingEvent.Step s) losses.add(s.loss());
                    watch.accept(event);
                });
                trainer.useAverage();
            }
        }
        return losses;
    }

    @Test void lossesAreTheReferences() throws IOException {
        for (boolean eightBit : new boolean[] {false, true}) {
            var expected = losses(reference, eightBit, 40, Files.createTempDirectory(folder, "reference"), new TrainingControl(), _ -> {});
            var actual = losses(cuda, eightBit, 40, Files.createTempDirectory(folder, "cuda"), new TrainingControl(), _ -> {});
            for (int i = 0; i < expected.size(); i++) assertEquals(expected.get(i), actual.get(i), 1e-3, "step " + (i + 1));
            assertTrue(actual.getLast() < 0.7 * actual.getFirst(), () -> "losses " + actual);
        }
    }

    @Test void aPausedRunGoesOnAsIfNothingHadBeen() throws IOException {
        for (boolean eightBit : new boolean[] {false, true}) {
            var expected = losses(cuda, eightBit, 10, Files.createTempDirectory(folder, "whole"), new TrainingControl(), _ -> {});
            var parts = Files.createTempDirectory(folder, "parts");
            var control = new TrainingControl();
            var actual = losses(cuda, eightBit, 10, parts, control, event -> { if (event instanceof TrainingEvent.Step s && s.step() == 5) control.pause(); });
            actual.addAll(losses(cuda, eightBit, 10, parts, new TrainingControl(), _ -> {}));
            assertEquals(expected, actual);
        }
    }

    @Test void weightsOnTheDeviceBecomeCopiesThatLearn() {
        float[] values = {1, 2, 3, 4};
        var stored = Tensor.of(DType.F32, cuda.resident(MemorySegment.ofArray(values)), 4);
        var source = new Weights() {
            @Override public Tensor tensor(String name, int... dims) { return stored; }
            @Override public Tensor floats(String name, int... dims) { return stored; }
            @Override public Optional<float[]> values(String name, int... dims) { return Optional.of(values); }
            @Override public boolean has(String name) { return true; }
        };
        try (var parameters = new Parameters(cuda); var scope = Scope.inference(cuda)) {
            var learning = new LearningWeights(source, parameters, LearningWeights.ALL).tensor("norm.weight", 4);
            assertTrue(learning.learns());
            var copy = scope.tensor(DType.F32, 4);
            cuda.copy(copy.data(), learning.data());
            assertArrayEquals(values, copy.toFloats());
        }
    }
}
