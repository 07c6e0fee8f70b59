package inkstone.diffusion.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.api.Test;

final class ObjectiveTest {
    /** A network that says the target makes the clean picture, at every noise. */
    @ParameterizedTest @EnumSource void targetGivesTheCleanPictureBack(Objective objective) {
        var random = new SplittableRandom(1);
        for (int i = 0; i < 1_000; i++) {
            var level = objective.at(objective.draw(random));
            double x0 = 2 * random.nextDouble() - 1, x = level.signal() * x0 + level.noise() * random.nextGaussian();
            assertEquals(x0, level.skip() * x + level.output() * level.target(x0, x), 1e-9 * (1 + level.noise() * level.noise()));
        }
    }

    /** What the network is told grows with the noise and stays in what its waves can tell apart. */
    @ParameterizedTest @EnumSource void timesGrowWithTheNoise(Objective objective) {
        double last = Double.NEGATIVE_INFINITY;
        for (double share = 0.01; share < 1; share += 0.01) {
            double time = objective.at(objective.spread(share)).time();
            assertTrue(time > last && Math.abs(time) <= 2_000, "share %s: time %s after %s".formatted(share, time, last));
            last = time;
        }
    }

    /** Epsilon, velocity and x0 as the papers define them. */
    @Test void targetsAreThoseOfThePapers() {
        double x0 = 0.3, noise = -0.8, sigma = 1.7, signal = 1 / Math.sqrt(1 + sigma * sigma), spread = sigma * signal, x = x0 + sigma * noise;
        assertEquals(noise, Objective.EPSILON.at(sigma).target(x0, x), 1e-12);
        assertEquals(signal * noise - spread * x0, Objective.V.at(sigma).target(x0, x), 1e-12);
        assertEquals(x0, Objective.FLOW.at(0.4).target(x0, 0.6 * x0 + 0.4 * noise), 1e-12);
        var edm = Objective.EDM.at(sigma);
        double squares = sigma * sigma + 0.25;
        assertEquals((x0 - 0.25 / squares * x) / (sigma * 0.5 / Math.sqrt(squares)), edm.target(x0, x), 1e-12);
    }

    /** The square of the error of x0, weighed, is the square of the error of the velocity (x - x0) / t. */
    @Test void flowIsJudgedByItsVelocity() {
        double t = 0.3, error = 0.01;
        assertEquals(Math.pow(error / t, 2), Objective.FLOW.at(t).weight() * error * error, 1e-15);
    }
}
