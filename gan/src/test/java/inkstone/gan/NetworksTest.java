package inkstone.gan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Scope;
import inkstone.tensor.Shape;
import inkstone.tensor.Tensor;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.reference.ReferenceBackend;
import java.util.Collections;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class NetworksTest {
    private static final long SEED = 20262;

    static float[] normal(long seed, int count) {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (float) random.nextGaussian();
        return values;
    }

    private static Tensor labels(Scope scope, GanConfig c, int n) {
        if (c.classes() == 0) return null;
        var labels = new int[n];
        for (int i = 0; i < n; i++) labels[i] = i % c.classes();
        return scope.ints(labels);
    }

    /** Pictures have their size, every parameter has a part in them and gets a gradient, and a fair discriminator's loss is ln 2 a term. */
    @ParameterizedTest @EnumSource(GanConfig.Family.class) void pairsOfAllFamiliesPaintJudgeAndLearn(GanConfig.Family family) {
        var c = Learned.small(family);
        int n = 4;
        try (var backend = new CpuBackend(2); var pair = Learned.of(c, backend, Networks.grown(c)); var scope = Scope.training(backend)) {
            var pictures = pair.generator().forward(scope.floats(normal(SEED, n * c.latent()), n, c.latent()), labels(scope, c, n));
            assertEquals(new Shape(n * pair.domains(), c.size(), c.size(), c.channels()), pictures.shape());
            var judged = pair.discriminator().forward(pictures, labels(scope, c, n * pair.domains()));
            assertEquals(new Shape(n * pair.domains(), 1), judged.shape());
            scope.backward(GanLoss.LOGISTIC.ofGenerator(judged));
            for (var parameters : new inkstone.tensor.train.Parameters[] {pair.ofGenerator(), pair.ofDiscriminator()}) parameters.tensors().forEach((name, parameter) -> {
                if (!Networks.learns(name) || family.grows() && name.matches("stages\\.[23]\\.(to|from)_rgb.*|synthesis\\.[23]\\.to_rgb.*") || name.contains("noise_strength")) return;
                float largest = 0;
                for (float g : floats(backend, parameter.gradient())) largest = Math.max(largest, Math.abs(g));
                assertTrue(largest > 0 && Float.isFinite(largest), () -> name + " has no gradient");
            });
        }
    }

    private static float[] floats(inkstone.tensor.Backend backend, Tensor t) {
        var values = new float[Math.toIntExact(t.shape().elements())];
        backend.download(java.lang.foreign.MemorySegment.ofArray(values), t.data());
        return values;
    }

    @Test void lossesOfAFairJudgeAreTheLogarithmOfTwo() {
        try (var backend = new ReferenceBackend(); var scope = Scope.inference(backend)) {
            Tensor undecided = scope.floats(new float[5], 5, 1);
            assertEquals(2 * Math.log(2), GanLoss.LOGISTIC.ofDiscriminator(undecided, undecided).toFloats()[0] / 5, 1e-6);
            assertEquals(Math.log(2), GanLoss.LOGISTIC.ofGenerator(undecided).toFloats()[0] / 5, 1e-6);
        }
    }

    /** Equalized layers and demodulation keep the mean square at 1, layer after layer. */
    @Test void layersKeepAMeanSquareOfOne() {
        var c = new GanConfig(GanConfig.Family.STYLEGAN2, 16, 3, 64, 1 << 14, 64, 2, 0);
        try (var backend = new CpuBackend(2); var pair = Learned.of(c, backend, Networks.grown(c)); var scope = Scope.inference(backend)) {
            var generator = (StyleGan2.G) pair.generator();
            int n = 8;
            var style = generator.style(scope.floats(normal(SEED, n * 64), n, 64), null);
            assertEquals(1, meanSquare(style), 0.35, "styles");
            var layer = generator.layers().get(1).conv();
            var x = scope.floats(normal(SEED + 1, n * 8 * 8 * 64), n, 8, 8, 64);
            assertEquals(1, meanSquare(layer.forward(x, style)), 0.15, "a demodulated convolution");
            var wide = style.scale(5);
            assertEquals(1, meanSquare(layer.forward(x, wide)), 0.15, "a demodulated convolution of a strong style");
        }
    }

    private static double meanSquare(Tensor t) {
        double squares = 0;
        for (float v : t.toFloats()) squares += (double) v * v;
        return squares / t.shape().elements();
    }

    /** Demodulated weights as the paper writes them, one picture after the other. */
    @Test void scalingInputAndOutputIsTheSameAsScalingWeights() {
        var c = new GanConfig(GanConfig.Family.STYLEGAN2, 8, 1, 6, 64, 5, 1, 0);
        try (var backend = new ReferenceBackend(); var pair = Learned.of(c, backend, Networks.grown(c)); var scope = Scope.inference(backend)) {
            var conv = ((StyleGan2.G) pair.generator()).layers().getFirst().conv();
            int n = 3, in = conv.weight().shape().last(), out = conv.weight().shape().dim(0);
            float[] x = normal(SEED, n * 4 * 4 * in), w = floats(backend, conv.weight());
            var style = scope.floats(normal(SEED + 1, n * 6), n, 6);
            float[] y = conv.forward(scope.floats(x, n, 4, 4, in), style).toFloats(), s = conv.affine().forward(style).toFloats();
            for (int picture = 0; picture < n; picture++) {
                var modulated = w.clone();
                for (int o = 0; o < out; o++) {
                    double length = 0;
                    for (int k = 0; k < 9 * in; k++) {
                        modulated[o * 9 * in + k] *= s[picture * in + k % in] * conv.scale();
                        length += Math.pow(modulated[o * 9 * in + k], 2);
                    }
                    for (int k = 0; k < 9 * in; k++) modulated[o * 9 * in + k] /= (float) Math.sqrt(length + 1e-8);
                }
                var alone = scope.floats(java.util.Arrays.copyOfRange(x, picture * 16 * in, (picture + 1) * 16 * in), 1, 4, 4, in).conv2d(scope.floats(modulated, out, 3, 3, in), null,
                    inkstone.tensor.Convolution.same(3)).toFloats();
                assertArrayEquals(alone, java.util.Arrays.copyOfRange(y, picture * 16 * out, (picture + 1) * 16 * out), 1e-4f);
            }
        }
    }

    /** With a share of 0 a network paints what the smaller one did, twice as large; with a share of 1 what it is without fading. */
    @ParameterizedTest @EnumSource(names = {"PROGRESSIVE", "STYLEGAN"}) void fadingGoesFromTheSmallNetworkToTheLarge(GanConfig.Family family) {
        var c = Learned.small(family);
        try (var backend = new CpuBackend(2); var scope = Scope.inference(backend)) {
            float[] z = normal(SEED, 3 * c.latent());
            float[] old = paint(c, backend, scope, z, new Growth(3, 1)), fresh = paint(c, backend, scope, z, new Growth(4, 0)), grown = paint(c, backend, scope, z, new Growth(4, 1)),
                half = paint(c, backend, scope, z, new Growth(4, 0.5f));
            float[] enlarged = scope.floats(old, 3, 8, 8, 3).resize(16, 16, family == GanConfig.Family.PROGRESSIVE ? inkstone.tensor.Resampling.NEAREST : inkstone.tensor.Resampling.BILINEAR).toFloats();
            assertArrayEquals(enlarged, fresh, 1e-6f);
            for (int i = 0; i < half.length; i++) assertEquals((fresh[i] + grown[i]) / 2, half[i], 1e-5);
            try (var pair = Learned.of(c, backend, new Growth(4, 0)); var small = Learned.of(c, backend, new Growth(3, 1))) {
                var pictures = scope.floats(normal(SEED + 5, 4 * 8 * 8 * 3), 4, 8, 8, 3);
                var doubled = Growth.twice(pictures, inkstone.tensor.Resampling.NEAREST);
                assertArrayEquals(small.discriminator().forward(pictures, null).toFloats(), pair.discriminator().forward(doubled, null).toFloats(), 1e-5f);
            }
        }
    }

    private static float[] paint(GanConfig c, CpuBackend backend, Scope scope, float[] z, Growth growth) {
        try (var pair = Learned.of(c, backend, growth)) { return pair.generator().forward(scope.floats(z, 3, c.latent()), null).toFloats(); }
    }

    @Test void mixedStylesTakeTheCoarseFromOneAndTheFineFromTheOther() {
        var c = new GanConfig(GanConfig.Family.STYLEGAN2, 16, 3, 12, 256, 16, 2, 0);
        try (var backend = new CpuBackend(2); var pair = Learned.of(c, backend, Networks.grown(c)); var scope = Scope.inference(backend)) {
            var generator = (StyledGenerator) pair.generator();
            Tensor a = generator.style(scope.floats(normal(1, 12), 1, 12), null), b = generator.style(scope.floats(normal(2, 12), 1, 12), null);
            var styles = new java.util.ArrayList<>(Collections.nCopies(generator.styles(), a));
            float[] pure = generator.paint(styles, Noise.NONE).toFloats();
            styles.set(styles.size() - 1, b);
            float[] fine = generator.paint(styles, Noise.NONE).toFloats();
            assertTrue(distance(pure, fine) > 0);
            var other = generator.paint(Collections.nCopies(generator.styles(), b), Noise.NONE).toFloats();
            assertTrue(distance(pure, fine) < distance(other, fine));
            assertArrayEquals(generator.paint(Collections.nCopies(generator.styles(), a), Noise.seeded(3)).toFloats(), generator.paint(Collections.nCopies(generator.styles(), a), Noise.seeded(3)).toFloats());
        }
    }

    private static double distance(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) sum += Math.pow(a[i] - b[i], 2);
        return sum;
    }

    @Test void classesMustBeNamed() {
        var c = Learned.small(GanConfig.Family.STYLEGAN2);
        try (var backend = new CpuBackend(1); var pair = Learned.of(c, backend, Networks.grown(c)); var scope = Scope.inference(backend)) {
            var z = scope.floats(normal(SEED, c.latent()), 1, c.latent());
            assertTrue(assertThrows(IllegalArgumentException.class, () -> pair.generator().forward(z, null)).getMessage().contains("needs a label"));
            assertNotNull(pair.generator().forward(z, scope.ints(2)));
        }
    }

    @Test void impossibleSizesAreRefused() {
        assertTrue(assertThrows(IllegalArgumentException.class, () -> new GanConfig(GanConfig.Family.DCGAN, 48, 3, 100, 64, 64, 0, 0)).getMessage().contains("power of two"));
        assertTrue(assertThrows(IllegalArgumentException.class, () -> new GanConfig(GanConfig.Family.COGAN, 32, 1, 100, 64, 64, 0, 0)).getMessage().contains("28 x 28"));
        assertTrue(assertThrows(IllegalArgumentException.class, () -> new GanConfig(GanConfig.Family.GAN, 32, 1, 100, 64, 64, 0, 10)).getMessage().contains("classes"));
    }
}
