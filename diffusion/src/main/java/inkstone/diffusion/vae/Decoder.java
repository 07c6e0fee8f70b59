package inkstone.diffusion.vae;

import inkstone.diffusion.layers.Conv2d;
import inkstone.diffusion.layers.GroupNorm;
import inkstone.diffusion.layers.PixelLinear;
import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * Latents [n, h, w, latentChannels] -> pictures [n, h · factor, w · factor, pictureChannels] in [-1, 1], though not held to that. Names of parameters are those of CompVis.
 *
 * @param postQuant null where there is none
 * @param levels    the deepest first
 */
public record Decoder(AutoencoderConfig config, PixelLinear postQuant, Conv2d in, Middle middle, List<Level> levels, GroupNorm norm, Conv2d out) {
    /** @param up null on the last level */
    record Level(List<ResBlock> blocks, Conv2d up) {
        Tensor forward(Tensor x) {
            for (var block : blocks) x = block.forward(x);
            return up == null ? x : up.forward(x.resize(2 * x.shape().dim(1), 2 * x.shape().dim(2), Resampling.NEAREST));
        }
    }

    public static Decoder of(AutoencoderConfig c, Weights w) {
        var levels = new ArrayList<Level>();
        int channels = c.deepest();
        for (int i = c.multipliers().size() - 1; i >= 0; i--) {
            var blocks = new ArrayList<ResBlock>();
            for (int j = 0; j <= c.blocks(); j++) {
                blocks.add(ResBlock.of(w, "decoder.up.%d.block.%d".formatted(i, j), channels, c.channelsAt(i), c.groups()));
                channels = c.channelsAt(i);
            }
            levels.add(new Level(List.copyOf(blocks), i == 0 ? null : Conv2d.of(w, "decoder.up.%d.upsample.conv".formatted(i), channels, channels, 3)));
        }
        return new Decoder(c, c.mixed() ? PixelLinear.of(w, "post_quant_conv", c.latentChannels(), c.latentChannels()) : null,
            Conv2d.of(w, "decoder.conv_in", c.latentChannels(), c.deepest(), 3), Middle.of(w, "decoder.mid", c.deepest(), c.groups()), List.copyOf(levels),
            GroupNorm.of(w, "decoder.norm_out", channels, c.groups(), ResBlock.EPS), Conv2d.of(w, "decoder.conv_out", channels, c.pictureChannels(), 3));
    }

    public Tensor forward(Tensor latents) {
        var h = middle.forward(in.forward(postQuant == null ? latents : postQuant.forward(latents)));
        for (var level : levels) h = h.local(level::forward);
        return h.local(t -> out.forward(norm.silu(t)));
    }
}
