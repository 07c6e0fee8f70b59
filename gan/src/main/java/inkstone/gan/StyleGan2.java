package inkstone.gan;

import static inkstone.gan.Activations.plus;
import static inkstone.gan.Activations.times;
import static inkstone.gan.Equalized.ROOT_2;
import static inkstone.gan.Growth.FIRST_LEVEL;

import inkstone.tensor.Convolution;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * The second style-based networks (Karras et al. 2019, arXiv:1912.04958): styles scale the weights of convolutions and not the features, so that nothing is normalised away and no drops
 * appear; pictures of all sizes are added up, so that nothing has to grow; the discriminator has residual blocks. With classes as in its small-data successor (Karras et al. 2020,
 * arXiv:2006.06676). Pictures are halved by the mean of four pixels.
 */
final class StyleGan2 {
    private static final float SLOPE = 0.2f, EPS = 1e-8f;

    private StyleGan2() {}

    /**
     * Convolution with weights w'[o][a][b][i] = s[i] w[o][a][b][i], each output divided by the root of the sum of its w'² where {@code demodulated}. As the styles are different for each
     * picture, the input is scaled and then the output, which is the same.
     *
     * @param scale of the weight when it is used
     */
    record Modulated(Tensor weight, Equalized.Linear affine, float scale, boolean demodulated) {
        static Modulated of(GanConfig c, Weights w, int in, int out, int window, boolean demodulated) {
            return new Modulated(w.tensor("weight", out, window, window, in), Equalized.Linear.of(w, "affine", c.latent(), in, 1), (float) (1 / Math.sqrt(in * window * window)), demodulated);
        }

        /** x [n, h, w, in], style [n, latent] -> [n, h, w, out] */
        Tensor forward(Tensor x, Tensor style) {
            int out = weight.shape().dim(0), window = weight.shape().dim(1), in = weight.shape().last();
            var scales = affine.forward(style);
            var scaled = Activations.rows(x.scope(), weight).scale(scale);
            var y = times(x, scales).conv2d(scaled.view(weight.shape().toArray()), null, Convolution.same(window));
            if (!demodulated) return y;
            /* The sums over a window of the weights' squares [out, in], so that s² times them is the square of each output's length. */
            var squares = scaled.mul(scaled).view(out, 1, window * window, in).resize(1, 1, Resampling.AREA).view(out, in).scale(window * window);
            return times(y, plus(scales.mul(scales).linear(squares, null), EPS).map(Elementwise.RECIPROCAL_ROOT));
        }
    }

    /** @param noise how much of the noise is added, one number [1, 1] for all channels */
    record Layer(Modulated conv, Tensor noise, Tensor bias, boolean up) {
        static Layer of(GanConfig c, Weights w, int in, int out, boolean up) {
            return new Layer(Modulated.of(c, w, in, out, 3, true), w.tensor("noise_strength", 1, 1), w.tensor("bias", out), up);
        }

        Tensor forward(Tensor x, Tensor style, Tensor noiseOrNull) {
            x = conv.forward(up ? Growth.twice(x, Resampling.BILINEAR) : x, style);
            if (noiseOrNull != null) x = x.add(noiseOrNull.linear(noise, null).linear(Activations.constant(x.scope(), 1, x.shape().last(), 1), null).view(x.shape().toArray()));
            return x.modulate(null, Activations.row(x.scope(), bias)).leakyRelu(SLOPE).scale(ROOT_2);
        }
    }

    record ToRgb(Modulated conv, Tensor bias) {
        static ToRgb of(GanConfig c, Weights w, int in) { return new ToRgb(Modulated.of(c, w, in, c.channels(), 1, false), w.tensor("bias", c.channels())); }
        Tensor forward(Tensor x, Tensor style) { return conv.forward(x, style).modulate(null, Activations.row(x.scope(), bias)); }
    }

    /** @param layers one at 4 x 4 pixels, two at each further size */
    record G(GanConfig config, Mapping mapping, Tensor constant, List<Layer> layers, List<ToRgb> toRgb) implements StyledGenerator {
        static G of(GanConfig c, Weights w) {
            var layers = new ArrayList<Layer>();
            var toRgb = new ArrayList<ToRgb>();
            for (int level = FIRST_LEVEL; level <= c.levels(); level++) {
                var at = w.at("synthesis.b%d.".formatted(1 << level));
                int out = c.channelsAt(level);
                if (level > FIRST_LEVEL) layers.add(Layer.of(c, at.at("conv0."), c.channelsAt(level - 1), out, true));
                layers.add(Layer.of(c, at.at("conv1."), out, out, false));
                toRgb.add(ToRgb.of(c, at.at("torgb."), out));
            }
            return new G(c, Mapping.of(c, w.at("mapping.")), w.tensor("synthesis.b4.const", 1, 4, 4, c.channelsAt(FIRST_LEVEL)), List.copyOf(layers), List.copyOf(toRgb));
        }

