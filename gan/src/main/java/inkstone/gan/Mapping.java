package inkstone.gan;

import static inkstone.gan.Activations.pixelNorm;
import static inkstone.gan.Equalized.ROOT_2;

import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * From random numbers to styles (Karras et al. 2018, arXiv:1812.04948): fully connected layers that learn at a hundredth of the others' pace. Classes come in as one more vector of the
 * latent's length (Karras et al. 2020, arXiv:2006.06676).
 *
 * @param classes [classes, latent], or null
 */
record Mapping(Tensor classes, List<Equalized.Linear> layers) {
    private static final float RATE = 0.01f, SLOPE = 0.2f;

    static Mapping of(GanConfig c, Weights w) {
        var layers = new ArrayList<Equalized.Linear>();
        int in = c.classes() > 0 ? 2 * c.latent() : c.latent();
        for (int i = 0; i < c.mapping(); i++) {
            layers.add(Equalized.Linear.of(w, "fc" + i, in, c.latent(), 1, RATE));
            in = c.latent();
        }
        return new Mapping(c.classes() > 0 ? w.tensor("embed.weight", c.classes(), c.latent()) : null, List.copyOf(layers));
    }

    /** z [n, latent] -> [n, latent] */
    Tensor forward(Tensor z, Tensor labels) {
        var x = pixelNorm(z);
        if (classes != null) {
            if (labels == null) throw new IllegalArgumentException("this generator paints classes: it needs a label for each picture");
            x = x.concat(pixelNorm(labels.embedding(classes)));
        }
        for (var layer : layers) x = layer.forward(x).leakyRelu(SLOPE).scale(ROOT_2);
        return x;
    }
}
