package inkstone.tensor.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("widths")
class ExponentialTest {
    @Test void isWithinTwoUnitsInTheLastPlace() {
        double worst = 0;
        for (float z = -87; z <= 88; z += 0.0037f) {
            double exact = Math.exp(z);
            worst = Math.max(worst, Math.abs(Exponential.exp(z) - exact) / Math.ulp((float) exact));
        }
        assertTrue(worst <= 2, "worst " + worst);
    }

    @Test void edgesAreAsStated() {
        assertEquals(1, Exponential.exp(0));
        assertEquals(0, Exponential.exp(-87.5f));
        assertEquals(0, Exponential.exp(Float.NEGATIVE_INFINITY));
        assertEquals(Exponential.exp(88), Exponential.exp(Float.POSITIVE_INFINITY));
        assertTrue(Float.isNaN(Exponential.exp(Float.NaN)));
    }

    @Test void vectorAndScalarHaveTheSameBits() {
        try (var arena = Arena.ofConfined()) {
            int count = 5 * Lanes.L + 3;
            var lanes = arena.allocate(64, 64);
            var x = arena.allocate(4L * count, 64);
            for (int i = 0; i < count; i++) x.setAtIndex(ValueLayout.JAVA_FLOAT, i, switch (i) {
                case 0 -> Float.NaN;
                case 1 -> Float.NEGATIVE_INFINITY;
                case 2 -> Float.POSITIVE_INFINITY;
                default -> (i - count / 2) * 7.7f;
            });
            var expected = new float[count];
            for (int i = 0; i < count; i++) expected[i] = Exponential.exp(x.getAtIndex(ValueLayout.JAVA_FLOAT, i) * 0.5f - 0.25f);
            Exponential.exp(x.address(), x.address(), count, 0.5f, 0.25f, lanes.address());
            for (int i = 0; i < count; i++) assertEquals(expected[i], x.getAtIndex(ValueLayout.JAVA_FLOAT, i), "element " + i);
        }
    }
}
