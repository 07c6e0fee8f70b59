package inkstone.diffusion.unet;

import inkstone.diffusion.layers.Conv2d;
import inkstone.diffusion.layers.GroupNorm;
import inkstone.diffusion.layers.PixelLinear;
import inkstone.diffusion.layers.Sinusoid;
import inkstone.tensor.Convolution;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Linear;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * The network of Stable Diffusion 1, 2 and XL: what is noise in a picture. Names of parameters are those of CompVis, without a prefix.
 *
 * @param label1     null where there are no labels
 * @param guidance   null where guidance is not embedded
 * @param downBlocks input_blocks, in order
 * @param upBlocks   output_blocks, in order
 */
public record UNet(UNetConfig config, Linear time1, Linear time2, Linear label1, Linear label2, Linear guidance, List<List<Layer>> downBlocks, List<Layer> middle, List<List<Layer>> upBlocks,
                   GroupNorm norm, Conv2d out) {
    public static UNet of(UNetConfig c, Weights w) {
        int embedding = c.embedding();
        var skips = new ArrayDeque<Integer>();
        var down = down(c, w, skips);
        int deepest = c.channelsAt(c.levels() - 1);
        var middle = new ArrayList<Layer>(List.of(ResBlock.of(c, w, "middle_block.0", deepest, deepest)));
        if (c.middleDepth() > 0) middle.add(SpatialTransformer.of(c, w, "middle_block.1", deepest, c.middleDepth()));
        middle.add(ResBlock.of(c, w, "middle_block." + middle.size(), deepest, deepest));
        return new UNet(c, PixelLinear.biased(w, "time_embed.0", c.channels(), embedding), PixelLinear.biased(w, "time_embed.2", embedding, embedding),
            c.labels() == 0 ? null : PixelLinear.biased(w, "label_emb.0.0", c.labels(), embedding), c.labels() == 0 ? null : PixelLinear.biased(w, "label_emb.0.2", embedding, embedding),
            c.guidance() == 0 ? null : w.linear("time_embed.cond_proj", c.guidance(), c.channels()), down, List.copyOf(middle), up(c, w, skips),
            GroupNorm.of(w, "out.0", c.channels(), ResBlock.GROUPS, ResBlock.EPS), Conv2d.of(w, "out.2", c.channels(), c.outChannels(), 3));
    }

    /** @param skips takes the channels of each block's result */
    private static List<List<Layer>> down(UNetConfig c, Weights w, ArrayDeque<Integer> skips) {
        var blocks = new ArrayList<List<Layer>>();
        int channels = c.channels();
        blocks.add(List.of(new Layer.In(Conv2d.of(w, "input_blocks.0.0", c.inChannels(), channels, 3))));
        skips.push(channels);
        for (int level = 0; level < c.levels(); level++) {
            for (int i = 0; i < c.blocks(); i++) {
                var name = "input_blocks." + blocks.size();
                var block = new ArrayList<Layer>(List.of(ResBlock.of(c, w, name + ".0", channels, c.channelsAt(level))));
                channels = c.channelsAt(level);
                if (c.depths().get(level) > 0) block.add(SpatialTransformer.of(c, w, name + ".1", channels, c.depths().get(level)));
                blocks.add(List.copyOf(block));
                skips.push(channels);
            }
            if (level == c.levels() - 1) break;
            blocks.add(List.of(new Layer.Down(Conv2d.of(w, "input_blocks.%d.0.op".formatted(blocks.size()), channels, channels, 3, new Convolution(2, 1)))));
            skips.push(channels);
        }
        return List.copyOf(blocks);
    }

    private static List<List<Layer>> up(UNetConfig c, Weights w, ArrayDeque<Integer> skips) {
        var blocks = new ArrayList<List<Layer>>();
        int channels = c.channelsAt(c.levels() - 1);
        for (int level = c.levels() - 1; level >= 0; level--) {
            for (int i = 0; i <= c.blocks(); i++) {
                var name = "output_blocks." + blocks.size();
                var block = new ArrayList<Layer>(List.of(ResBlock.of(c, w, name + ".0", channels + skips.pop(), c.channelsAt(level))));
                channels = c.channelsAt(level);
                if (c.depths().get(level) > 0) block.add(SpatialTransformer.of(c, w, name + ".1", channels, c.depths().get(level)));
                if (level > 0 && i == c.blocks()) block.add(new Layer.Up(Conv2d.of(w, "%s.%d.conv".formatted(name, block.size()), channels, channels, 3)));
                blocks.add(List.copyOf(block));
            }
        }
        return List.copyOf(blocks);
    }

    /**
     * What the network predicts, [n, h, w, outChannels].
     *
     * @param x        [n, h, w, inChannels]; h and w are multiples of {@link UNetConfig#multiple}
     * @param times    of each picture, in [0, 1000)
     * @param context  rows of text, as many for each picture: [n · m, context]
     * @param labels   [n, labels], or null where there are none
     * @param guidance that a latent consistency model is to follow; others ignore it
     */
    public Tensor forward(Tensor x, double[] times, Tensor context, Tensor labels, double guidance) {
        if ((labels != null) != (label1 != null)) throw new IllegalArgumentException("this network takes %s".formatted(label1 == null ? "no labels" : "labels of " + config.labels()));
        if (times.length != x.shape().dim(0)) throw new IllegalArgumentException("expected %d times, one for each picture, got %d".formatted(x.shape().dim(0), times.length));
        var conditioning = new Conditioning(embedding(x.scope(), times, labels, guidance), context);
        var skips = new ArrayDeque<Tensor>();
        var h = x;
        for (var block : downBlocks) {
            h = h.local(t -> through(block, t, conditioning));
            skips.push(h);
        }
        h = through(middle, h, conditioning);
        for (var block : upBlocks) {
            var skip = skips.pop();
            h = h.local(t -> through(block, joined(t, skip), conditioning));
        }
        return out.forward(norm.silu(h));
    }

    private static Tensor through(List<Layer> layers, Tensor h, Conditioning conditioning) {
        for (var layer : layers) h = layer.forward(h, conditioning);
        return h;
    }

    /** Channels of b behind those of a. */
    private static Tensor joined(Tensor a, Tensor b) {
        int[] dims = a.shape().toArray();
        dims[3] += b.shape().last();
        return PixelLinear.rows(a).concat(PixelLinear.rows(b)).view(dims);
    }

    /** silu(time2(silu(time1(sinusoids))) + label2(silu(label1(labels)))): every block begins with this silu. */
    private Tensor embedding(Scope scope, double[] times, Tensor labels, double followed) {
        int width = config.channels();
        var sinusoids = new float[times.length * width];
        for (int i = 0; i < times.length; i++) System.arraycopy(Sinusoid.of(times[i], width), 0, sinusoids, i * width, width);
        var t = scope.floats(sinusoids, times.length, width);
        if (guidance != null) {
            var scales = new float[times.length * config.guidance()];
            for (int i = 0; i < times.length; i++) System.arraycopy(Sinusoid.ofGuidance(followed, config.guidance()), 0, scales, i * config.guidance(), config.guidance());
            t = t.add(guidance.forward(scope.floats(scales, times.length, config.guidance())));
        }
        t = time2.forward(time1.forward(t).map(Elementwise.SILU));
        if (labels != null) t = t.add(label2.forward(label1.forward(labels).map(Elementwise.SILU)));
        return t.map(Elementwise.SILU);
    }
}
