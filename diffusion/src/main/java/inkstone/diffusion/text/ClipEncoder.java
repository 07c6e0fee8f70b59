package inkstone.diffusion.text;

import inkstone.diffusion.layers.LayerNorm;
import inkstone.diffusion.layers.PixelLinear;
import inkstone.tensor.AttentionShape;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Linear;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * The text encoder of CLIP and OpenCLIP (Radford et al. 2021, arXiv:2103.00020): a transformer in which each token sees those before it. Names of parameters are those of Hugging Face.
 *
 * @param projection null where there is none
 */
public record ClipEncoder(ClipConfig config, Tensor tokens, Tensor positions, List<Layer> layers, LayerNorm norm, Linear projection) {
    /** x + attention(norm1(x)), then + fc2(activation(fc1(norm2))). */
    record Layer(LayerNorm norm1, Linear q, Linear k, Linear v, Linear out, LayerNorm norm2, Linear up, Linear down, AttentionShape shape, Elementwise activation) {
        static Layer of(ClipConfig c, Weights w, String name) {
            int headDim = c.width() / c.heads();
            return new Layer(LayerNorm.of(w, name + ".layer_norm1", c.width()), PixelLinear.biased(w, name + ".self_attn.q_proj", c.width(), c.width()),
                PixelLinear.biased(w, name + ".self_attn.k_proj", c.width(), c.width()), PixelLinear.biased(w, name + ".self_attn.v_proj", c.width(), c.width()),
                PixelLinear.biased(w, name + ".self_attn.out_proj", c.width(), c.width()), LayerNorm.of(w, name + ".layer_norm2", c.width()),
                PixelLinear.biased(w, name + ".mlp.fc1", c.width(), c.hidden()), PixelLinear.biased(w, name + ".mlp.fc2", c.hidden(), c.width()),
                new AttentionShape(c.heads(), c.heads(), headDim, (float) (1 / Math.sqrt(headDim))), c.activation());
        }

        Tensor forward(Tensor x, Tensor starts) {
            x = x.local(t -> {
                var y = norm1.forward(t);
                return t.add(out.forward(q.forward(y).attention(k.forward(y), v.forward(y), starts, shape)));
            });
            return x.local(t -> t.add(down.forward(up.forward(norm2.forward(t)).map(activation))));
        }
    }

    public static ClipEncoder of(ClipConfig c, Weights w) {
        var layers = new ArrayList<Layer>();
        for (int i = 0; i < c.layers(); i++) layers.add(Layer.of(c, w, "text_model.encoder.layers." + i));
        return new ClipEncoder(c, w.tensor("text_model.embeddings.token_embedding.weight", c.vocabulary(), c.width()),
            w.tensor("text_model.embeddings.position_embedding.weight", c.length(), c.width()), List.copyOf(layers), LayerNorm.of(w, "text_model.final_layer_norm", c.width()),
            c.projection() == 0 ? null : w.linear("text_projection", c.width(), c.projection()));
    }

    /**
     * What the encoder says of texts.
     *
     * @param rows   [n · length, width], those of a text together
     * @param pooled [n, projection], or null where there is no projection or nobody asked
     */
    public record Encoded(Tensor rows, Tensor pooled) {}

    /**
     * Encodes texts of {@code length} tokens each.
     *
     * @param skipped last layers whose result the rows do not have: 1 for those of the last layer but one ("clip skip 2")
     * @param normed  whether the rows go through the final norm
     * @param pool    whether the pooled vector is wanted: of the last layer, normed, the row of the first end token, projected
     */
    public Encoded forward(Scope scope, int[][] texts, int skipped, boolean normed, boolean pool) {
        if (skipped < 0 || skipped >= config.layers()) throw new IllegalArgumentException("a text encoder of %d layers cannot skip %d".formatted(config.layers(), skipped));
        int length = config.length(), n = texts.length * length;
        int[] ids = new int[n], places = new int[n], starts = new int[n], ends = new int[texts.length];
        for (int i = 0; i < texts.length; i++) {
            if (texts[i].length != length) throw new IllegalArgumentException("expected texts of %d tokens, got %d".formatted(length, texts[i].length));
            System.arraycopy(texts[i], 0, ids, i * length, length);
            ends[i] = i * length + end(texts[i]);
        }
        for (int i = 0; i < n; i++) {
            places[i] = i % length;
            starts[i] = i - places[i];
        }
        var begin = scope.ints(starts);
        var x = scope.ints(ids).embedding(tokens).add(scope.ints(places).embedding(positions));
        int used = config.layers() - skipped;
        for (int i = 0; i < used; i++) x = layers.get(i).forward(x, begin);
        var rows = normed ? norm.forward(x) : x;
        if (!pool || projection == null) return new Encoded(rows, null);
        for (int i = used; i < config.layers(); i++) x = layers.get(i).forward(x, begin);
        return new Encoded(rows, projection.forward(norm.forward(x.gatherRows(scope.ints(ends)))));
    }

    private static int end(int[] text) {
        for (int i = 0; i < text.length; i++) if (text[i] == ClipTokenizer.END) return i;
        return text.length - 1;
    }
}
