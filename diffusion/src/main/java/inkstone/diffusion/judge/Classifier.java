package inkstone.diffusion.judge;

import inkstone.tensor.Convolution;
import inkstone.tensor.Linear;
import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * A small convolutional network that tells classes of pictures apart; what it knows of a picture before it decides is the space in which sets of pictures are compared. Three stages of
 * two convolutions, each with a group norm and silu, each stage at half the size of the last; then the mean over the pixels.
 */
public record Classifier(ClassifierConfig config, List<Layer> layers, Linear features, Linear classes) {
    private static final float EPS = 1e-5f;

    public static Classifier of(ClassifierConfig c, Weights w) {
        var layers = new ArrayList<Layer>();
        int in = c.channels();
        for (int stage = 0; stage < c.stages(); stage++) for (int i = 0; i < 2; i++) {
            int out = c.width() << stage;
            layers.add(Layer.of(w.at("stages.%d.%d.".formatted(stage, i)), in, out, c.groups(), stage > 0 && i == 0 ? 2 : 1));
            in = out;
        }
        return new Classifier(c, List.copyOf(layers), w.linear("features", in, c.features()), w.linear("classes", c.features(), c.classes()));
    }

    /** What it sees of pictures [n, h, w, channels] in [-1, 1]: [n, features]. */
    public Tensor features(Tensor pictures) {
        var x = pictures;
        for (var layer : layers) x = layer.forward(x);
        return features.forward(x.resize(1, 1, Resampling.AREA).view(x.shape().dim(0), x.shape().last()));
    }

    /** Logits of the classes [n, classes], from {@link #features}. */
    public Tensor decide(Tensor features) { return classes.forward(features.leakyRelu(0)); }

    record Layer(Tensor weight, Tensor bias, Tensor norm, Tensor normBias, int groups, int stride) {
        static Layer of(Weights w, int in, int out, int groups, int stride) {
            return new Layer(w.tensor("conv.weight", out, 3, 3, in), w.tensor("conv.bias", out), w.tensor("norm.weight", out), w.tensor("norm.bias", out), groups, stride);
        }
        Tensor forward(Tensor x) { return x.conv2d(weight, bias, new Convolution(stride, 1)).groupNorm(groups, norm, normBias, EPS, true); }
    }
}
