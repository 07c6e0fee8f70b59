package inkstone.gan;

import static inkstone.gan.Activations.pixelNorm;
import static inkstone.gan.Equalized.ROOT_2;
import static inkstone.gan.Growth.FIRST_LEVEL;

import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * Progressive growing (Karras et al. 2017, arXiv:1710.10196): both networks begin at 4 x 4 pixels and get layers for twice the size again and again, each fading in. Equalized learning
 * rates, a norm of each pixel's features and the deviation within a batch keep it steady.
 */
final class ProgressiveGan {
    private static final float SLOPE = 0.2f;

    private ProgressiveGan() {}

    /** Two convolutions at one size; the first of the smallest size is the linear map from the latent. */
    record Stage(Equalized.Conv first, Equalized.Conv second, Equalized.Conv toRgb) {}

    record G(GanConfig config, Equalized.Linear dense, List<Stage> stages, Growth growth) implements Generator {
        static G of(GanConfig c, Weights w, Growth growth) {
            var stages = new ArrayList<Stage>();
            for (int level = FIRST_LEVEL; level <= c.levels(); level++) {
                var at = w.at("stages.%d.".formatted(level));
                int out = c.channelsAt(level);
                stages.add(new Stage(level == FIRST_LEVEL ? null : Equalized.Conv.of(at, "conv0", c.channelsAt(level - 1), out, 3, ROOT_2), Equalized.Conv.of(at, "conv1", out, out, 3, ROOT_2),
                    Equalized.Conv.of(at, "to_rgb", out, c.channels(), 1, 1)));
            }
            return new G(c, Equalized.Linear.of(w, "dense", c.latent(), 16 * c.channelsAt(FIRST_LEVEL), ROOT_2 / 4), List.copyOf(stages), growth);
        }

        @Override public int latent() { return config.latent(); }

        @Override public Tensor forward(Tensor z, Tensor labels) {
            var x = active(dense.forward(pixelNorm(z)).view(z.shape().dim(0), 4, 4, config.channelsAt(FIRST_LEVEL)));
            Tensor before = null;
            for (int level = FIRST_LEVEL; level <= growth.level(); level++) {
                var stage = stages.get(level - FIRST_LEVEL);
                before = x;
                if (stage.first != null) x = active(stage.first.forward(Growth.twice(x, Resampling.NEAREST)));
                x = active(stage.second.forward(x));
            }
            var picture = stages.get(growth.level() - FIRST_LEVEL).toRgb.forward(x);
            return growth.fades() ? growth.mixed(Growth.twice(stages.get(growth.level() - 1 - FIRST_LEVEL).toRgb.forward(before), Resampling.NEAREST), picture) : picture;
        }

        private static Tensor active(Tensor x) { return pixelNorm(x.leakyRelu(SLOPE)); }
    }

    /** @param fromRgb and two convolutions for each size from 8 x 8 on; the last layers see 4 x 4 pixels and how much the pictures of the batch differ */
    record D(GanConfig config, List<Equalized.Conv> fromRgb, List<Equalized.Conv> first, List<Equalized.Conv> second, Equalized.Conv last, Equalized.Linear dense, Equalized.Linear out, Growth growth)
            implements Discriminator {
        static D of(GanConfig c, Weights w, Growth growth) {
            var fromRgb = new ArrayList<Equalized.Conv>();
            var first = new ArrayList<Equalized.Conv>();
            var second = new ArrayList<Equalized.Conv>();
            for (int level = FIRST_LEVEL; level <= c.levels(); level++) {
                var at = w.at("stages.%d.".formatted(level));
                int channels = c.channelsAt(level);
                fromRgb.add(Equalized.Conv.of(at, "from_rgb", c.channels(), channels, 1, ROOT_2));
                if (level == FIRST_LEVEL) continue;
                first.add(Equalized.Conv.of(at, "conv0", channels, channels, 3, ROOT_2));
                second.add(Equalized.Conv.of(at, "conv1", channels, c.channelsAt(level - 1), 3, ROOT_2));
            }
            int small = c.channelsAt(FIRST_LEVEL);
            return new D(c, List.copyOf(fromRgb), List.copyOf(first), List.copyOf(second), Equalized.Conv.of(w, "last", small + 1, small, 3, ROOT_2), Equalized.Linear.of(w, "dense", 16 * small, small, ROOT_2),
                Equalized.Linear.of(w, "out", small, 1, 1), growth);
        }

        @Override public Tensor forward(Tensor pictures, Tensor labels) {
            var x = fromRgb.get(growth.level() - FIRST_LEVEL).forward(pictures).leakyRelu(SLOPE);
            for (int level = growth.level(); level > FIRST_LEVEL; level--) {
                x = first.get(level - FIRST_LEVEL - 1).forward(x).leakyRelu(SLOPE);
                x = Growth.half(second.get(level - FIRST_LEVEL - 1).forward(x).leakyRelu(SLOPE));
                if (level == growth.level() && growth.fades()) x = growth.mixed(fromRgb.get(level - 1 - FIRST_LEVEL).forward(Growth.half(pictures)).leakyRelu(SLOPE), x);
            }
            int n = pictures.shape().dim(0);
            x = last.forward(MinibatchDeviation.append(x)).leakyRelu(SLOPE);
            return out.forward(dense.forward(x.view(n, 16 * config.channelsAt(FIRST_LEVEL))).leakyRelu(SLOPE));
        }
    }
}
