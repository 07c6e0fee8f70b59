package inkstone.diffusion.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class GuidanceTest {
    private final float[] x = NoiseGenerator.CPU.source(1).normal(64), with = NoiseGenerator.CPU.source(2).normal(64), without = NoiseGenerator.CPU.source(3).normal(64);

    @Test void oneIsNoGuidance() {
        assertTrue(new Guidance(1, 0.7).isNone());
        assertFalse(new Guidance(1.01, 0).isNone());
        assertArrayEquals(with, new Guidance(1, 0.7).combine(x, 3, Levels.SD, with, without));
        assertArrayEquals(without, new Guidance(0, 0).combine(x, 3, Levels.SD, with, without));
    }

    /** On pictures as on noise: e = e_u + w (e_c - e_u). */
    @Test void isTheSameOnNoise() {
        double sigma = 2.5;
        float[] guided = new Guidance(7.5, 0).combine(x, sigma, Levels.SD, with, without);
        for (int i = 0; i < x.length; i++) {
            double c = (x[i] - with[i]) / sigma, u = (x[i] - without[i]) / sigma;
            assertEquals(x[i] - sigma * (u + 7.5 * (c - u)), guided[i], 1e-5);
        }
    }

    /** All of it: the velocity has the contrast that it has without guidance; and 0.7 of it is 0.7 of the way. */
    @Test void rescalingGivesTheContrastBack() {
        for (var model : List.of(Levels.SD, Levels.FLOW3)) {
            double sigma = 0.6;
            float[] all = new Guidance(7.5, 1).combine(x, sigma, model, with, without), none = new Guidance(7.5, 0).combine(x, sigma, model, with, without),
                some = new Guidance(7.5, 0.7).combine(x, sigma, model, with, without);
            assertEquals(contrast(model, sigma, with), contrast(model, sigma, all), 1e-5);
            assertTrue(contrast(model, sigma, none) > 2 * contrast(model, sigma, with));
            assertArrayEquals(Blend.of(0.7, all, 0.3, none), some, 1e-5f);
        }
    }

    /** Standard deviation of the velocity, from its definition. */
    private double contrast(NoiseModel model, double sigma, float[] clean) {
        var v = new double[x.length];
        double mean = 0, squares = 0;
        for (int i = 0; i < v.length; i++) {
            double noise = (x[i] - model.signal(sigma) * clean[i]) / sigma, alpha = 1 / (1 + sigma * sigma);
            v[i] = model == Levels.FLOW3 ? noise - clean[i] : Math.sqrt(alpha) * noise - Math.sqrt(1 - alpha) * clean[i];
            mean += v[i] / v.length;
        }
        for (double value : v) squares += (value - mean) * (value - mean) / v.length;
        return Math.sqrt(squares);
    }

    @Test void thresholdHoldsStrongColoursIn() {
        float[] mild = {0.5f, -0.9f, 0.1f}, same = mild.clone(), strong = {4, -2, 1, 0.5f, 0};
        Guidance.threshold(mild, 0.995);
        assertArrayEquals(same, mild);
        Guidance.threshold(strong, 0.75);                        // sizes 0, 0.5, 1, 2, 4: three quarters are up to 2
        assertArrayEquals(new float[]{1, -1, 0.5f, 0.25f, 0}, strong);
    }
}
