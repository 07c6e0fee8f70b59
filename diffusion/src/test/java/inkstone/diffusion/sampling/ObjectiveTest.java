package inkstone.diffusion.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class ObjectiveTest {
    /** A network that says the target makes the clean picture, at every noise that it learns at. */
    @ParameterizedTest @EnumSource void targetGivesTheCleanPictureBack(Objective objective) {
        var random = new SplittableRandom(1);
        for (int i = 0; i < 1_000; i++) {
            double sigma = objective.draw(random), x0 = 2 * random.nextDouble() - 1, x = objective.noise().signal(sigma) * x0 + sigma * random.nextGaussian();
            var preconditioning = objective.noise().preconditioning(sigma);
            assertEquals(x0, preconditioning.skip() * x + preconditioning.out() * Objective.target(preconditioning, x0, x), 1e-9 * (1 + sigma * sigma));
        }
    }

    /** What the network is told grows with the noise and stays in what its waves can tell apart. */
    @ParameterizedTest @EnumSource void timesGrowWithTheNoise(Objective objective) {
        double last = Double.NEGATIVE_INFINITY;
        for (double share = 0.01; share < 1; share += 0.01) {
            double time = objective.time(objective.noise().preconditioning(objective.spread(share)));
            assertTrue(time > last && Math.abs(time) <= 2_000, "share %s: time %s after %s".formatted(share, time, last));
            last = time;
        }
    }

    /** Epsilon, velocity, picture and EDM's difference as the papers define them. */
    @Test void targetsAreThoseOfThePapers() {
        double x0 = 0.3, noise = -0.8, sigma = 1.7, signal = 1 / Math.sqrt(1 + sigma * sigma), spread = sigma * signal, x = x0 + sigma * noise;
        assertEquals(noise, target(Objective.EPSILON, sigma, x0, x), 1e-12);
        assertEquals(signal * noise - spread * x0, target(Objective.V, sigma, x0, x), 1e-12);
        assertEquals(x0, target(Objective.FLOW, 0.4, x0, 0.6 * x0 + 0.4 * noise), 1e-12);
        double squares = sigma * sigma + 0.25;
        assertEquals((x0 - 0.25 / squares * x) / (sigma * 0.5 / Math.sqrt(squares)), target(Objective.EDM, sigma, x0, x), 1e-12);
    }

    private static double target(Objective objective, double sigma, double x0, double x) { return Objective.target(objective.noise().preconditioning(sigma), x0, x); }

    /** The square of the error of the picture, weighed, is the square of the error of the velocity (x - x0) / t. */
    @Test void flowIsJudgedByItsVelocity() {
        double t = 0.3, error = 0.01;
        assertEquals(Math.pow(error / t, 2), Objective.FLOW.weight(t) * error * error, 1e-15);
    }

    /** In EDM the weight that the paper gives the picture's error, (sigma² + data²) / (sigma data)², is 1 for what the network says. */
    @Test void edmWeighsAsThePaper() {
        double sigma = 2.5, out = Objective.EDM.noise().preconditioning(sigma).out();
        assertEquals((sigma * sigma + 0.25) / Math.pow(sigma * 0.5, 2) * out * out, Objective.EDM.weight(sigma), 1e-12);
    }
}
