package inkstone.tensor.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.train.TrainingEvent.End;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainerTest {
    private static final AdamW.Settings ADAM = new AdamW.Settings(0.9f, 0.99f, 1e-8f, 0.01f, false), EIGHT_BITS = new AdamW.Settings(0.9f, 0.99f, 1e-8f, 0.01f, true);

    private final Backend backend = new CpuBackend(2);
    @TempDir private Path folder;

    @AfterEach void close() { backend.close(); }

    /** Two layers learn the classes of random vectors, which a fixed map made; batch by number. */
    private final class Classes implements Trainer.Task<Integer> {
        private final Tensor up, down;
        private final List<Double> evaluations;
        private int batch;

        Classes(Parameters parameters, Double... evaluations) {
            up = parameters.add("up", normal(64 * 32, 0.1f, 1), 64, 32);
            down = parameters.add("down", normal(8 * 64, 0.1f, 2), 8, 64);
            this.evaluations = new ArrayList<>(List.of(evaluations));
        }

        @Override public Integer next() { return batch++; }
        @Override public int weight(Integer batch) { return 16; }
        @Override public int size(Integer batch) { return 16; }

        @Override public Tensor loss(Scope scope, Integer batch, float scale) {
            float[] x = normal(16 * 32, 1, 100 + batch);
            var targets = new int[16];
            for (int row = 0; row < 16; row++) for (int i = 1; i < 8; i++) if (x[row * 32 + i] > x[row * 32 + targets[row]]) targets[row] = i;
            return scope.floats(x, 16, 32).local(input -> input.linear(up, null).dropout(0.1f).gelu()).linear(down, null).crossEntropy(scope.ints(targets)).sum().scale(scale);
        }

        @Override public double evaluate() { return evaluations.isEmpty() ? Double.NaN : evaluations.removeFirst(); }
        @Override public String position() { return Integer.toString(batch); }
        @Override public void seek(String position) { batch = Integer.parseInt(position); }
    }

    private static float[] normal(int count, float size, long seed) {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = size * (float) random.nextGaussian();
        return values;
    }

    private interface Maker extends BiFunction<Backend, Map<String, Tensor>, Optimizer> {}

    private static final Maker ADAM_W = (backend, parameters) -> new AdamW(backend, parameters, ADAM, 1), ADAM_W_8 = (backend, parameters) -> new AdamW(backend, parameters, EIGHT_BITS, 1),
        MUON = (backend, parameters) -> new Muon(backend, parameters, ADAM, 1);

    private List<Double> losses(Maker optimizer, int steps, Path folder, TrainingControl control, Consumer<TrainingEvent> watch, Double... evaluations) throws IOException {
        var losses = new ArrayList<Double>();
        var settings = new Trainer.Settings("test", new Schedule(Schedule.Shape.COSINE, 0.01, 5, steps, 0.1), 2, 1, 4, 3, 2, 0.99, true, 7);
        try (var parameters = new Parameters(backend)) {
            var task = new Classes(parameters, evaluations);
            try (var trainer = new Trainer(backend, parameters, optimizer.apply(backend, parameters.tensors()), settings, folder)) {
                trainer.run(task, control, 0, parameters.count(), event -> {
                    if (event instanceof TrainingEvent.Step s) losses.add(s.loss());
                    watch.accept(event);
                });
            }
        }
        return losses;
    }

    @Test void everyOptimizerLearns() throws IOException {
        for (var optimizer : List.of(ADAM_W, ADAM_W_8, MUON)) {
            var losses = losses(optimizer, 150, Files.createTempDirectory(folder, "run"), new TrainingControl(), _ -> {});
            assertEquals(Math.log(8), losses.getFirst(), 0.2);
            assertTrue(losses.getLast() < 1, "last loss " + losses.getLast());
        }
    }

    @Test void aPausedRunGoesOnAsIfNothingHadBeen() throws IOException {
        for (var optimizer : List.of(ADAM_W, ADAM_W_8, MUON)) {
            var expected = losses(optimizer, 12, Files.createTempDirectory(folder, "whole"), new TrainingControl(), _ -> {});
            var parts = Files.createTempDirectory(folder, "parts");
            var control = new TrainingControl();
            var actual = losses(optimizer, 12, parts, control, event -> { if (event instanceof TrainingEvent.Step s && s.step() == 5) control.pause(); });
            assertEquals(5, actual.size());
            actual.addAll(losses(optimizer, 12, parts, new TrainingControl(), _ -> {}));
            assertEquals(expected, actual);
        }
    }

    @Test void aRunEndsWhenValidationGetsNoBetter() throws IOException {
        var ends = new ArrayList<End>();
        var losses = losses(ADAM_W, 100, folder, new TrainingControl(), event -> { if (event instanceof TrainingEvent.Finished f) ends.add(f.end()); }, 3.0, 2.0, 2.5, 2.1, 1.0);
        assertEquals(List.of(End.STOPPED_EARLY), ends);
        assertEquals(12, losses.size());
        assertTrue(Files.exists(Trainer.best(folder)));
    }

    @Test void aCancelledRunLeavesTheLastCheckpoint() throws IOException {
        var control = new TrainingControl();
        var saved = new ArrayList<Long>();
        losses(ADAM_W, 100, folder, control, event -> {
            if (event instanceof TrainingEvent.Step s && s.step() == 5) control.cancel();
            if (event instanceof TrainingEvent.Saved s) saved.add(s.step());
        });
        assertEquals(List.of(3L), saved);
    }

    @Test void aCheckpointOfOtherSettingsIsRefused() throws IOException {
        losses(ADAM_W, 6, folder, new TrainingControl(), _ -> {});
        var problem = assertThrows(ModelException.class, () -> losses(ADAM_W_8, 6, folder, new TrainingControl(), _ -> {}));
        assertTrue(problem.getMessage().contains("the run was begun with other settings"), problem.getMessage());
    }

    @Test void theAverageFollowsTheParameters() {
        try (var scope = Scope.inference(backend)) {
            var average = scope.floats(new float[] {0, 1}, 2);
            backend.kernels().average(average, scope.floats(new float[] {1, 3}, 2), 0.25f);
            assertEquals(List.of(0.25f, 1.5f), List.of(average.toFloats()[0], average.toFloats()[1]));
        }
    }

    @Test void ratesWarmUpAndFall() {
        var cosine = new Schedule(Schedule.Shape.COSINE, 1, 10, 110, 0.1);
        assertEquals(0.1, cosine.rate(1), 1e-9);
        assertEquals(1, cosine.rate(10), 1e-9);
        assertEquals(0.55, cosine.rate(60), 1e-9);
        assertEquals(0.1, cosine.rate(110), 1e-9);
        assertEquals(0.55, new Schedule(Schedule.Shape.LINEAR, 1, 10, 110, 0.1).rate(60), 1e-9);
        assertEquals(1, new Schedule(Schedule.Shape.CONSTANT, 1, 0, 110, 0).rate(1), 1e-9);
        assertThrows(IllegalArgumentException.class, () -> new Schedule(Schedule.Shape.CONSTANT, 0, 0, 1, 0));
        assertFalse(cosine.rate(111) > 0.1001);
    }

    @Test void muonMakesStepsOrthogonal() {
        for (int[] shape : new int[][] {{32, 64}, {64, 32}, {48, 48}}) {
            try (var parameters = new Parameters(backend)) {
                var weight = parameters.add("w", new float[shape[0] * shape[1]], shape);
                backend.upload(weight.gradient().data(), java.lang.foreign.MemorySegment.ofArray(normal(shape[0] * shape[1], 1, 3)));
                try (var muon = new Muon(backend, parameters.tensors(), new AdamW.Settings(0.9f, 0.99f, 1e-8f, 0, false), 1)) { muon.step(1, 1, 1); }
                try (var scope = Scope.inference(backend)) {
                    var x = scope.tensor(DType.F32, shape);
                    backend.copy(x.data(), weight.data());
                    float[] norms = singularSizes(x.toFloats(), shape[0], shape[1]);
                    float unit = 0.2f * (float) Math.sqrt(Math.max(shape[0], shape[1]));
                    for (float norm : norms) assertEquals(unit, norm, 0.35f * unit);
                }
            }
        }
    }

    /** How long random unit vectors of the smaller side become: all about the same where the singular values are. */
    private static float[] singularSizes(float[] x, int rows, int columns) {
        var sizes = new float[5];
        for (int trial = 0; trial < sizes.length; trial++) {
            boolean left = rows <= columns;
            int small = Math.min(rows, columns), large = Math.max(rows, columns);
            float[] v = normal(small, 1, 50 + trial);
            double length = 0, image = 0;
            for (float value : v) length += value * value;
            for (int j = 0; j < large; j++) {
                double dot = 0;
                for (int i = 0; i < small; i++) dot += v[i] * (left ? x[i * columns + j] : x[j * columns + i]);
                image += dot * dot;
            }
            sizes[trial] = (float) Math.sqrt(image / length);
        }
        return sizes;
    }
}
