package inkstone.diffusion.vae;

import inkstone.diffusion.layers.Conv2d;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/** relu(x + three convolutions of it with relu between), 64 channels. */
record TinyBlock(Conv2d first, Conv2d second, Conv2d third) {
    static final int CHANNELS = 64;

    static TinyBlock of(Weights w, int index) {
        return new TinyBlock(conv(w, index, 0), conv(w, index, 2), conv(w, index, 4));
    }

    private static Conv2d conv(Weights w, int index, int part) { return Conv2d.of(w, "%d.conv.%d".formatted(index, part), CHANNELS, CHANNELS, 3); }

    Tensor forward(Tensor x) {
        return x.local(t -> third.forward(second.forward(first.forward(t).leakyRelu(0)).leakyRelu(0)).add(t).leakyRelu(0));
    }
}
