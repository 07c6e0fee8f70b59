package inkstone.diffusion.text;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Linear;
import inkstone.tensor.ModelException;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * The encoder of T5 1.1 (Raffel et al. 2019, arXiv:1910.10683; gated feed-forward from Shazeer 2020, arXiv:2002.05202): every token sees every other, and how far apart they are changes
 * their score, learned for 32 classes of distance and shared by all layers. It reads prompts for other networks and does not learn here. Parameters have the names of Hugging Face.
 *
 * @param distances what is added to the score of each head for each class of distance, [classes · heads]
 */
public record T5Encoder(T5Config config, Tensor tokens, float[] distances, List<Layer> layers, Tensor finalNorm) {
    private static final float EPS = 1e-6f;
    private static final int CLASSES = 32, EXACT = 8, FARTHEST = 128;

    public static T5Encoder of(T5Config c, Weights w) {
        var layers = new ArrayList<Layer>();
        for (int i = 0; i < c.layers(); i++) layers.add(Layer.of(c, w.at("encoder.block." + i + ".")));
        var distances = w.values("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", CLASSES, c.heads());
        if (distances.isPresent() && distances.get().length != CLASSES * c.heads()) throw new ModelException("the distances of a T5 encoder are not [%d, %d]".formatted(CLASSES, c.heads()));
        return new T5Encoder(c, w.tensor("shared.weight", c.vocabulary(), c.width()), distances.orElse(new float[0]), List.copyOf(layers), w.tensor("encoder.final_layer_norm.weight", c.width()));
    }

    /**
     * @param ids     I32 [n · length]: n texts of {@code length} tokens, padded
     * @param lengths I32 [n]: how many tokens of each are seen; null: all, as Stable Diffusion 3 was trained
     * @return [n · length, width]
     */
    public Tensor forward(Tensor ids, int texts, Tensor lengths) {
        int length = ids.shape().dim(0) / texts;
        var bias = ids.scope().floats(bias(length), config.heads(), length, length);
        var x = ids.embedding(tokens);
        for (var layer : layers) x = layer.forward(x, texts, lengths, bias);
        return x.rmsNorm(finalNorm, EPS);
    }

    /** For each head, query and key what their distance adds to the score. */
    private float[] bias(int length) {
        var bias = new float[config.heads() * length * length];
        for (int head = 0; head < config.heads(); head++) for (int query = 0; query < length; query++) for (int key = 0; key < length; key++) {
            bias[(head * length + query) * length + key] = distances[distanceClass(key - query) * config.heads() + head];
        }
        return bias;
    }

    /** Half of the classes for keys behind the query; of each half 8 for near ones, the others ever wider up to a distance of 128. */
    static int distanceClass(int distance) {
        int side = distance > 0 ? CLASSES / 2 : 0, far = Math.abs(distance);
        if (far < EXACT) return side + far;
        int wide = CLASSES / 2 - EXACT;
        return side + Math.min(CLASSES / 2 - 1, EXACT + (int) (Math.log((double) far / EXACT) / Math.log((double) FARTHEST / EXACT) * wide));
    }

    record Layer(AttentionShape shape, Tensor attentionNorm, Linear q, Linear k, Linear v, Linear o, Tensor feedForwardNorm, Linear gate, Linear up, Linear down) {
        static Layer of(T5Config c, Weights w) {
            int inner = c.heads() * c.headDim();
            return new Layer(new AttentionShape(c.heads(), c.heads(), c.headDim(), 1).bidirectional(), w.tensor("layer.0.layer_norm.weight", c.width()),
                w.linear("layer.0.SelfAttention.q", c.width(), inner), w.linear("layer.0.SelfAttention.k", c.width(), inner), w.linear("layer.0.SelfAttention.v", c.width(), inner),
                w.linear("layer.0.SelfAttention.o", inner, c.width()), w.tensor("layer.1.layer_norm.weight", c.width()), w.linear("layer.1.DenseReluDense.wi_0", c.width(), c.hidden()),
                w.linear("layer.1.DenseReluDense.wi_1", c.width(), c.hidden()), w.linear("layer.1.DenseReluDense.wo", c.hidden(), c.width()));
        }

        /** x [n · length, width] -> the same. */
        Tensor forward(Tensor x, int texts, Tensor lengths, Tensor bias) {
            var a = x.rmsNorm(attentionNorm, EPS);
            var h = x.add(o.forward(q.forward(a).crossAttention(k.forward(a), v.forward(a), texts, lengths, bias, shape)));
            var f = h.rmsNorm(feedForwardNorm, EPS);
            return h.add(down.forward(gate.forward(f).geglu(up.forward(f))));
        }
    }
}
