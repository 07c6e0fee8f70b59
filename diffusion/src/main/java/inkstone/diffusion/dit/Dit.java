package inkstone.diffusion.dit;

import inkstone.diffusion.layers.Sinusoid;
import inkstone.tensor.AttentionShape;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Linear;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;

/**
 * A transformer over patches of pictures (Peebles & Xie 2022, arXiv:2212.09748) that sees its prompt by attention to every token of it (Chen et al. 2023, arXiv:2310.00426) and, with the time,
 * in the shifts, scales and gates of its blocks (adaLN-Zero). Queries and keys have norms (Henry et al. 2020, arXiv:2010.04245). Rows are patches, [s · tokens, ..], in reading order; numbers
 * of a patch are its pixels in reading order, channels last. Immutable; computes where its rows are.
 */
public record Dit(DitConfig config, PromptEncoder text, Linear patches, Tensor positions, Linear time1, Linear time2, Linear pooled, List<Block> blocks, Linear finalModulation, Linear output) {
    /** Numbers that say a time, before they are learned from. */
    private static final int TIME_WIDTH = 128;
    private static final float EPS = 1e-6f;

    record Block(DitConfig config, Linear modulation, Linear q, Linear k, Linear v, Tensor qNorm, Tensor kNorm, Linear proj, PromptEncoder.Norm crossNorm, Linear crossQ, Linear crossK, Linear crossV,
                 Linear crossProj, Linear fc1, Linear fc2) {
        static Block of(DitConfig c, Weights w) {
            int dim = c.dim(), text = c.text().dim(), headDim = dim / c.heads();
            return new Block(c, w.linear("adaLN_modulation.1", dim, 6 * dim), w.linear("attn.q", dim, dim), w.linear("attn.k", dim, dim), w.linear("attn.v", dim, dim),
                w.tensor("attn.q_norm.weight", headDim), w.tensor("attn.k_norm.weight", headDim), w.linear("attn.proj", dim, dim), PromptEncoder.Norm.of(w, "cross_norm", dim),
                w.linear("cross_attn.q", dim, dim), w.linear("cross_attn.k", text, dim), w.linear("cross_attn.v", text, dim), w.linear("cross_attn.proj", dim, dim),
                w.linear("mlp.fc1", dim, c.hidden()), w.linear("mlp.fc2", c.hidden(), dim));
        }

        /** @param condition [s, dim], its silu taken @param prompt [s · m, text dim] @param lengths I32 [s] */
        Tensor forward(Tensor x, Tensor condition, Tensor prompt, Tensor lengths) {
            int dim = config.dim(), sequences = condition.shape().dim(0);
            var six = modulation.forward(condition);
            Tensor shift = six.columns(0, dim), scale = six.columns(dim, 2 * dim), gate = six.columns(2 * dim, 3 * dim);
            Tensor shift2 = six.columns(3 * dim, 4 * dim), scale2 = six.columns(4 * dim, 5 * dim), gate2 = six.columns(5 * dim, 6 * dim);
            AttentionShape heads = config.attention();
            var h = x.layerNorm(null, null, EPS).modulate(scale, shift);
            var attended = normed(q.forward(h), qNorm).crossAttention(normed(k.forward(h), kNorm), v.forward(h), sequences, null, null, heads);
            var y = x.gated(proj.forward(attended), gate);
            y = y.add(crossProj.forward(crossQ.forward(crossNorm.forward(y)).crossAttention(crossK.forward(prompt), crossV.forward(prompt), sequences, lengths, null, heads)));
            return y.gated(fc2.forward(fc1.forward(y.layerNorm(null, null, EPS).modulate(scale2, shift2)).gelu()), gate2);
        }

        private Tensor normed(Tensor x, Tensor weight) {
            int rows = x.shape().dim(0), dim = config.dim();
            return x.view(rows * config.heads(), dim / config.heads()).rmsNorm(weight, EPS).view(rows, dim);
        }
    }

    public static Dit of(DitConfig c, Weights w) {
        int dim = c.dim();
        var text = PromptEncoder.of(c.text(), w.at("text."));
        var patches = w.linear("x_embedder.proj", c.patchNumbers(), dim);
        var positions = w.tensor("pos_embed.weight", c.tokens(), dim);
        Linear time1 = w.linear("t_embedder.mlp.0", TIME_WIDTH, dim), time2 = w.linear("t_embedder.mlp.2", dim, dim), pooled = w.linear("y_embedder", c.text().dim(), dim);
        var blocks = new ArrayList<Block>();
        for (int i = 0; i < c.layers(); i++) blocks.add(Block.of(c, w.at("blocks." + i + ".")));
        return new Dit(c, text, patches, positions, time1, time2, pooled, blocks, w.linear("final_layer.adaLN_modulation.1", dim, 2 * dim), w.linear("final_layer.linear", dim, c.patchNumbers()));
    }

    /**
     * Prompts as the network sees them, which do not change from step to step.
     *
     * @param states  [s · m, text dim]
     * @param lengths I32 [s]
     * @param pooled  [s, dim]
     */
    public record Prompts(Tensor states, Tensor lengths, Tensor pooled) {
        int count() { return lengths.shape().dim(0); }
    }

