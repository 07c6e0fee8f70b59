package inkstone.diffusion.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class SamplerTest {
    private static final double S = 0.7;

    @Test void statesAreThoseOfAProgramWrittenApart() throws IOException {
        Denoiser denoiser = (x, sigma) -> {
            var clean = new float[x.length];
            for (int i = 0; i < x.length; i++) clean[i] = (float) (0.8 * Math.tanh(0.7 * x[i] / (1 + sigma)) + 0.1 * Math.cos(i));
            return clean;
        };
        for (String[] words : Levels.lines("samplers.txt")) {
            NoiseModel noise = Levels.of(words[2]);
            double[] sigmas = Schedule.of(words[3]).sigmas(noise, Integer.parseInt(words[4]));
            var stream = NoiseGenerator.CPU.source(42);
            float[] x = Blend.of(0, new float[16], sigmas[0], stream.normal(16)), expected = new float[16];
            for (int i = 0; i < 16; i++) expected[i] = Float.parseFloat(words[5 + i]);
            double eta = words[1].equals("-") ? -1 : Double.parseDouble(words[1]);
            float[] end = Sampler.of(words[0]).sample(new Sampling(denoiser, sigmas, noise, stream, eta, Sampling.Progress.NOBODY), x);
            // States are floats of up to 160 in the first steps.
            assertArrayEquals(expected, end, 1e-5f, String.join(" ", List.of(words).subList(0, 5)));
        }
    }

    /** Data N(0, S²): D is known, and the path ends at x · sqrt(S² + end²) / sqrt(S² + start²). Error over one step more: half for the first order, a quarter for the second. */
    @Test void errorsShrinkAsTheOrderSays() {
        for (var sampler : List.of(Sampler.EULER, Sampler.DDIM)) assertOrder(1, 0.85, 1.15, sampler);
        for (var sampler : List.of(Sampler.HEUN, Sampler.DPM2, Sampler.DPMPP_2M)) assertOrder(2, 1.8, 2.3, sampler);
        assertOrder(2, 1.8, 3.5, Sampler.UNI_PC);               // corrected with three evaluations: a little more than 2
        assertOrder(2, 1.8, 5, Sampler.LMS);                    // four, but it begins with Euler's step
        assertOrder(2, 1.8, 2.3, Sampler.DPMPP_2S_A, Sampler.DPMPP_SDE, Sampler.DPMPP_2M_SDE);       // without new noise
    }

    private static void assertOrder(int order, double least, double most, Sampler... samplers) {
        for (var sampler : samplers) for (var model : List.of(Levels.SD, Levels.FLOW3)) {
            double measured = Math.log(error(sampler, model, 40) / error(sampler, model, 80)) / Math.log(2);
            assertTrue(measured > least && measured < most, sampler + " for " + model + ": order " + order + ", measured " + measured);
        }
    }

    private static double error(Sampler sampler, NoiseModel model, int steps) {
        double from = model == Levels.SD ? 10 : 0.9, to = model == Levels.SD ? 0.2 : 0.05;
        var sigmas = new double[steps + 1];
        for (int i = 0; i <= steps; i++) sigmas[i] = Math.pow(Math.pow(from, 1 / 3.0) + (double) i / steps * (Math.pow(to, 1 / 3.0) - Math.pow(from, 1 / 3.0)), 3);
        float[] x = {1, -2, 3}, end = sampler.sample(new Sampling(gaussian(model), sigmas, model, null, 0, Sampling.Progress.NOBODY), x);
        double factor = deviation(model, to) / deviation(model, from), worst = 0;
        for (int i = 0; i < 3; i++) worst = Math.max(worst, Math.abs(end[i] / (x[i] * factor) - 1));
        return worst;
    }

    /** Of the noisy state, for data N(0, S²). */
    private static double deviation(NoiseModel model, double sigma) { return Math.hypot(model.signal(sigma) * S, sigma); }

    /** E[picture | x] of data N(0, S²). */
    private static Denoiser gaussian(NoiseModel model) {
        return (x, sigma) -> {
            double variance = deviation(model, sigma) * deviation(model, sigma);
            return Blend.of(model.signal(sigma) * S * S / variance, x, 0, x);
        };
    }

    @Test void everySamplerEndsWithTheVarianceOfTheData() {
        int n = 10_000;
        for (var sampler : Sampler.values()) for (var model : List.of(Levels.SD, Levels.FLOW3, Levels.EDM)) {
            if (sampler == Sampler.LCM) continue;                // takes D for a sample of the data, which only a distilled model's is
            double[] sigmas = (model == Levels.FLOW3 ? Schedule.TRAILING : Schedule.KARRAS).sigmas(model, 200);
            NoiseSource stream = fast(5);
            float[] end = sampler.sample(new Sampling(gaussian(model), sigmas, model, stream, -1, Sampling.Progress.NOBODY), Blend.of(0, new float[n], deviation(model, sigmas[0]), stream.normal(n)));
            // Four standard errors of a variance are 6%; steps of first order add 3 more.
            assertEquals(1, variance(end) / (S * S), 0.09, sampler + " for " + model);
        }
    }

    /** Where the prediction is right at every level, the state must have exactly the noise that its level says, however few the steps. */
    @Test void everyStepLeavesAsMuchNoiseAsItsLevelSays() {
        int n = 20_000;
        for (var sampler : Sampler.values()) for (var model : List.of(Levels.SD, Levels.FLOW3)) for (double eta : new double[]{-1, 0.3, 0.8}) {
            double[] sigmas = Schedule.SIMPLE.sigmas(model, 6);
            NoiseSource stream = fast(8);
            float[] start = model.noisy(constant(n, 2), stream.normal(n), sigmas[0]);
            sampler.sample(new Sampling((x, _) -> constant(x.length, 2), sigmas, model, stream, eta, (step, sigma, next, x, denoised) -> {
                double mean = 0;
                for (float v : x) mean += v / n;
                assertEquals(2 * model.signal(next), mean, 0.03 * Math.max(next, 0.01), sampler + " with eta " + eta + ", step " + step);
                if (next > 0) assertEquals(1, variance(x) / (next * next), 0.04, sampler + " with eta " + eta + " for " + model + ", step " + step);
            }), start);
        }
    }

    /** Song et al. 2020, equation 12, written as the paper has it, with the picture scaled by sqrt(a). */
    @Test void ddimIsThatOfThePaperForEveryEta() {
        var model = (DiscreteNoise) Levels.SD;
        int[] times = {900, 700, 450, 200, 20};
        for (double eta : new double[]{0, 0.4, 1}) {
            var sigmas = new double[times.length + 1];
            for (int i = 0; i < times.length; i++) sigmas[i] = model.sigma(times[i]);
            var stream = NoiseGenerator.CPU.source(1);
            float[] x = Blend.of(0, new float[8], sigmas[0], stream.normal(8));
            var paperStream = NoiseGenerator.CPU.source(1);
            paperStream.normal(8);
            float[] scaled = Blend.of(Math.sqrt(model.alpha(times[0])), x, 0, x);
            for (int i = 0; i < times.length; i++) {
                double a = model.alpha(times[i]), next = i + 1 < times.length ? model.alpha(times[i + 1]) : 1;
                float[] clean = gaussian(model).denoise(Blend.of(1 / Math.sqrt(a), scaled, 0, scaled), sigmas[i]);
                float[] epsilon = Blend.of(1 / Math.sqrt(1 - a), scaled, -Math.sqrt(a) / Math.sqrt(1 - a), clean);
                double noise = eta * Math.sqrt((1 - next) / (1 - a)) * Math.sqrt(1 - a / next);
                scaled = Blend.of(Math.sqrt(next), clean, Math.sqrt(Math.max(0, 1 - next - noise * noise)), epsilon);
                if (noise > 0) Blend.add(scaled, noise, paperStream.normal(8));
            }
            assertArrayEquals(scaled, Sampler.DDIM.sample(new Sampling(gaussian(model), sigmas, model, stream, eta, Sampling.Progress.NOBODY), x), 1e-5f, "eta " + eta);
        }
    }

    /** Ho et al. 2020, algorithm 2, all thousand steps, with the variance of the posterior. */
    @Test void ddpmIsThatOfThePaper() {
        double[] betas = DiscreteNoise.linear(1000, 1e-4, 0.02);
        var model = DiscreteNoise.ofBetas(betas, Parameterization.EPSILON);
        double[] sigmas = Schedule.SIMPLE.sigmas(model, 1000);
        var stream = NoiseGenerator.CPU.source(1);
        float[] x = Blend.of(0, new float[8], sigmas[0], stream.normal(8));
        var paperStream = NoiseGenerator.CPU.source(1);
        paperStream.normal(8);
        float[] scaled = Blend.of(Math.sqrt(model.alpha(999)), x, 0, x);
        for (int t = 999; t >= 0; t--) {
            double a = model.alpha(t), before = t == 0 ? 1 : model.alpha(t - 1);
            float[] clean = gaussian(model).denoise(Blend.of(1 / Math.sqrt(a), scaled, 0, scaled), model.sigma(t));
            float[] epsilon = Blend.of(1 / Math.sqrt(1 - a), scaled, -Math.sqrt(a) / Math.sqrt(1 - a), clean);
            scaled = Blend.of(1 / Math.sqrt(1 - betas[t]), scaled, -betas[t] / Math.sqrt(1 - a) / Math.sqrt(1 - betas[t]), epsilon);
            if (t > 0) Blend.add(scaled, Math.sqrt(betas[t] * (1 - before) / (1 - a)), paperStream.normal(8));
        }
        assertArrayEquals(scaled, Sampler.DDPM.sample(new Sampling(gaussian(model), sigmas, model, stream, -1, Sampling.Progress.NOBODY), x), 2e-5f);
    }

    @Test void samplersWithoutNoiseAreOneWalk() {
        for (var model : List.of(Levels.SD, Levels.FLOW3)) {
            double[] sigmas = Schedule.SIMPLE.sigmas(model, 12);
            float[] x = Blend.of(0, new float[32], sigmas[0], NoiseGenerator.CPU.source(3).normal(32));
            float[] euler = Sampler.EULER.sample(new Sampling(gaussian(model), sigmas, model, null, -1, Sampling.Progress.NOBODY), x);
            assertArrayEquals(euler, Sampler.DDIM.sample(new Sampling(gaussian(model), sigmas, model, null, 0, Sampling.Progress.NOBODY), x), 1e-6f);
            assertArrayEquals(euler, Sampler.EULER_A.sample(new Sampling(gaussian(model), sigmas, model, null, 0, Sampling.Progress.NOBODY), x), 1e-6f);
        }
    }

    @Test void evaluationsAreAsManyAsPromised() {
        for (var sampler : Sampler.values()) {
            var evaluations = new AtomicInteger();
            var steps = new ArrayList<Integer>();
            double[] sigmas = Schedule.KARRAS.sigmas(Levels.SD, 10);
            float[] x = {3, 4}, before = x.clone();
            float[] end = sampler.sample(new Sampling((state, sigma) -> {
                evaluations.incrementAndGet();
                return gaussian(Levels.SD).denoise(state, sigma);
            }, sigmas, Levels.SD, NoiseGenerator.INKSTONE.source(1), -1, (step, sigma, next, state, denoised) -> {
                steps.add(step);
                assertEquals(sigmas[step - 1], sigma);
                assertEquals(sigmas[step], next);
                assertTrue(state != denoised, "what is shown as predicted may not change with the state");
            }), x);
            assertEquals(List.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), steps);
            assertEquals(List.of(Sampler.HEUN, Sampler.DPM2, Sampler.DPMPP_2S_A, Sampler.DPMPP_SDE).contains(sampler) ? 19 : 10, evaluations.get(), sampler.id());
            assertArrayEquals(before, x);
            assertEquals(2, end.length);
        }
    }

    @Test void whoWatchesCanEndIt() {
        for (var sampler : Sampler.values()) {
            assertThrows(CancellationException.class, () -> sampler.sample(new Sampling(gaussian(Levels.SD), Schedule.KARRAS.sigmas(Levels.SD, 10), Levels.SD, NoiseGenerator.CPU.source(1), -1,
                (step, _, _, _, _) -> { if (step == 3) throw new CancellationException(); }), new float[4]));
        }
    }

    @Test void levelsMustFall() {
        var rising = new Sampling(gaussian(Levels.SD), new double[]{1, 2, 0}, Levels.SD, null, 0, Sampling.Progress.NOBODY);
        assertEquals("noise must fall with every step; after 1.0 came 2.0 (step 1)", assertThrows(IllegalArgumentException.class, () -> Sampler.EULER.sample(rising, new float[2])).getMessage());
    }

    /** For millions of numbers. */
    private static NoiseSource fast(long seed) {
        var random = new SplittableRandom(seed);
        return n -> {
            var values = new float[n];
            for (int i = 0; i < n; i++) values[i] = (float) random.nextGaussian();
            return values;
        };
    }

    private static float[] constant(int n, float value) {
        var values = new float[n];
        Arrays.fill(values, value);
        return values;
    }

    private static double variance(float[] values) {
        double sum = 0, squares = 0;
        for (float v : values) { sum += v; squares += (double) v * v; }
        return squares / values.length - sum / values.length * (sum / values.length);
    }
}
