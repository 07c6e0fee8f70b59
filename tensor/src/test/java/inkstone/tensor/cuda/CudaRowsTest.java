package inkstone.tensor.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Routing;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.reference.ReferenceBackend;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is too large or too odd for the cases that all backends share: sums of many blocks, rows of a whole vocabulary, tensors that begin between 16 bytes. */
class CudaRowsTest {
    private static Backend reference, cuda;

    @BeforeAll static void open() {
        StandIn.require();
        reference = new ReferenceBackend();
        cuda = new CudaBackend(0, true);
    }

    @AfterAll static void close() {
        if (cuda != null) cuda.close();
        if (reference != null) reference.close();
    }

    private static float[] normal(int count, long seed) {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (float) random.nextGaussian();
        return values;
    }

    /** What {@code run} gives on both must be equal but for rounding. */
    private static void same(double tolerance, Function<Scope, float[]> run) {
        float[] expected, actual;
        try (var scope = Scope.training(reference)) { expected = run.apply(scope); }
        try (var scope = Scope.training(cuda)) { actual = run.apply(scope); }
        assertEquals(expected.length, actual.length);
        double error = 0, size = 0;
        for (int i = 0; i < expected.length; i++) {
            error += Math.pow((double) actual[i] - expected[i], 2);
            size += Math.pow(expected[i], 2);
        }
        double normalised = error == 0 ? 0 : error / size;
        assertTrue(normalised <= tolerance, () -> "normalised mean squared error %.2e, allowed %.0e".formatted(normalised, tolerance));
    }

    @ParameterizedTest @ValueSource(ints = {4096, 4097, 300_001}) void sumsOfManyBlocks(int count) {
        same(1e-12, scope -> scope.floats(normal(count, 1), count).sum().toFloats());
        same(1e-13, scope -> {
            var y = scope.tensor(DType.F32, 1);
            scope.backend().kernels().sumOfSquares(y, scope.floats(normal(count, 1), count));
            return y.toFloats();
        });
    }

    /** 1001 classes: four rows begin each at another place between 16 bytes. */
    @ParameterizedTest @ValueSource(ints = {31, 1001, 50_257}) void crossEntropyOfAVocabulary(int classes) {
        int[] targets = {0, classes - 1, -1, 7, classes / 2};
        same(1e-13, scope -> logits(scope, targets.length, classes).crossEntropy(scope.ints(targets)).toFloats());
        same(1e-12, scope -> {
            var logits = logits(scope, targets.length, classes).learning();
            scope.backward(logits.crossEntropy(scope.ints(targets)).mul(scope.floats(normal(targets.length, 8), targets.length)).sum());
            return logits.gradient().toFloats();
        });
    }

    private static Tensor logits(Scope scope, int rows, int classes) { return scope.floats(normal(rows * classes, 2), rows, classes).scale(20); }

    /** A GPU cannot refuse what is in its memory: the loss shows it, and the trainer stops at it. */
    @Test void aTargetThatIsNoClassMakesTheLossNaN() {
        try (var scope = Scope.inference(cuda)) {
            var losses = scope.floats(normal(20, 1), 2, 10).crossEntropy(scope.ints(10, 3)).toFloats();
            assertTrue(Float.isNaN(losses[0]) && !Float.isNaN(losses[1]));
        }
    }

    @Test void lossesOfLogitsThatAreNotFinite() {
        try (var scope = Scope.inference(cuda)) {
            var losses = scope.floats(new float[] {Float.NEGATIVE_INFINITY, 2, 1, Float.NaN}, 2, 2).crossEntropy(scope.ints(1, 0)).toFloats();
            assertEquals(0, losses[0]);
            assertTrue(Float.isNaN(losses[1]));
        }
    }

    @Test void viewsThatBeginBetween16Bytes() {
        same(1e-12, scope -> {
            Tensor x = scope.floats(normal(9 * 13, 3), 9, 13), y = scope.floats(normal(8 * 13, 4), 8, 13);
            return x.rows(1, 9).swiglu(y).add(x.rows(0, 8)).concat(x.rows(1, 9)).columns(5, 17).toFloats();
        });
        same(1e-12, scope -> {
            Tensor x = scope.floats(normal(9 * 13, 3), 9, 13).learning();
            scope.backward(x.rows(1, 9).swiglu(x.rows(0, 8)).concat(x.rows(1, 9).gelu()).columns(5, 17).crossEntropy(scope.ints(1, 2, 3, 4, 5, 6, 7, -1)).sum());
            return x.gradient().toFloats();
        });
    }