    /** @param prompts as many tokens each as the text encoder reads at most; a weight multiplies what it says of the token */
    public Prompts read(Scope scope, List<WeighedTokens> prompts) {
        int longest = prompts.stream().mapToInt(WeighedTokens::length).max().orElseThrow(), count = prompts.size(), width = config.text().dim();
        if (longest > config.text().length()) throw new IllegalArgumentException("a prompt has %d tokens, the model reads %d".formatted(longest, config.text().length()));
        int[] tokens = new int[count * longest], places = new int[count * longest], lengths = new int[count];
        var shares = new float[count * longest];
        for (int i = 0; i < count; i++) {
            lengths[i] = prompts.get(i).length();
            Arrays.fill(shares, i * longest, i * longest + lengths[i], 1f / lengths[i]);
            System.arraycopy(prompts.get(i).tokens(), 0, tokens, i * longest, lengths[i]);
            for (int j = 0; j < longest; j++) places[i * longest + j] = j;
        }
        var counted = scope.ints(lengths);
        var states = text.forward(scope.ints(tokens), scope.ints(places), counted);
        var whole = pooled.forward(states.weightedSum(scope.floats(shares, count, longest)));
        if (prompts.stream().anyMatch(WeighedTokens::isWeighed)) {
            var factors = new float[count * longest * width];
            for (int i = 0; i < count; i++) for (int j = 0; j < lengths[i]; j++) {
                Arrays.fill(factors, (i * longest + j) * width, (i * longest + j + 1) * width, prompts.get(i).weights()[j]);
            }
            states = states.mul(scope.floats(factors, count * longest, width));
        }
        return new Prompts(states, counted, whole);
    }

    /**
     * What the network makes of noisy pictures.
     *
     * @param x     [s · tokens, patch numbers]
     * @param times of each picture, 0 to 1000
     * @return as x
     */
    public Tensor forward(Tensor x, double[] times, Prompts prompts) {
        var scope = x.scope();
        int count = prompts.count(), tokens = config.tokens();
        var where = new int[count * tokens];
        for (int i = 0; i < where.length; i++) where[i] = i % tokens;
        var condition = time2.forward(time1.forward(scope.floats(waves(times), count, TIME_WIDTH)).map(Elementwise.SILU)).add(prompts.pooled).map(Elementwise.SILU);
        var y = patches.forward(x).add(scope.ints(where).embedding(positions));
        for (var block : blocks) y = y.local(rows -> block.forward(rows, condition, prompts.states, prompts.lengths));
        var two = finalModulation.forward(condition);
        int dim = config.dim();
        return output.forward(y.layerNorm(null, null, EPS).modulate(two.columns(dim, 2 * dim), two.columns(0, dim)));
    }

    private static float[] waves(double[] times) {
        var values = new float[times.length * TIME_WIDTH];
        for (int i = 0; i < times.length; i++) System.arraycopy(Sinusoid.of(times[i], TIME_WIDTH), 0, values, i * TIME_WIDTH, TIME_WIDTH);
        return values;
    }

    /** Pictures [s, size, size, channels] as rows of patches. */
    public static float[] toPatches(DitConfig config, float[] pictures) { return arranged(config, pictures, true); }

    /** The way back. */
    public static float[] fromPatches(DitConfig config, float[] rows) { return arranged(config, rows, false); }

    private static float[] arranged(DitConfig c, float[] from, boolean toRows) {
        int numbers = c.size() * c.size() * c.channels(), across = c.size() / c.patch(), run = c.patch() * c.channels();
        if (from.length % numbers != 0) throw new IllegalArgumentException("%d numbers are not whole pictures of %d".formatted(from.length, numbers));
        var to = new float[from.length];
        for (int picture = 0; picture < from.length; picture += numbers) for (int y = 0; y < c.size(); y++) for (int column = 0; column < across; column++) {
            int pixels = picture + (y * c.size() + column * c.patch()) * c.channels();
            int rows = picture + (y / c.patch() * across + column) * c.patchNumbers() + y % c.patch() * run;
            System.arraycopy(from, toRows ? pixels : rows, to, toRows ? rows : pixels, run);
        }
        return to;
    }

    /**
     * Values that a network begins with: each matrix uniform within the root of 6 / (in + out) (Glorot & Bengio 2010), the places of patches as waves over the picture, other embeddings normal
     * of deviation 1, as large as what is added to them, norms 1, biases 0; and 0 for all that opens a gate or ends a branch, so that blocks begin as identities and the network sees the tokens
     * of a prompt one by one from its first step.
     */
    public static float[] start(String name, int[] dims, RandomGenerator random) {
        var values = new float[Arrays.stream(dims).reduce(1, Math::multiplyExact)];
        if (name.endsWith(".bias") || name.contains("adaLN_modulation") || name.contains("cross_attn.proj") || name.startsWith("final_layer")
            || name.startsWith("text.") && (name.endsWith("proj.weight") || name.endsWith("fc2.weight"))) return values;
        if (dims.length == 1) {
            Arrays.fill(values, 1);
        } else if (name.equals("pos_embed.weight")) {
            waves(values, (int) Math.round(Math.sqrt(dims[0])), dims[1]);
        } else if (name.endsWith("_embed.weight")) {
            for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
        } else {
            double bound = Math.sqrt(6.0 / (dims[0] + dims[1]));
            for (int i = 0; i < values.length; i++) values[i] = (float) (bound * (2 * random.nextDouble() - 1));
        }
        return values;
    }

    /** Sines and cosines of a patch's row in one half of its numbers, of its column in the other. */
    private static void waves(float[] values, int across, int dim) {
        int quarter = dim / 4;
        for (int token = 0; token < values.length / dim; token++) for (int j = 0; j < quarter; j++) {
            double frequency = Math.exp(-Math.log(10_000) * j / quarter), row = token / across * frequency, column = token % across * frequency;
            int at = token * dim + j;
            values[at] = (float) Math.sin(row);
            values[at + quarter] = (float) Math.cos(row);
            values[at + 2 * quarter] = (float) Math.sin(column);
            values[at + 3 * quarter] = (float) Math.cos(column);
        }
    }
}
