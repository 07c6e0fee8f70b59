package inkstone.transformer.gemma4;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import inkstone.transformer.ModelConfig;
import inkstone.transformer.RopeScaling;
import inkstone.transformer.layers.GeGlu;
import inkstone.transformer.layers.Head;
import inkstone.transformer.layers.HeadNorm;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Gemma 4, dense, text (Gemma Team 2026, "Gemma 4"): as Gemma 3, but windowed layers have heads of their own width, values are normed as well, the last layers may read the
 * keys and values of earlier ones, and each layer may take in an embedding of the token that is its own. Parameters have the names of GGUF files.
 *
 * @param layerInputs null where layers take in nothing beside the hidden state
 */
record Gemma4(Gemma4Config numbers, Tensor tokenEmbd, LayerInputs layerInputs, List<Block> blocks, Tensor outputNorm, Linear output) implements CausalModel {
    static Gemma4 of(Gemma4Config numbers, Weights w, Backend backend) {
        var c = numbers.decoder();
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var global = c.rope(w, backend);
        var frequencies = RopeScaling.NONE.frequencies(numbers.localBase(), numbers.localRotaryDim());
        var local = new Rope(constant(backend, frequencies), 1, c.pairs(), numbers.localHeadDim());
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) {
            blocks.add(Block.of(numbers, layer, numbers.windows()[layer] > 0 ? local : global, w.at("blk." + layer + "."), backend));
        }
        return new Gemma4(numbers, tokenEmbd, numbers.perLayer() == 0 ? null : LayerInputs.of(numbers, w), List.copyOf(blocks), w.tensor("output_norm.weight", c.dim()),
            Head.of(c, w, tokenEmbd));
    }

    private static Tensor constant(Backend backend, float[] values) {
        return Tensor.of(DType.F32, backend.resident(Arena.ofAuto().allocateFrom(ValueLayout.JAVA_FLOAT, values)), values.length);
    }

    @Override public ModelConfig config() { return numbers; }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd).scale((float) Math.sqrt(numbers.dim()));
        var inputs = layerInputs == null ? null : layerInputs.forward(tokens, x);
        var kept = new KeysValues[blocks.size()];
        for (var block : blocks) {
            var input = inputs == null ? null : inputs.columns(block.layer * numbers.perLayer(), (block.layer + 1) * numbers.perLayer());
            if (block.read) {
                // what others read must outlive the block
                kept[block.layer] = block.keysValues(x, context);
            }
            var keysValues = kept[numbers.source(block.layer)];
            x = x.local(entered -> block.forward(entered, input, keysValues, context));
        }
        return x.rmsNorm(outputNorm, numbers.decoder().eps());
    }

    @Override public Tensor logits(Tensor hidden) {
        var logits = output.forward(hidden);
        return numbers.logitCap() == 0 ? logits : logits.softCap(numbers.logitCap());
    }

    /** Turned keys and normed values of a layer. */
    record KeysValues(Tensor keys, Tensor values) {}

    /** What each layer takes in of each token: F32 [n, layers · perLayer]. */
    record LayerInputs(Gemma4Config numbers, Tensor perLayerTokenEmbd, Linear perLayerModelProj, Tensor perLayerProjNorm) {
        static LayerInputs of(Gemma4Config numbers, Weights w) {
            int width = numbers.layers() * numbers.perLayer();
            return new LayerInputs(numbers, w.tensor("per_layer_token_embd.weight", numbers.vocabularySize(), width), w.linear("per_layer_model_proj", numbers.dim(), width),
                w.tensor("per_layer_proj_norm.weight", numbers.perLayer()));
        }

        Tensor forward(Tensor tokens, Tensor x) {
            int n = x.shape().dim(0), each = numbers.perLayer(), width = numbers.layers() * each;
            var projected = perLayerModelProj.forward(x).scale((float) (1 / Math.sqrt(numbers.dim()))).view(n * numbers.layers(), each)
                .rmsNorm(perLayerProjNorm, numbers.decoder().eps()).view(n, width);
            return projected.add(tokens.embedding(perLayerTokenEmbd).scale((float) Math.sqrt(each))).scale((float) Math.sqrt(0.5));
        }
    }

    /**
     * @param attnK   null in a layer that reads the keys and values of another, and so attnKNorm; {@code attnV} also where values are keys before their norm
     * @param read    whether a later layer reads its keys and values
     * @param inGate  null, and so {@code inProj} and {@code postNorm}, where layers take in nothing beside the hidden state
     * @param scale   what the layer's result is multiplied by
     */
    record Block(Gemma4Config numbers, int layer, boolean read, AttentionShape shape, Rope rope, Tensor attnNorm, Linear attnQ, Linear attnK, Linear attnV, HeadNorm attnQNorm,
                 HeadNorm attnKNorm, HeadNorm valueNorm, Linear attnOutput, Tensor postAttentionNorm, Tensor ffnNorm, GeGlu feedForward, Tensor postFfwNorm, Linear inGate, Linear inProj,
                 Tensor postNorm, float scale) {
        static Block of(Gemma4Config numbers, int layer, Rope rope, Weights w, Backend backend) {
            var c = numbers.decoder();
            var shape = numbers.shape(layer);
            int dim = c.dim(), headDim = shape.headDim();
            boolean own = numbers.source(layer) == layer, read = false, takesIn = numbers.perLayer() > 0;
            for (int other = layer + 1; other < c.layers(); other++) read |= numbers.source(other) == layer;
            var ones = new float[headDim];
            Arrays.fill(ones, 1);
            if (w.has(Gemma4Config.SCALE)) w.tensor(Gemma4Config.SCALE, 1);                          // its number is in numbers.scales()
            // files of sharing layers may hold keys and values that nothing reads
            if (!own) for (var name : new String[] {"attn_k.weight", "attn_v.weight", "attn_k_norm.weight"}) w.has(name);
            return new Block(numbers, layer, read, shape, rope, w.tensor("attn_norm.weight", dim), w.linear("attn_q", dim, shape.queryDim()),
                own ? w.linear("attn_k", dim, shape.keyDim()) : null, own && w.has("attn_v.weight") ? w.linear("attn_v", dim, shape.keyDim()) : null,
                new HeadNorm.Rms(w.tensor("attn_q_norm.weight", headDim), c.eps()), own ? new HeadNorm.Rms(w.tensor("attn_k_norm.weight", headDim), c.eps()) : null,
                new HeadNorm.Rms(constant(backend, ones), c.eps()), w.linear("attn_output", shape.queryDim(), dim), w.tensor("post_attention_norm.weight", dim),
                w.tensor("ffn_norm.weight", dim), GeGlu.of(w, dim, numbers.hiddens()[layer]), w.tensor("post_ffw_norm.weight", dim),
                takesIn ? w.linear("inp_gate", dim, numbers.perLayer()) : null, takesIn ? w.linear("proj", numbers.perLayer(), dim) : null,
                takesIn ? w.tensor("post_norm.weight", dim) : null, numbers.scales()[layer]);
        }

        /** x [n, dim] -> [n, dim]; {@code given} from the layer that this one reads, null for its own. */
        Tensor forward(Tensor x, Tensor input, KeysValues given, Context context) {
            float eps = numbers.decoder().eps();
            var h = x.add(attention(x, given, context).rmsNorm(postAttentionNorm, eps));
            h = h.add(feedForward.forward(h.rmsNorm(ffnNorm, eps)).rmsNorm(postFfwNorm, eps));
            if (input != null) h = h.add(inProj.forward(inGate.forward(h).gelu().mul(input)).rmsNorm(postNorm, eps));
            return scale == 1 ? h : h.scale(scale);
        }

        KeysValues keysValues(Tensor x, Context context) {
            var normed = x.rmsNorm(attnNorm, numbers.decoder().eps());
            var keys = attnK.forward(normed);
            var values = attnV == null ? keys : attnV.forward(normed);
            return new KeysValues(attnKNorm.forward(keys).rope(context.positions(), rope), valueNorm.forward(values));
        }

        /** A layer that reads another's stores the same keys and values there again, which changes nothing. */
        private Tensor attention(Tensor x, KeysValues given, Context context) {
            var queries = attnQNorm.forward(attnQ.forward(x.rmsNorm(attnNorm, numbers.decoder().eps()))).rope(context.positions(), rope);
            var seen = given == null ? keysValues(x, context) : given;
            return attnOutput.forward(context.attend(numbers.source(layer), queries, seen.keys, seen.values, shape));
        }
    }
}
