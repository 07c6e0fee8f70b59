package inkstone.transformer.tune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Backend;
import inkstone.tensor.Scope;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.train.Parameters;
import inkstone.transformer.CausalModel;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.Models;
import inkstone.transformer.TestData;
import inkstone.transformer.adapters.TrainableAdapter;
import inkstone.transformer.train.LanguageLoss;
import inkstone.transformer.train.TokenBatch;
import inkstone.transformer.train.TokenBatches;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The loss of direct preference optimisation: its value by the formula, its gradient by finite differences, and that it is learned from. */
class PreferenceTaskTest {
    private static final float BETA = 0.1f;

    private final Backend backend = new CpuBackend(2);
    private final Parameters parameters = new Parameters(backend);
    private LanguageModel base;
    private CausalModel tuned;

    @BeforeEach void open() throws IOException {
        base = Models.open(TestData.stories(), backend);
        tuned = base.adapted(new TrainableAdapter(new TrainableAdapter.Settings(4, 8, false, name -> name.startsWith("blk."), 1), backend, parameters::add, x -> x)).model();
    }

    @AfterEach void close() {
        if (base != null) base.close();
        parameters.close();
        backend.close();
    }

    /** Pairs of sequences of some 20 tokens; the first five of each are given. */
    private static TokenBatch pairs(int count, int length) {
        var random = new Random(5);
        int[] lengths = IntStream.range(0, 2 * count).map(i -> length + i % 3).toArray(), tokens = random.ints(IntStream.of(lengths).sum(), 3, 500).toArray();
        var targets = new int[tokens.length];
        Arrays.fill(targets, -1);
        for (int sequence = 0, row = 0; sequence < lengths.length; row += lengths[sequence++]) {
            for (int i = 5; i < lengths[sequence] - 1; i++) targets[row + i] = tokens[row + i + 1];
        }
        return new TokenBatch(tokens, targets, lengths);
    }

    private PreferenceTask task(TokenBatch batch) {
        var always = new TokenBatches() {
            @Override public TokenBatch next() { return batch; }
            @Override public String position() { return ""; }
            @Override public void seek(String position) {}
        };
        return new PreferenceTask(tuned, base.model(), backend, BETA, always, List.of(batch), (_, _) -> {});
    }

    /** An adapter begins without any effect; these numbers give it one. */
    private void change() {
        var random = new Random(9);
        parameters.tensors().forEach((name, tensor) -> {
            var values = new float[(int) tensor.shape().elements()];
            for (int i = 0; i < values.length; i++) values[i] = (float) (0.05 * random.nextGaussian());
            backend.upload(tensor.data(), MemorySegment.ofArray(values));
        });
    }

    private double loss(TokenBatch batch) {
        try (var scope = Scope.inference(backend)) { return task(batch).loss(scope, batch, 0.5f).toFloats()[0]; }
    }

    private List<float[]> gradients(TokenBatch batch, Scope scope) {
        parameters.clearGradients();
        try (scope) { scope.backward(task(batch).loss(scope, batch, 0.5f)); }
        var gradients = new ArrayList<float[]>();
        for (var tensor : parameters.tensors().values()) {
            var values = new float[(int) tensor.shape().elements()];
            backend.download(MemorySegment.ofArray(values), tensor.gradient().data());
            gradients.add(values);
        }
        return gradients;
    }

    /** Moves all parameters along these directions. */
    private void move(List<float[]> directions, double step) {
        int i = 0;
        for (var tensor : parameters.tensors().values()) {
            var values = new float[(int) tensor.shape().elements()];
            backend.download(MemorySegment.ofArray(values), tensor.data());
            for (int j = 0; j < values.length; j++) values[j] += (float) (step * directions.get(i)[j]);
            backend.upload(tensor.data(), MemorySegment.ofArray(values));
            i++;
        }
    }

    /** Logits of more rows than exist at a time, in parts: the sums of the sequences are the loss of all. */
    @Test void theLossOfEachSequenceAddsUp() {
        var batch = pairs(30, 90);
        assertTrue(batch.learned() > 4_096);
        try (var scope = Scope.inference(backend)) {
            double sum = 0;
            for (float each : LanguageLoss.ofEach(tuned, scope, batch).toFloats()) sum += each;
            double all = LanguageLoss.of(tuned, scope, batch, 1).toFloats()[0];
            assertEquals(all, sum, 1e-5 * all);
            int first = batch.lengths()[0];
            var alone = new TokenBatch(Arrays.copyOf(batch.tokens(), first), Arrays.copyOf(batch.targets(), first), new int[] {first});
            assertEquals(LanguageLoss.of(tuned, scope, alone, 1).toFloats()[0], LanguageLoss.ofEach(tuned, scope, batch).toFloats()[0], 1e-3);
        }
    }

    @Test void theLossIsThatOfTheFormula() {
        var batch = pairs(2, 20);
        assertEquals(Math.log(2), loss(batch), 1e-6, "nothing has changed: either answer is as good");
        var task = task(batch);
        assertEquals(Math.log(2), task.evaluate(), 1e-6);
        assertEquals(0.5, task.accuracy());
        change();
        try (var scope = Scope.inference(backend)) {
            float[] p = LanguageLoss.ofEach(tuned, scope, batch).toFloats(), r = LanguageLoss.ofEach(base.model(), scope, batch).toFloats();
            double expected = 0, right = 0;
            for (int pair = 0; pair < 2; pair++) {
                double margin = BETA * ((-p[2 * pair] + p[2 * pair + 1]) - (-r[2 * pair] + r[2 * pair + 1]));
                expected += Math.log1p(Math.exp(-margin)) / 2;
                right += margin > 0 ? 0.5 : 0;
            }
            assertTrue(Math.abs(expected - Math.log(2)) > 1e-3, "the change is large enough to be seen: " + expected);
            assertEquals(expected, loss(batch), 1e-5);
            assertEquals(expected, task.evaluate(), 1e-5);
            assertEquals(right, task.accuracy());
        }
    }

    @Test void theGradientIsTheSlopeOfTheLoss() {
        var batch = pairs(2, 20);
        change();
        List<float[]> gradients = gradients(batch, Scope.training(backend)), again = gradients(batch, Scope.recomputing(backend));
        for (int i = 0; i < gradients.size(); i++) assertArrayEquals(gradients.get(i), again.get(i));
        double length = 0;
        for (var gradient : gradients) for (float g : gradient) length += (double) g * g;
        length = Math.sqrt(length);
        double step = 0.02 / length;
        move(gradients, step / length);
        double above = loss(batch);
        move(gradients, -2 * step / length);
        double below = loss(batch);
        move(gradients, step / length);
        assertEquals(length, (above - below) / (2 * step), 0.02 * length);
    }

    @Test void whatIsPreferredBecomesLikelier() {
        var batch = pairs(4, 20);
        var task = task(batch);
        for (int step = 0; step < 12; step++) {
            var gradients = gradients(batch, Scope.training(backend));
            double length = 0;
            for (var gradient : gradients) for (float g : gradient) length += (double) g * g;
            move(gradients, -0.3 / Math.sqrt(length));
        }
        assertTrue(task.evaluate() < 0.4, "loss " + task.evaluate());
        assertEquals(1, task.accuracy());
    }
}
