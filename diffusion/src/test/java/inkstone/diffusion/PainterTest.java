package inkstone.diffusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import inkstone.diffusion.ImagePipeline.Painted;
import inkstone.diffusion.ImagePipeline.Step;
import inkstone.diffusion.ImagePipeline.Watcher;
import inkstone.diffusion.sampling.Denoiser;
import inkstone.diffusion.sampling.DiscreteNoise;
import inkstone.diffusion.sampling.NoiseModel;
import inkstone.diffusion.sampling.NoiseSource;
import inkstone.diffusion.sampling.Parameterization;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;

class PainterTest {
    private static final ImageRequest DEFAULTS = new ImageRequest("", "", 8, 8, 10, 1, 0, null, null, -1, null, 0, 1, null, null, 1);
    private static final ImageModelInfo INFO = new ImageModelInfo("Dot", "test", 1, true, 4, 8, 64, DEFAULTS, List.of("euler", "euler_a", "heun"), List.of("simple", "karras"), List.of("inkstone", "cpu"));

    /** A model of pixels that takes everything for this colour, more or less as noise hides it; latents are blocks of 4 x 4. */
    private record Dot(NoiseModel noise, float colour, List<Double> asked) implements Painter.Canvas {
        @Override public int cell() { return 4; }
        @Override public int channels() { return 3; }
        @Override public Denoiser denoiser() {
            return (x, sigma) -> {
                asked.add(sigma);
                var clean = new float[x.length];
                for (int i = 0; i < x.length; i++) clean[i] = (float) (colour + 0.2 * Math.tanh(x[i]));
                return clean;
            };
        }
        @Override public float[] encode(Picture picture, NoiseSource noise) {
            float[] pixels = picture.toFloats(), latent = new float[pixels.length / 16];
            for (int y = 0; y < picture.height() / 4; y++) for (int x = 0; x < picture.width() / 4; x++) for (int c = 0; c < 3; c++) {
                latent[(y * picture.width() / 4 + x) * 3 + c] = pixels[(y * 4 * picture.width() + x * 4) * 3 + c];
            }
            return latent;
        }
        @Override public Picture decode(float[] latent, int width, int height) {
            var pixels = new float[latent.length * 16];
            for (int y = 0; y < height * 4; y++) for (int x = 0; x < width * 4; x++) for (int c = 0; c < 3; c++) pixels[(y * width * 4 + x) * 3 + c] = latent[(y / 4 * width + x / 4) * 3 + c];
            return Picture.of(width * 4, height * 4, 3, pixels);
        }
        @Override public Picture preview(float[] latent, int width, int height) { return Picture.of(width, height, 3, latent); }
    }

    private static Dot dot() { return new Dot(DiscreteNoise.stableDiffusion(Parameterization.EPSILON), 0.3f, new ArrayList<>()); }

    private static List<Painted> paint(ImageRequest request, Painter.Canvas canvas, Watcher watcher) { return Painter.paint(Painter.check(request, INFO), canvas, watcher); }

    @Test void aSeedMeansAPictureAndTheNextTheNext() {
        for (String sampler : INFO.samplers()) {
            var request = DEFAULTS.withSampler(sampler, "karras").withSize(16, 8).withSeed(40).withCount(3);
            List<Painted> three = paint(request, dot(), Watcher.NOBODY);
            assertEquals(List.of(40L, 41L, 42L), three.stream().map(Painted::seed).toList());
            assertEquals(three.get(2).picture(), paint(request.withSeed(42).withCount(1), dot(), Watcher.NOBODY).getFirst().picture());
            assertNotEquals(three.get(0).picture(), three.get(1).picture());
            assertEquals(16, three.get(0).picture().width());
        }
    }

    @Test void everyStepIsTold() {
        var steps = new ArrayList<String>();
        var canvas = dot();
        paint(DEFAULTS.withSteps(3).withCount(2), canvas, step -> {
            steps.add(step.picture() + ":" + step.step() + "/" + step.steps());
            assertEquals(2, step.predicted().width());
            assertEquals(canvas.asked().getLast(), step.sigma());
            if (step.step() == 3) assertEquals(step.predicted(), step.noisy());       // Euler's last step is the prediction
        });
        assertEquals(List.of("0:1/3", "0:2/3", "0:3/3", "1:1/3", "1:2/3", "1:3/3"), steps);
    }

    @Test void aWatcherEndsItBeforeAnyEvaluation() {
        for (int last = 0; last < 6; last++) {
            var canvas = dot();
            int most = last;
            var watcher = new Watcher() {
                @Override public void step(Step step) {}
                @Override public void evaluating() { if (canvas.asked().size() == most) throw new CancellationException(); }
            };
            assertThrows(CancellationException.class, () -> paint(DEFAULTS.withSampler("heun", "simple"), canvas, watcher));
            assertEquals(most, canvas.asked().size());
        }
    }

