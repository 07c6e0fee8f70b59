package inkstone.tensor.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.Scope;
import inkstone.tensor.reference.ReferenceBackend;
import org.junit.jupiter.api.Test;

/** The kernel keeps cosines and sines from call to call; whatever they depend on may change in between, at the same addresses. */
class RopeAnglesTest {
    @Test void newPositionsFrequenciesAndMagnitudesAreSeen() {
        try (var cpu = new CpuBackend(2); var plain = new ReferenceBackend()) {
            float[][] expected = turns(plain), actual = turns(cpu);
            for (int i = 0; i < expected.length; i++) assertArrayEquals(expected[i], actual[i], 1e-6f, "call " + i);
        }
    }

    /** The same row under one change after another, the last of which goes back to the first state. */
    private static float[][] turns(Backend backend) {
        try (var scope = Scope.inference(backend)) {
            var x = scope.floats(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, 2, 4);
            var positions = scope.ints(3, 9);
            var frequencies = scope.floats(new float[] {1, 0.1f}, 2);
            var rope = new Rope(frequencies, 1, Rope.Pairs.HALVES, 4);
            var louder = new Rope(frequencies, 1.5f, Rope.Pairs.HALVES, 4);
            return new float[][] {
                x.rope(positions, rope).toFloats(), x.rope(positions.set(3, 10), rope).toFloats(), x.rope(positions, louder).toFloats(),
                x.rope(positions, new Rope(frequencies.set(1, 0.2f), 1.5f, Rope.Pairs.HALVES, 4)).toFloats(),
                x.rope(positions.set(3, 9), new Rope(frequencies.set(1, 0.1f), 1, Rope.Pairs.HALVES, 4)).toFloats()};
        }
    }
}
