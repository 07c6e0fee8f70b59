package inkstone.gan;

import inkstone.tensor.Convolution;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Linear;
import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * Coupled adversarial networks (Liu & Tuzel 2016, arXiv:1606.07536): two generators share all layers but the last, two discriminators all but the first, so that one latent becomes the
 * same content in two domains although no pair was ever shown. A batch is the pictures of both domains: the first half of the rows belongs to domain 0, the other to domain 1.
 * Where the authors' discriminator takes the largest of four pixels, this one takes their mean.
 */
final class CoGan {
    private static final Convolution UP = new Convolution(2, 1), LAST = new Convolution(1, 1), BARE = new Convolution(1, 0);
    static final int DOMAINS = 2;

    private CoGan() {}

    /** max(x, 0) + slope · min(x, 0) with a learned slope for each channel (He et al. 2015, arXiv:1502.01852). */
    record Prelu(Tensor slope) {
        Tensor forward(Tensor x) {
            var positive = x.leakyRelu(0);
            int channels = x.shape().last();
            return positive.add(x.add(positive.scale(-1)).view(x.shape().rows(), channels).scaleColumns(slope, null, null).view(x.shape().toArray()));
        }
    }

    record Up(Tensor weight, Tensor bias, BatchNorm norm, Prelu prelu) {
        Tensor forward(Tensor x) { return prelu.forward(norm.forward(x.convTranspose2d(weight, bias, UP))); }
    }

    /** @param last [domain]: transposed convolutions [128, 6, 6, channels] */
    record G(GanConfig config, Linear first, BatchNorm firstNorm, Prelu firstPrelu, List<Up> shared, List<Tensor> last, List<Tensor> lastBias) implements Generator {
        static G of(GanConfig c, Weights w, boolean learning) {
            int wide = 8 * c.width();
            var shared = new ArrayList<Up>();
            int in = wide;
            for (int i = 0; i < 3; i++) {
                int out = wide >> i + 1;
                var at = w.at("shared." + i + ".");
                shared.add(new Up(at.tensor("conv.weight", in, 3, 3, out), at.tensor("conv.bias", out), BatchNorm.of(at.at("norm."), out, learning), new Prelu(at.tensor("prelu.weight", out))));
                in = out;
            }
            var last = new ArrayList<Tensor>();
            var lastBias = new ArrayList<Tensor>();
            for (int domain = 0; domain < DOMAINS; domain++) {
                last.add(w.tensor("domains.%d.weight".formatted(domain), in, 6, 6, c.channels()));
                lastBias.add(w.tensor("domains.%d.bias".formatted(domain), c.channels()));
            }
            return new G(c, w.linear("first", c.latent(), 16 * wide), BatchNorm.of(w.at("first_norm."), wide, learning), new Prelu(w.tensor("first_prelu.weight", wide)), List.copyOf(shared),
                List.copyOf(last), List.copyOf(lastBias));
        }

        @Override public int latent() { return config.latent(); }

        /** Pairs: n latents become 2 n pictures, those of domain 0 and then, in the same order, those of domain 1. */
        @Override public Tensor forward(Tensor z, Tensor labels) {
            int n = z.shape().dim(0);
            var x = firstPrelu.forward(firstNorm.forward(first.forward(z).view(n, 4, 4, 8 * config.width())));
            for (var layer : shared) x = layer.forward(x);
            int pixels = config.size() * config.size() * config.channels();
            Tensor a = x.convTranspose2d(last.get(0), lastBias.get(0), LAST), b = x.convTranspose2d(last.get(1), lastBias.get(1), LAST);
            return a.view(1, n * pixels).concat(b.view(1, n * pixels)).map(Elementwise.TANH).view(DOMAINS * n, config.size(), config.size(), config.channels());
        }
    }

    /** @param first [domain]: convolutions [20, 5, 5, channels] */
    record D(GanConfig config, List<Tensor> first, List<Tensor> firstBias, Tensor second, Tensor secondBias, Linear third, Prelu prelu, Linear out) implements Discriminator {
        private static final int FIRST = 20, SECOND = 50, THIRD = 500;

        static D of(GanConfig c, Weights w) {
            var first = new ArrayList<Tensor>();
            var firstBias = new ArrayList<Tensor>();
            for (int domain = 0; domain < DOMAINS; domain++) {
                first.add(w.tensor("domains.%d.weight".formatted(domain), FIRST, 5, 5, c.channels()));
                firstBias.add(w.tensor("domains.%d.bias".formatted(domain), FIRST));
            }
            return new D(c, List.copyOf(first), List.copyOf(firstBias), w.tensor("second.weight", SECOND, 5, 5, FIRST), w.tensor("second.bias", SECOND), w.linear("third", 4 * 4 * SECOND, THIRD),
                new Prelu(w.tensor("prelu.weight", THIRD)), w.linear("out", THIRD, 1));
        }

        @Override public Tensor forward(Tensor pictures, Tensor labels) {
            int n = pictures.shape().dim(0), half = n / DOMAINS, size = 24 * 24 * FIRST;
            Tensor a = pictures.rows(0, half).conv2d(first.get(0), firstBias.get(0), BARE), b = pictures.rows(half, n).conv2d(first.get(1), firstBias.get(1), BARE);
            var x = a.view(1, half * size).concat(b.view(1, (n - half) * size)).view(n, 24, 24, FIRST).resize(12, 12, Resampling.AREA);
            x = x.conv2d(second, secondBias, BARE).resize(4, 4, Resampling.AREA);
            return out.forward(prelu.forward(third.forward(x.view(n, 4 * 4 * SECOND))).dropout(0.5f));
        }
    }
}