    /** Strength counts steps as diffusers does, and a float's 0.7 is seven tenths. */
    @Test void aPictureIsTheStart() {
        Picture grey = grey(8, 8, 200);
        for (int tenths = 1; tenths <= 10; tenths++) {
            var canvas = dot();
            paint(DEFAULTS.withPicture(grey, null, tenths / 10f), canvas, Watcher.NOBODY);
            assertEquals(tenths, canvas.asked().size());
        }
        assertEquals(7, Painter.stepsTaken(DEFAULTS.withSteps(20).withPicture(grey, null, 0.35f)));
        assertEquals(3, Painter.stepsTaken(DEFAULTS.withSteps(5).withPicture(grey, null, 0.75f)));
    }

    @Test void theMaskKeepsWhatIsBlack() {
        var original = new Picture(16, 16, 3, new byte[16 * 16 * 3]);
        for (int i = 0; i < original.bytes().length; i++) original.bytes()[i] = (byte) (i * 7);
        var mask = new Picture(16, 16, 1, new byte[256]);
        for (int y = 0; y < 16; y++) for (int x = 0; x < 16; x++) mask.bytes()[y * 16 + x] = (byte) (x >= 8 ? 255 : x >= 6 ? 128 : 0);
        var canvas = dot();
        Picture painted = paint(DEFAULTS.withSize(16, 16).withPicture(original, mask, 1), canvas, step -> {
            // The left cells have the original with its share of noise: after the last step, itself.
            if (step.step() == step.steps()) assertEquals(Math.round((canvas.encode(original, null)[0] + 1) * 127.5f), step.noisy().at(0, 0, 0), 1);
        }).getFirst().picture();
        for (int y = 0; y < 16; y++) for (int x = 0; x < 16; x++) for (int c = 0; c < 3; c++) {
            if (x < 6) assertEquals(original.at(x, y, c), painted.at(x, y, c));
            else if (x >= 8) assertEquals((0.3 + 1) * 127.5, painted.at(x, y, c), 0.2 * 127.5 + 1);
        }
        // Half white is half of each.
        assertEquals((original.at(6, 0, 0) + (0.3 + 1) * 127.5) / 2, painted.at(6, 0, 0), 0.1 * 127.5 + 2);
    }

    @Test void whatIsWrongWithARequestIsOneLine() {
        assertError("width must be 8 to 64 pixels and a multiple of 4 for Dot, got 10", DEFAULTS.withSize(10, 8));
        assertError("height must be 8 to 64 pixels and a multiple of 4 for Dot, got 68", DEFAULTS.withSize(8, 68));
        assertError("steps must be 1 to 1000, got 0", DEFAULTS.withSteps(0));
        assertError("guidance must be 0 to 100, got NaN", DEFAULTS.withGuidance(Float.NaN));
        assertError("rescale must be 0 to 1, got 2.0", DEFAULTS.withRescale(2));
        assertError("count must be 1 to 100, got 0", DEFAULTS.withCount(0));
        assertError("Dot has no sampler lms; it has euler, euler_a, heun", DEFAULTS.withSampler("LMS", null));
        assertError("unknown schedule 'nonsense'; there are normal, karras, exponential, sgm_uniform, simple, trailing, ddim, beta, ays, kl_optimal, lcm", DEFAULTS.withSampler(null, "nonsense"));
        assertError("Dot has no noise cuda; it has inkstone, cpu", DEFAULTS.withNoise("gpu"));
        assertError("strength must be above 0 and at most 1, got 0.0", DEFAULTS.withPicture(grey(8, 8, 0), null, 0));
        assertError("strength 0.05 of 10 steps is less than one step; use 0.1 or more", DEFAULTS.withPicture(grey(8, 8, 0), null, 0.05f));
        assertError("the mask must be as large as the picture, 8 x 8, got 4 x 8", DEFAULTS.withPicture(grey(8, 8, 0), grey(4, 8, 0), 1));
        assertError("a mask needs the picture that it belongs to", DEFAULTS.withPicture(null, grey(4, 8, 0), 1));
        var named = Painter.check(DEFAULTS.withSampler("Euler a", null), INFO);
        assertEquals("euler_a", named.sampler());
        assertEquals("simple", named.schedule());
        assertEquals("inkstone", named.noise());
    }

    private static void assertError(String message, ImageRequest request) { assertEquals(message, assertThrows(IllegalArgumentException.class, () -> Painter.check(request, INFO)).getMessage()); }

    private static Picture grey(int width, int height, int level) {
        var bytes = new byte[width * height * 3];
        Arrays.fill(bytes, (byte) level);
        return new Picture(width, height, 3, bytes);
    }
}
