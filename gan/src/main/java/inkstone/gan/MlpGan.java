package inkstone.gan;

import inkstone.tensor.Elementwise;
import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/** The first adversarial networks (Goodfellow et al. 2014, arXiv:1406.2661): both are stacks of fully connected layers that know nothing of neighbouring pixels. */
final class MlpGan {
    private static final int[] GENERATOR = {256, 512, 1024}, DISCRIMINATOR = {512, 256};
    private static final float SLOPE = 0.2f;

    private MlpGan() {}

    record G(GanConfig config, List<Linear> layers) implements Generator {
        static G of(GanConfig c, Weights w) {
            var layers = new ArrayList<Linear>();
            int in = c.latent();
            for (int width : GENERATOR) {
                layers.add(w.linear("layers." + layers.size(), in, width));
                in = width;
            }
            layers.add(w.linear("layers." + layers.size(), in, c.size() * c.size() * c.channels()));
            return new G(c, List.copyOf(layers));
        }

        @Override public int latent() { return config.latent(); }

        @Override public Tensor forward(Tensor z, Tensor labels) {
            var x = z;
            for (var layer : layers.subList(0, layers.size() - 1)) x = layer.forward(x).leakyRelu(0);
            return layers.getLast().forward(x).map(Elementwise.TANH).view(z.shape().dim(0), config.size(), config.size(), config.channels());
        }
    }

    record D(GanConfig config, List<Linear> layers) implements Discriminator {
        static D of(GanConfig c, Weights w) {
            var layers = new ArrayList<Linear>();
            int in = c.size() * c.size() * c.channels();
            for (int width : DISCRIMINATOR) {
                layers.add(w.linear("layers." + layers.size(), in, width));
                in = width;
            }
            layers.add(w.linear("layers." + layers.size(), in, 1));
            return new D(c, List.copyOf(layers));
        }

        @Override public Tensor forward(Tensor pictures, Tensor labels) {
            var x = pictures.view(pictures.shape().dim(0), config.size() * config.size() * config.channels());
            for (var layer : layers.subList(0, layers.size() - 1)) x = layer.forward(x).leakyRelu(SLOPE);
            return layers.getLast().forward(x);
        }
    }
}
