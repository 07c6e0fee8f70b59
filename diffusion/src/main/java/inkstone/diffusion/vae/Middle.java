package inkstone.diffusion.vae;

import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/** What encoder and decoder have where the picture is smallest. */
record Middle(ResBlock before, PixelAttention attention, ResBlock after) {
    static Middle of(Weights w, String name, int channels, int groups) {
        return new Middle(ResBlock.of(w, name + ".block_1", channels, channels, groups), PixelAttention.of(w, name + ".attn_1", channels, groups),
            ResBlock.of(w, name + ".block_2", channels, channels, groups));
    }

    Tensor forward(Tensor x) { return after.forward(attention.forward(before.forward(x))); }
}