    @ParameterizedTest @ValueSource(ints = {5, 64, 200}) void sumsOverManyRows(int columns) {
        int rows = 1000;
        same(1e-11, scope -> {
            Tensor x = scope.floats(normal(rows * columns, 1), rows, columns), factors = scope.floats(normal(columns, 2), columns).learning(), bias = scope.floats(normal(columns, 3), columns).learning();
            var shift = scope.floats(normal(columns, 4), columns).learning();
            var y = x.scaleColumns(factors, null, bias);
            scope.backward(y.lerp(x, shift).mul(scope.floats(normal(rows * columns, 5), rows, columns)).sum());
            return scope.floats(concat(factors.gradient().toFloats(), bias.gradient().toFloats(), shift.gradient().toFloats()), 3 * columns).toFloats();
        });
    }

    private static float[] concat(float[]... parts) {
        int length = 0, at = 0;
        for (var part : parts) length += part.length;
        var all = new float[length];
        for (var part : parts) {
            System.arraycopy(part, 0, all, at, part.length);
            at += part.length;
        }
        return all;
    }

    /** Dropped and kept are the reference's, to the bit. */
    @Test void dropoutIsThatOfThePhiloxNumbers() {
        int count = 10_003;
        var kept = new float[2][];
        for (var backend : new Backend[] {reference, cuda}) {
            try (var scope = Scope.training(backend)) {
                scope.seed(0xfedcba9876543210L);
                kept[backend == cuda ? 1 : 0] = scope.floats(normal(count, 1), count).dropout(0.37f).toFloats();
            }
        }
        assertArrayEquals(kept[0], kept[1]);
    }

    @Test void equalScoresChooseTheFirstExperts() {
        try (var scope = Scope.inference(cuda)) {
            for (var routing : new Routing[] {Routing.softmax(10), new Routing(10, Routing.Scoring.SIGMOID, true, 1, 8, 4)}) {
                for (var bias : new Tensor[] {null, scope.floats(new float[512], 512)}) {
                    var choice = scope.floats(new float[2 * 512], 2, 512).route(bias, routing);
                    var chosen = new int[20];
                    cuda.download(MemorySegment.ofArray(chosen), choice.experts().data());
                    assertArrayEquals(new int[] {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, chosen);
                    for (float weight : choice.weights().toFloats()) assertEquals(0.1f, weight, 1e-6f);
                }
            }
        }
    }

    @ParameterizedTest @ValueSource(ints = {60, 128, 512}) void routingAmongManyExperts(int count) {
        for (var routing : new Routing[] {Routing.softmax(8), new Routing(8, Routing.Scoring.SIGMOID, true, 2.5f, 4, 2)}) {
            for (boolean biased : new boolean[] {false, true}) {
                same(0, scope -> {
                    var choice = scope.floats(normal(9 * count, 3), 9, count).route(biased ? scope.floats(normal(count, 4), count) : null, routing);
                    var chosen = new int[9 * 8];
                    scope.backend().download(MemorySegment.ofArray(chosen), choice.experts().data());
                    var floats = new float[chosen.length];
                    for (int i = 0; i < chosen.length; i++) floats[i] = chosen[i];
                    return floats;
                });
                same(1e-12, scope -> {
                    var scores = scope.floats(normal(9 * count, 3), 9, count).learning();
                    var x = scope.floats(normal(9 * 8 * 33, 5), 9 * 8, 33).learning();
                    scope.backward(x.weightedSum(scores.route(biased ? scope.floats(normal(count, 4), count) : null, routing).weights()).mul(scope.floats(normal(9 * 33, 6), 9, 33)).sum());
                    return concat(x.gradient().toFloats(), scores.gradient().toFloats());
                });
            }
        }
    }
}
