package inkstone.gan;

import static inkstone.gan.Equalized.ROOT_2;
import static inkstone.gan.Growth.FIRST_LEVEL;

import inkstone.tensor.Convolution;
import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * Style-based generator (Karras et al. 2018, arXiv:1812.04948): it paints from a learned constant; the latent enters in every layer as a style, the mean and deviation of each channel
 * (adaptive instance norm, Huang & Belongie 2017, arXiv:1703.06868), beside noise for what is accidental. It grows as its predecessor did; its discriminator is that one's. A picture is
 * enlarged by its neighbours weighed 3 to 1, which is the nearest pixel followed by the paper's blur of 1, 2, 1.
 */
final class StyleGan {
    private static final float SLOPE = 0.2f, EPS = 1e-8f;

    private StyleGan() {}

    /**
     * A convolution, noise, bias, activation, norm and style.
     *
     * @param conv  null in the first layer, which begins with the constant
     * @param noise how much of it each channel takes [channels, 1]
     */
    record Layer(Tensor conv, float scale, Tensor noise, Tensor bias, Equalized.Linear style) {
        static Layer of(GanConfig c, Weights w, int in, int out) {
            return new Layer(in == 0 ? null : w.tensor("weight", out, 3, 3, in), (float) (ROOT_2 / Math.sqrt(9.0 * in)), w.tensor("noise_strength", out, 1), w.tensor("bias", out),
                Equalized.Linear.of(w, "affine", c.latent(), 2 * out, 1));
        }

        Tensor forward(Tensor x, Tensor w, Tensor noiseOrNull) {
            int channels = bias.shape().last(), rows;
            var scope = x.scope();
            if (conv != null) x = x.conv2d(Activations.rows(scope, conv).scale(scale).view(conv.shape().toArray()), null, Convolution.same(3));
            rows = x.shape().rows();
            if (noiseOrNull != null) x = x.add(noiseOrNull.linear(noise, null).view(x.shape().toArray()));
            x = x.modulate(null, Activations.row(scope, bias)).leakyRelu(SLOPE);
            x = x.groupNorm(channels, Activations.constant(scope, 1, channels), Activations.constant(scope, 0, channels), EPS, false);
            var parts = style.forward(w);
            return x.view(rows, channels).modulate(parts.columns(0, channels), parts.columns(channels, 2 * channels)).view(x.shape().toArray());
        }
    }

    record G(GanConfig config, Mapping mapping, Tensor constant, List<Layer> layers, List<Equalized.Conv> toRgb, Growth growth) implements StyledGenerator {
        static G of(GanConfig c, Weights w, Growth growth) {
            var layers = new ArrayList<Layer>();
            var toRgb = new ArrayList<Equalized.Conv>();
            for (int level = FIRST_LEVEL; level <= c.levels(); level++) {
                var at = w.at("synthesis.%d.".formatted(level));
                int out = c.channelsAt(level);
                layers.add(Layer.of(c, at.at("conv0."), level == FIRST_LEVEL ? 0 : c.channelsAt(level - 1), out));
                layers.add(Layer.of(c, at.at("conv1."), out, out));
                toRgb.add(Equalized.Conv.of(at, "to_rgb", out, c.channels(), 1, 1));
            }
            return new G(c, Mapping.of(c, w.at("mapping.")), w.tensor("synthesis.constant", 1, 4, 4, c.channelsAt(FIRST_LEVEL)), List.copyOf(layers), List.copyOf(toRgb), growth);
        }

        @Override public int latent() { return config.latent(); }
        @Override public int styles() { return 2 * (growth.level() - FIRST_LEVEL + 1); }
        @Override public Tensor style(Tensor z, Tensor labels) { return mapping.forward(z, labels); }

        @Override public Tensor paint(List<Tensor> styles, Noise noise) {
            int n = styles.getFirst().shape().dim(0), channels = config.channelsAt(FIRST_LEVEL);
            var scope = styles.getFirst().scope();
            var x = scope.ints(new int[n]).embedding(constant.view(1, 16 * channels)).view(n, 4, 4, channels);
            Tensor before = null;
            for (int level = FIRST_LEVEL; level <= growth.level(); level++) {
                before = x;
                if (level > FIRST_LEVEL) x = Growth.twice(x, Resampling.BILINEAR);
                for (int i = 2 * (level - FIRST_LEVEL); i < 2 * (level - FIRST_LEVEL) + 2; i++) x = layers.get(i).forward(x, styles.get(i), noise.of(scope, i, n << 2 * level));
            }
            var picture = toRgb.get(growth.level() - FIRST_LEVEL).forward(x);
            return growth.fades() ? growth.mixed(Growth.twice(toRgb.get(growth.level() - 1 - FIRST_LEVEL).forward(before), Resampling.BILINEAR), picture) : picture;
        }
    }
}