        @Override public int latent() { return config.latent(); }
        /** One for each convolution; that of the last also serves the last step to colours. */
        @Override public int styles() { return layers.size() + 1; }
        @Override public Tensor style(Tensor z, Tensor labels) { return mapping.forward(z, labels); }

        @Override public Tensor paint(List<Tensor> styles, Noise noise) {
            int n = styles.getFirst().shape().dim(0), channels = config.channelsAt(FIRST_LEVEL), at = 0;
            var scope = styles.getFirst().scope();
            var x = scope.ints(new int[n]).embedding(constant.view(1, 16 * channels)).view(n, 4, 4, channels);
            Tensor picture = null;
            for (int level = FIRST_LEVEL; level <= config.levels(); level++) {
                for (int i = level == FIRST_LEVEL ? 1 : 0; i < 2; i++, at++) x = layers.get(at).forward(x, styles.get(at), noise.of(scope, at, n << 2 * level));
                var colours = toRgb.get(level - FIRST_LEVEL).forward(x, styles.get(at));
                picture = picture == null ? colours : Growth.twice(picture, Resampling.BILINEAR).add(colours);
            }
            return picture;
        }
    }

    /** Two convolutions beside one without activation, at half the size behind them. */
    record Block(Equalized.Conv first, Equalized.Conv second, Tensor skip) {
        private static final float ROOT_HALF = (float) Math.sqrt(0.5);

        static Block of(Weights w, int in, int out) {
            return new Block(Equalized.Conv.of(w, "conv0", in, in, 3, 1), Equalized.Conv.of(w, "conv1", in, out, 3, 1), w.tensor("skip.weight", out, 1, 1, in));
        }

        Tensor forward(Tensor x) {
            int in = x.shape().last();
            var y = second.forward(Growth.half(active(first.forward(x))));
            var beside = Growth.half(x).conv2d(Activations.rows(x.scope(), skip).scale((float) (1 / Math.sqrt(in))).view(skip.shape().toArray()), null, Convolution.same(1));
            return active(y).add(beside).scale(ROOT_HALF);
        }
    }

    private static Tensor active(Tensor x) { return x.leakyRelu(SLOPE).scale(ROOT_2); }

    /** @param classes the vectors that pictures of each class are compared with [classes, channels], or null */
    record D(GanConfig config, Equalized.Conv fromRgb, List<Block> blocks, Equalized.Conv last, Equalized.Linear dense, Equalized.Linear out, Tensor classes) implements Discriminator {
        static D of(GanConfig c, Weights w) {
            var blocks = new ArrayList<Block>();
            for (int level = c.levels(); level > FIRST_LEVEL; level--) blocks.add(Block.of(w.at("b%d.".formatted(1 << level)), c.channelsAt(level), c.channelsAt(level - 1)));
            int small = c.channelsAt(FIRST_LEVEL);
            return new D(c, Equalized.Conv.of(w, "from_rgb", c.channels(), c.channelsAt(c.levels()), 1, 1), List.copyOf(blocks), Equalized.Conv.of(w, "b4.conv", small + 1, small, 3, 1),
                Equalized.Linear.of(w, "b4.fc", 16 * small, small, 1), Equalized.Linear.of(w, "b4.out", small, c.classes() > 0 ? small : 1, 1),
                c.classes() > 0 ? w.tensor("classes.weight", c.classes(), small) : null);
        }

        @Override public Tensor forward(Tensor pictures, Tensor labels) {
            int n = pictures.shape().dim(0), small = config.channelsAt(FIRST_LEVEL);
            var x = active(fromRgb.forward(pictures));
            for (var block : blocks) x = block.forward(x);
            x = active(last.forward(MinibatchDeviation.append(x)));
            x = out.forward(active(dense.forward(x.view(n, 16 * small))));
            if (classes == null) return x;
            if (labels == null) throw new IllegalArgumentException("this discriminator judges classes: it needs a label for each picture");
            return x.mul(labels.embedding(classes)).linear(Activations.constant(x.scope(), (float) (1 / Math.sqrt(small)), 1, small), null);
        }
    }
}
