package inkstone.diffusion.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class NoiseModelTest {
    private static final long SEED = 20;

    @Test void tablesBeginAndEndWhereTheirModelsDo() {
        assertEquals(0.0291671582, Levels.SD.sigmaMin(), 1e-9);
        assertEquals(14.6146412293, Levels.SD.sigmaMax(), 1e-8);
        var ddpm = DiscreteNoise.ofBetas(DiscreteNoise.linear(1000, 1e-4, 0.02), Parameterization.EPSILON);
        assertEquals(1 - 1e-4, ddpm.alpha(0), 1e-12);
        assertEquals(4.0358e-5, ddpm.alpha(999), 1e-8);        // Ho et al. 2020: KL of x_T to a Gaussian near 1e-5 bits a dimension
        double[] cosine = DiscreteNoise.cosine(1000);
        assertEquals(4.1284e-5, cosine[0], 1e-8);
        assertEquals(0.999, cosine[999]);
    }

    @Test void timeAndNoiseAreEachOthersInverse() {
        var random = new Random(SEED);
        for (var noise : List.of(Levels.SD, Levels.FLOW3, Levels.EDM)) for (int n = 0; n < 500; n++) {
            double time = random.nextDouble() * 999;
            assertEquals(time, noise.time(noise.sigma(time)), 1e-7, noise + ", seed " + SEED + ", case " + n);
        }
        assertEquals(0, Levels.SD.time(1e-5));
        assertEquals(999, Levels.SD.time(1e5));
    }

    /** A network that answers perfectly in its own terms gives the picture back, whatever those are. */
    @Test void everyParameterizationComesToThePicture() {
        var random = new Random(SEED);
        float[] clean = normal(random), noise = normal(random);
        for (double sigma : new double[]{0.03, 0.4, 0.9, 3, 14}) {
            double alpha = 1 / (1 + sigma * sigma), root = Math.sqrt(alpha), rest = Math.sqrt(1 - alpha);
            for (var output : List.of(Parameterization.EPSILON, Parameterization.VELOCITY, Parameterization.SAMPLE)) {
                var model = DiscreteNoise.stableDiffusion(output);
                float[] x = model.noisy(clean, noise, sigma);
                Preconditioning p = model.preconditioning(sigma);
                // The network sees the variance-preserving state of the papers.
                assertArrayEquals(Blend.of(root, clean, rest, noise), p.input(x), 2e-6f);
                float[] answer = switch (output) { case EPSILON -> noise; case VELOCITY -> Blend.of(root, noise, -rest, clean); default -> clean; };
                assertArrayEquals(clean, p.clean(x, answer), 1e-5f, output + " at " + sigma);
            }
            if (sigma > 1) continue;
            for (var output : List.of(Parameterization.FLOW, Parameterization.SAMPLE)) {
                var model = new FlowNoise(1, 1000, output);
                float[] x = model.noisy(clean, noise, sigma);
                assertArrayEquals(Blend.of(1 - sigma, clean, sigma, noise), x, 1e-6f);
                assertArrayEquals(clean, model.preconditioning(sigma).clean(x, output == Parameterization.FLOW ? Blend.of(1, noise, -1, clean) : clean), 1e-6f);
                assertEquals(1000 * sigma, model.preconditioning(sigma).time());
            }
        }
    }

    /** Karras et al., section 5: input and training target of the network have variance 1 when the pictures have deviation 0.5, and c_out is as small as can be. */
    @Test void edmKeepsVarianceOne() {
        for (double sigma : new double[]{0.002, 0.1, 0.5, 2, 80}) {
            Preconditioning p = Levels.EDM.preconditioning(sigma);
            assertEquals(1, p.in() * p.in() * (0.25 + sigma * sigma), 1e-12);
            double target = (1 - p.skip()) * (1 - p.skip()) * 0.25 + p.skip() * p.skip() * sigma * sigma;
            assertEquals(1, target / (p.out() * p.out()), 1e-9);
            assertEquals(Math.log(sigma) / 4, p.time());
        }
    }

    @Test void zeroTerminalLeavesTheStartAndTakesThePictureFromTheEnd() {
        var plain = DiscreteNoise.stableDiffusion(Parameterization.VELOCITY);
        var zero = plain.zeroTerminal();
        assertEquals(plain.sigmaMin(), zero.sigmaMin(), 1e-9);
        assertEquals(4518.8, zero.sigmaMax(), 0.1);
        assertTrue(zero.sigma(500) > plain.sigma(500));
    }

    @Test void aStepWithNewNoiseEndsWithAsMuchAsItSays() {
        var random = new Random(SEED);
        for (int n = 0; n < 1_000; n++) for (var model : List.of(Levels.SD, Levels.FLOW3)) {
            double sigma = model.sigma(1 + random.nextDouble() * 998), next = sigma * random.nextDouble(), eta = n % 5 / 4.0;
            var step = model.renoising(sigma, next, eta);
            double left = step.down() * step.scale();
            assertEquals(next * next, left * left + step.up() * step.up(), 1e-9 * Math.max(1, next * next), "seed " + SEED + ", case " + n);
            assertEquals(model.signal(next), model.signal(step.down()) * step.scale(), 1e-12, "seed " + SEED + ", case " + n);
            if (eta == 0) assertEquals(0, step.up(), 1e-7);
        }
    }

    @Test void modelsThatCannotBeAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> new FlowNoise(0, 1, Parameterization.FLOW));
        assertThrows(IllegalArgumentException.class, () -> new FlowNoise(1, 1, Parameterization.EPSILON));
        assertThrows(IllegalArgumentException.class, () -> DiscreteNoise.ofBetas(new double[]{0.1, -0.1}, Parameterization.EPSILON));
        assertThrows(IllegalArgumentException.class, () -> DiscreteNoise.ofAlphas(new double[]{0.5, Double.NaN}, Parameterization.EPSILON));
        assertThrows(IllegalArgumentException.class, () -> DiscreteNoise.stableDiffusion(Parameterization.FLOW));
        assertThrows(IllegalArgumentException.class, () -> new EdmNoise(1, 0.5, 0.5, Parameterization.EDM));
    }

    private static float[] normal(Random random) {
        var values = new float[50];
        for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
        return values;
    }
}
