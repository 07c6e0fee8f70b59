package inkstone.gan;

import inkstone.tensor.Convolution;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * Deep convolutional adversarial networks (Radford et al. 2015, arXiv:1511.06434): strided convolutions in place of pooling, batch norm, and the rules by which they first trained
 * reliably. The last layer of the generator and the first and last of the discriminator have no norm.
 */
final class Dcgan {
    private static final Convolution WHOLE = new Convolution(1, 0), HALF = new Convolution(2, 1);
    private static final float SLOPE = 0.2f;

    private Dcgan() {}

    /** A transposed convolution [in, 4, 4, out] and its norm; the norm is null in the last layer. */
    record Up(Tensor weight, BatchNorm norm, Convolution convolution) {
        Tensor forward(Tensor x) {
            var y = x.convTranspose2d(weight, null, convolution);
            return norm == null ? y.map(Elementwise.TANH) : norm.forward(y).leakyRelu(0);
        }
    }

    record G(GanConfig config, List<Up> layers) implements Generator {
        static G of(GanConfig c, Weights w, boolean learning) {
            var layers = new ArrayList<Up>();
            int in = c.latent(), steps = c.levels() - 2;
            for (int i = 0; i <= steps; i++) {
                boolean last = i == steps;
                int out = last ? c.channels() : c.width() << steps - 1 - i;
                var at = w.at("layers." + i + ".");
                layers.add(new Up(at.tensor("conv.weight", in, 4, 4, out), last ? null : BatchNorm.of(at.at("norm."), out, learning), i == 0 ? WHOLE : HALF));
                in = out;
            }
            return new G(c, List.copyOf(layers));
        }

        @Override public int latent() { return config.latent(); }

        @Override public Tensor forward(Tensor z, Tensor labels) {
            var x = z.view(z.shape().dim(0), 1, 1, config.latent());
            for (var layer : layers) x = layer.forward(x);
            return x;
        }
    }

    /** A convolution [out, 4, 4, in] and its norm, which is null in the first and last layers. */
    record Down(Tensor weight, BatchNorm norm, Convolution convolution, boolean last) {
        Tensor forward(Tensor x) {
            var y = x.conv2d(weight, null, convolution);
            return last ? y : (norm == null ? y : norm.forward(y)).leakyRelu(SLOPE);
        }
    }

    record D(List<Down> layers) implements Discriminator {
        static D of(GanConfig c, Weights w, boolean learning) {
            var layers = new ArrayList<Down>();
            int in = c.channels(), steps = c.levels() - 2;
            for (int i = 0; i <= steps; i++) {
                boolean last = i == steps;
                int out = last ? 1 : c.width() << i;
                var at = w.at("layers." + i + ".");
                layers.add(new Down(at.tensor("conv.weight", out, 4, 4, in), last || i == 0 ? null : BatchNorm.of(at.at("norm."), out, learning), last ? WHOLE : HALF, last));
                in = out;
            }
            return new D(List.copyOf(layers));
        }

        @Override public Tensor forward(Tensor pictures, Tensor labels) {
            var x = pictures;
            for (var layer : layers) x = layer.forward(x);
            return x.view(pictures.shape().dim(0), 1);
        }
    }
}
