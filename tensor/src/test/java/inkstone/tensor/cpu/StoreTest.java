package inkstone.tensor.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("widths")
class StoreTest {
    private static byte[] stored(float[] values) {
        try (var arena = Arena.ofConfined()) {
            var floats = arena.allocateFrom(ValueLayout.JAVA_FLOAT, values);
            var blocks = arena.allocate(DType.Q8_0.bytes(values.length));
            Store.of(DType.Q8_0).row(blocks.address(), floats.address(), values.length);
            return blocks.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /** Magnitudes from denormal to the largest that F16 scales reach, halves that are ties, zeros of both signs. */
    @Test void q8HasTheBitsOfTheFormat() {
        var random = new Random(7);
        for (int n = 0; n < 2_000; n++) {
            var values = new float[64];
            float magnitude = (float) Math.pow(10, random.nextInt(-44, 6));
            for (int i = 0; i < 64; i++) values[i] = random.nextInt(8) == 0 ? -0f : n % 3 == 0 ? random.nextInt(-254, 255) / 2f : (float) random.nextGaussian() * magnitude;
            if (n % 3 == 0) values[0] = values[32] = 127;
            var expected = new byte[68];
            Blocks.fromFloats(DType.Q8_0, values, MemorySegment.ofArray(expected), 0, 64);
            assertArrayEquals(expected, stored(values), "case " + n);
        }
    }

    @Test void whatABlockCannotHoldBecomesNaN() {
        for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 1e7f}) {
            var values = new float[64];
            values[40] = bad;
            values[3] = 1;
            var back = new float[64];
            Blocks.toFloats(DType.Q8_0, MemorySegment.ofArray(stored(values)), 0, back, 64);
            for (int i = 0; i < 64; i++) assertEquals(i >= 32, Float.isNaN(back[i]), bad + " at " + i);
            assertTrue(Math.abs(back[3] - 1) < 1e-3);
        }
    }
}
