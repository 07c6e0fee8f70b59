package inkstone.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import inkstone.tensor.reference.ReferenceBackend;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Adapted linear maps against the weight that they stand for, put together here in plain loops. */
class LinearTest {
    private static final int IN = 5, OUT = 6, RANK = 2;
    private static final float SCALE = 0.7f;

    private final Backend backend = new ReferenceBackend();
    private final Scope scope = Scope.inference(backend);
    private final Random random = new Random(5);
    private final float[] w = normal(OUT * IN), bias = normal(OUT), a = normal(RANK * IN), b = normal(OUT * RANK), magnitude = normal(OUT);
    private final Tensor x = scope.floats(normal(3 * IN), 3, IN);

    @AfterEach void close() {
        scope.close();
        backend.close();
    }

    private float[] normal(int count) {
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (float) random.nextGaussian();
        return values;
    }

    private Tensor weight(float[] values, int... dims) {
        var memory = backend.allocate(DType.F32.bytes(values.length));
        backend.upload(memory, MemorySegment.ofArray(values));
        return Tensor.of(DType.F32, memory, dims);
    }

    private Tensor a() { return weight(a, RANK, IN); }
    private Tensor b() { return weight(b, OUT, RANK); }
    private Linear.Dense dense() { return new Linear.Dense(weight(w, OUT, IN), weight(bias, OUT)); }

    /** w + scale · b a */
    private float[] changed() {
        var changed = w.clone();
        for (int o = 0; o < OUT; o++) for (int k = 0; k < IN; k++) for (int r = 0; r < RANK; r++) changed[o * IN + k] += SCALE * b[o * RANK + r] * a[r * IN + k];
        return changed;
    }

    private void assertIs(float[] expectedWeight, Linear linear) {
        var expected = x.linear(weight(expectedWeight, OUT, IN), weight(bias, OUT));
        assertArrayEquals(expected.toFloats(), linear.forward(x).toFloats(), 1e-5f);
        assertArrayEquals(expected.columns(2, 5).toFloats(), linear.rows(2, 5).forward(x).toFloats(), 1e-5f, "part of a fused map");
    }

    @Test void loraAddsTheProductOfItsMatrices() {
        assertIs(changed(), new Linear.Lora(dense(), a(), b(), SCALE, Linear.Lora.WHOLE));
    }

    @Test void adaptersAddUp() {
        var once = changed();
        var twice = new float[once.length];
        for (int i = 0; i < twice.length; i++) twice[i] = 2 * once[i] - w[i];
        assertIs(twice, new Linear.Lora(new Linear.Lora(dense(), a(), b(), SCALE, Linear.Lora.WHOLE), a(), b(), SCALE, Linear.Lora.WHOLE));
    }

    @Test void onlyTheLowRankPartSeesTheInputAfterDropout() {
        assertIs(w, new Linear.Lora(dense(), a(), b(), SCALE, input -> input.scale(0)));
    }

    @Test void doraHasRowsOfTheLengthsToldAndTheDirectionOfTheChangedOnes() {
        var expected = changed();
        for (int o = 0; o < OUT; o++) {
            double length = 0;
            for (int k = 0; k < IN; k++) length += Math.pow(expected[o * IN + k], 2);
            for (int k = 0; k < IN; k++) expected[o * IN + k] *= (float) (magnitude[o] / Math.sqrt(length));
        }
        assertIs(expected, new Linear.Dora(weight(w, OUT, IN), weight(bias, OUT), a(), b(), SCALE, weight(magnitude, OUT), Linear.Lora.WHOLE));
    }

    @Test void scaledMultipliesRows() {
        var expected = w.clone();
        for (int i = 0; i < expected.length; i++) expected[i] *= magnitude[i / IN];
        assertIs(expected, new Linear.Scaled(new Linear.Dense(weight(w, OUT, IN), null), weight(magnitude, OUT), weight(bias, OUT)));
    }

    @Test void adaptationsSeeEveryLinearMapUnderItsWholeName() {
        var names = new ArrayList<String>();
        Weights source = new Weights() {
            @Override public Tensor tensor(String name, int... dims) { return weight(new float[Math.toIntExact(new Shape(dims).elements())], dims); }
            @Override public Tensor floats(String name, int... dims) { return tensor(name, dims); }
            @Override public boolean has(String name) { return false; }
        };
        var adapted = new AdaptedWeights(source, (name, base, in, out) -> {
            names.add("%s %d>%d".formatted(name, in, out));
            return base;
        });
        adapted.at("blk.0.").at("attn.").linear("q", 4, 8);
        adapted.at("blk.0.").tensor("norm", 4);
        adapted.tied("output", adapted.tensor("token_embd.weight", 9, 4));
        assertEquals("[blk.0.attn.q 4>8, output 4>9]", names.toString());
    }
}
