package inkstone.diffusion.vae;

import inkstone.diffusion.layers.Conv2d;
import inkstone.tensor.Convolution;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * The encoder of TAESD (Ollin Boer Bohan, github.com/madebyollin/taesd), a distilled autoencoder of 1.2 million parameters: pictures [n, h, w, 3] in [-1, 1] -> latents as the diffusion
 * network sees them, scaled, [n, h / 8, w / 8, latentChannels]. Parameters are named by their place in the original's sequence.
 */
public record TinyEncoder(Conv2d in, TinyBlock first, List<Level> levels, Conv2d out) {
    record Level(Conv2d down, List<TinyBlock> blocks) {
        Tensor forward(Tensor x) {
            x = down.forward(x);
            for (var block : blocks) x = block.forward(x);
            return x;
        }
    }

    public static TinyEncoder of(Weights w, int latentChannels) {
        var levels = new ArrayList<Level>();
        for (int i = 0, index = 2; i < 3; i++, index += 4) {
            levels.add(new Level(Conv2d.withoutBias(w, "" + index, TinyBlock.CHANNELS, TinyBlock.CHANNELS, 3, new Convolution(2, 1)),
                List.of(TinyBlock.of(w, index + 1), TinyBlock.of(w, index + 2), TinyBlock.of(w, index + 3))));
        }
        return new TinyEncoder(Conv2d.of(w, "0", 3, TinyBlock.CHANNELS, 3), TinyBlock.of(w, 1), List.copyOf(levels), Conv2d.of(w, "14", TinyBlock.CHANNELS, latentChannels, 3));
    }

    public Tensor forward(Tensor pictures) {
        /* The original's pictures are in [0, 1]; its windows see zeros outside of them, so that is where the numbers must be moved, not in the weights. */
        var half = pictures.scope().floats(new float[] {0.5f, 0.5f, 0.5f}, 1, 3);
        var h = first.forward(in.forward(pictures.scale(0.5f).modulate(null, half)));
        for (var level : levels) h = h.local(level::forward);
        return out.forward(h);
    }
}
