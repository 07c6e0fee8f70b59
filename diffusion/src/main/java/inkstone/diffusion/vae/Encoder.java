package inkstone.diffusion.vae;

import inkstone.diffusion.layers.Conv2d;
import inkstone.diffusion.layers.GroupNorm;
import inkstone.diffusion.layers.PixelLinear;
import inkstone.tensor.Convolution;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * Pictures [n, h, w, pictureChannels] in [-1, 1] -> [n, h / factor, w / factor, latentChannels], or twice as many: means, then log-variances ({@link Moments}). Names of parameters are
 * those of CompVis.
 *
 * @param quant null where there is none
 */
public record Encoder(AutoencoderConfig config, Conv2d in, List<Level> levels, Middle middle, GroupNorm norm, Conv2d out, PixelLinear quant) {
    /** @param down null on the last level */
    record Level(List<ResBlock> blocks, Conv2d down) {
        Tensor forward(Tensor x) {
            for (var block : blocks) x = block.forward(x);
            return down == null ? x : down.forward(x);
        }
    }

    public static Encoder of(AutoencoderConfig c, Weights w) {
        var levels = new ArrayList<Level>();
        int channels = c.channels(), latents = c.latentChannels() * (c.variational() ? 2 : 1);
        for (int i = 0; i < c.multipliers().size(); i++) {
            var blocks = new ArrayList<ResBlock>();
            for (int j = 0; j < c.blocks(); j++) {
                blocks.add(ResBlock.of(w, "encoder.down.%d.block.%d".formatted(i, j), channels, c.channelsAt(i), c.groups()));
                channels = c.channelsAt(i);
            }
            boolean last = i == c.multipliers().size() - 1;
            /* One pixel of padding to the right and below only. */
            levels.add(new Level(List.copyOf(blocks), last ? null : Conv2d.of(w, "encoder.down.%d.downsample.conv".formatted(i), channels, channels, 3, new Convolution(2, 0, 1))));
        }
        return new Encoder(c, Conv2d.of(w, "encoder.conv_in", c.pictureChannels(), c.channels(), 3), List.copyOf(levels), Middle.of(w, "encoder.mid", channels, c.groups()),
            GroupNorm.of(w, "encoder.norm_out", channels, c.groups(), ResBlock.EPS), Conv2d.of(w, "encoder.conv_out", channels, latents, 3),
            c.mixed() ? PixelLinear.of(w, "quant_conv", latents, latents) : null);
    }

    public Tensor forward(Tensor pictures) {
        var h = in.forward(pictures);
        for (var level : levels) h = h.local(level::forward);
        h = middle.forward(h).local(t -> out.forward(norm.silu(t)));
        return quant == null ? h : quant.forward(h);
    }
}
