package inkstone.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import inkstone.tensor.reference.ReferenceBackend;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TapeTest {
    private final Backend backend = new ReferenceBackend();

    @AfterEach void close() { backend.close(); }

    private Tensor weight(int... dims) {
        long bytes = 4 * new Shape(dims).elements();
        var data = backend.allocate(bytes);
        var values = new float[(int) new Shape(dims).elements()];
        var random = new Random(7);
        for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
        backend.upload(data, MemorySegment.ofArray(values));
        return Tensor.learning(data, backend.allocate(bytes), dims);
    }

    private float[] gradient(Tensor weight) {
        var values = new float[(int) weight.shape().elements()];
        backend.download(MemorySegment.ofArray(values), weight.gradient().data());
        backend.clear(weight.gradient().data());
        return values;
    }

    private static Tensor x(Scope scope) { return scope.floats(new float[] {1, -2, 3, 0.5f, 1.5f, -1}, 2, 3); }

    @Test void stepsOfDifferentSizesTakeTheMemoryOfTheLargest() {
        try (var scope = Scope.training(backend)) {
            for (int step = 0; step < 20; step++) {
                for (int i = 0; i < 4; i++) scope.tensor(DType.F32, 2_000_000 + 10_000 * (step % 10 * 7 % 10));         // each of more than a chunk
                scope.reset();
            }
            assertEquals(4 * 4 * 2_090_000, scope.bytes());
        }
    }

    @Test void gradientsOfAllUsesAddUp() {
        try (var scope = Scope.training(backend)) {
            var x = x(scope).learning();
            scope.backward(x.mul(x).add(x).add(x).sum());
            assertArrayEquals(new float[] {4, -2, 8, 3, 5, 0}, x.gradient().toFloats());
        }
    }

    @Test void twiceTheSameSummandHasTwiceTheGradient() {
        try (var scope = Scope.training(backend)) {
            var x = x(scope).learning();
            var y = x.scale(1);
            scope.backward(y.add(y).sum());
            assertArrayEquals(new float[] {2, 2, 2, 2, 2, 2}, x.gradient().toFloats());
        }
    }

    @Test void gradientsOfPartsReachTheWhole() {
        try (var scope = Scope.training(backend)) {
            var x = x(scope).learning();
            scope.backward(x.rows(1, 2).scale(3).add(x.view(3, 2).view(2, 3).rows(0, 1)).sum());
            assertArrayEquals(new float[] {1, 1, 1, 3, 3, 3}, x.gradient().toFloats());
        }
        var weight = weight(4, 3);
        try (var scope = Scope.training(backend)) {
            scope.backward(x(scope).linear(weight.rows(2, 3), null).sum());
            assertArrayEquals(new float[] {0, 0, 0, 0, 0, 0, 1.5f, -0.5f, 2, 0, 0, 0}, gradient(weight));
        }
    }

    @Test void aFrozenPathCostsNothing() {
        try (var scope = Scope.training(backend)) {
            var y = x(scope).scale(2);
            assertFalse(y.learns());
            assertNull(y.gradient());
            assertThrows(IllegalStateException.class, () -> scope.backward(y.sum()));
        }
    }

    /** Two layers with a dropout, the residual read by both and by the head. */
    private float[] layers(Scope scope, Tensor weight) {
        scope.seed(11);
        var x = x(scope).linear(weight, null);
        for (int layer = 0; layer < 2; layer++) {
            BiFunction<Tensor, Tensor, Tensor> block = (input, w) -> input.add(input.linear(w, null).dropout(0.4f).gelu()).local(h -> h.add(h.linear(w, null).swiglu(h)));
            x = x.local(input -> block.apply(input, weight));
        }
        scope.backward(x.mul(x).sum());
        return gradient(weight);
    }

    @Test void computingAgainGivesTheSameGradients() {
        var weight = weight(3, 3);
        float[] kept, again;
        long bytes;
        try (var scope = Scope.training(backend)) { kept = layers(scope, weight); }
        try (var scope = Scope.recomputing(backend)) {
            again = layers(scope, weight);
            bytes = scope.bytes();
            scope.reset();
            assertArrayEquals(again, layers(scope, weight));
            assertEquals(bytes, scope.bytes());
        }
        assertArrayEquals(kept, again);
    }

    @Test void aLossCarriedBackAtOnceGivesTheSameGradients() {
        var weight = weight(3, 3);
        Function<Boolean, float[]> run = atOnce -> {
            try (var scope = Scope.training(backend)) {
                var hidden = x(scope).linear(weight, null);
                Tensor loss = null;
                for (int row = 0; row < 2; row++) {
                    int from = row;
                    var part = atOnce ? scope.immediately(() -> head(hidden.rows(from, from + 1), weight)) : head(hidden.rows(from, from + 1), weight);
                    loss = loss == null ? part : loss.add(part);
                }
                scope.backward(loss);
                return gradient(weight);
            }
        };
        assertArrayEquals(run.apply(false), run.apply(true), 1e-6f);
        try (var scope = Scope.training(backend)) {
            var loss = scope.immediately(() -> head(x(scope).rows(0, 1), weight)).scale(2);
            assertThrows(IllegalStateException.class, () -> scope.backward(loss));
        }
    }

    private static Tensor head(Tensor hidden, Tensor weight) { return hidden.linear(weight, null).crossEntropy(hidden.scope().ints(1)).sum(); }
}
