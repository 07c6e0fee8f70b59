package inkstone.diffusion.vae;

import inkstone.diffusion.layers.Conv2d;
import inkstone.tensor.Convolution;
import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * The decoder of TAESD (Ollin Boer Bohan, github.com/madebyollin/taesd): latents as the diffusion network sees them, scaled, [n, h, w, latentChannels] -> pictures [n, 8 h, 8 w, 3] in
 * [-1, 1]. It costs an eighteenth of Stable Diffusion's own: for previews. Parameters are named by their place in the original's sequence.
 */
public record TinyDecoder(Conv2d in, List<Level> levels, TinyBlock last, Conv2d out) {
    private static final float LARGEST = 3;

    record Level(List<TinyBlock> blocks, Conv2d up) {
        Tensor forward(Tensor x) {
            for (var block : blocks) x = block.forward(x);
            return up.forward(x.resize(2 * x.shape().dim(1), 2 * x.shape().dim(2), Resampling.NEAREST));
        }
    }

    public static TinyDecoder of(Weights w, int latentChannels) {
        var levels = new ArrayList<Level>();
        for (int i = 0, index = 3; i < 3; i++, index += 5) {
            levels.add(new Level(List.of(TinyBlock.of(w, index), TinyBlock.of(w, index + 1), TinyBlock.of(w, index + 2)),
                Conv2d.withoutBias(w, "" + (index + 4), TinyBlock.CHANNELS, TinyBlock.CHANNELS, 3, Convolution.same(3))));
        }
        return new TinyDecoder(Conv2d.of(w, "1", latentChannels, TinyBlock.CHANNELS, 3), List.copyOf(levels), TinyBlock.of(w, 18), Conv2d.of(w, "19", TinyBlock.CHANNELS, 3, 3));
    }

    public Tensor forward(Tensor latents) {
        var h = in.forward(latents.softCap(LARGEST)).leakyRelu(0);
        for (var level : levels) h = h.local(level::forward);
        var picture = h.local(t -> out.forward(last.forward(t)));
        return picture.scale(2).modulate(null, picture.scope().floats(new float[] {-1, -1, -1}, 1, 3));
    }
}
