package inkstone.diffusion.mmdit;

import inkstone.diffusion.layers.Sinusoid;
import inkstone.tensor.Convolution;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * Multimodal diffusion transformer (Esser et al. 2024, arXiv:2403.03206): patches of a picture and tokens of a text have weights of their own and attend to each other in one attention;
 * time and pooled text steer both through adaptive norms (Peebles & Xie 2022, arXiv:2212.09748). Parameters have the names of Stable Diffusion 3's single files.
 *
 * @param patches   [width, patch, patch, channels]
 * @param positions [positions², width]
 */
public record MmDit(MmDitConfig config, Tensor patches, Tensor patchBias, Tensor positions, Embedder time, Embedder pooled, Linear context, List<JointBlock> blocks, Linear finalModulation,
                    Linear finalLinear) {
    private static final int TIME_FEATURES = 256;
    private static final float EPS = 1e-6f;

    public static MmDit of(MmDitConfig c, Weights w) {
        int width = c.width(), patch = c.patch();
        var blocks = new ArrayList<JointBlock>();
        for (int i = 0; i < c.depth(); i++) blocks.add(JointBlock.of(c, i, w.at("joint_blocks." + i + ".")));
        return new MmDit(c, w.tensor("x_embedder.proj.weight", width, patch, patch, c.channels()), w.tensor("x_embedder.proj.bias", width),
            w.tensor("pos_embed", 1, c.positions() * c.positions(), width).view(c.positions() * c.positions(), width), Embedder.of(w, "t_embedder", TIME_FEATURES, width),
            Embedder.of(w, "y_embedder", c.pooled(), width), w.linear("context_embedder", c.context(), width), List.copyOf(blocks), w.linear("final_layer.adaLN_modulation.1", width, 2 * width),
            w.linear("final_layer.linear", width, patch * patch * c.channels()));
    }

    /**
     * @param x      noisy latents [n, h, w, channels], h and w multiples of the patch and of at most {@code positions} patches
     * @param sigma  noise of each picture, in [0, 1]
     * @param text   [n · tokens, context]
     * @param vector [n, pooled]
     * @return the velocity noise - picture, [n, h, w, channels]
     */
    public Tensor forward(Tensor x, float[] sigma, Tensor text, Tensor vector) {
        int n = x.shape().dim(0), rows = x.shape().dim(1) / config.patch(), columns = x.shape().dim(2) / config.patch();
        if (rows < 1 || columns < 1 || rows * config.patch() != x.shape().dim(1) || columns * config.patch() != x.shape().dim(2) || Math.max(rows, columns) > config.positions()) {
            throw new IllegalArgumentException("expected latents of whole patches of %d, at most %d in each direction, got %s".formatted(config.patch(), config.positions(), x));
        }
        var scope = x.scope();
        var picture = x.conv2d(patches, patchBias, new Convolution(config.patch(), 0)).view(n * rows * columns, config.width()).add(scope.ints(middle(n, rows, columns)).embedding(positions));
        var times = new float[n * TIME_FEATURES];
        for (int i = 0; i < n; i++) System.arraycopy(Sinusoid.of(1000 * sigma[i], TIME_FEATURES), 0, times, i * TIME_FEATURES, TIME_FEATURES);
        var steering = time.forward(scope.floats(times, n, TIME_FEATURES)).add(pooled.forward(vector)).map(Elementwise.SILU);
        var both = new JointBlock.Streams(context.forward(text), picture);
        for (var block : blocks) both = block.forward(both, steering);
        var modulation = finalModulation.forward(steering);
        var y = finalLinear.forward(both.picture().layerNorm(null, null, EPS).modulate(part(modulation, 1), part(modulation, 0)));
        return picture(y, n, rows, columns);
    }

    /** The i-th part of the width of rows that hold several. */
    Tensor part(Tensor rows, int i) { return rows.columns(i * config.width(), (i + 1) * config.width()); }

    /** Rows of the table for the patches of n pictures, from its middle. */
    private int[] middle(int n, int rows, int columns) {
        int top = (config.positions() - rows) / 2, left = (config.positions() - columns) / 2;
        var indices = new int[n * rows * columns];
        for (int i = 0; i < indices.length; i++) indices[i] = (top + i / columns % rows) * config.positions() + left + i % columns;
        return indices;
    }

    /** Rows of patches, each [patch, patch, channels], as pictures. */
    private Tensor picture(Tensor y, int n, int rows, int columns) {
        int patch = config.patch(), width = patch * config.channels();
        var from = new int[n * rows * patch * columns];                                             // lines of patches in the order of the picture
        for (int i = 0; i < from.length; i++) {
            int column = i % columns, line = i / columns % patch, row = i / (columns * patch);
            from[i] = (row * columns + column) * patch + line;
        }
        return y.view(from.length, width).gatherRows(y.scope().ints(from)).view(n, rows * patch, columns * patch, config.channels());
    }

    /** Two linear maps with silu between. */
    record Embedder(Linear in, Linear out) {
        static Embedder of(Weights w, String name, int features, int width) {
            return new Embedder(w.linear(name + ".mlp.0", features, width), w.linear(name + ".mlp.2", width, width));
        }
        Tensor forward(Tensor x) { return out.forward(in.forward(x).map(Elementwise.SILU)); }
    }
}
