package inkstone.transformer.olmo2;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Backend;
import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.RopeScaling;
import inkstone.transformer.layers.Head;
import inkstone.transformer.layers.Qkv;
import inkstone.transformer.layers.SwiGlu;
import java.util.ArrayList;
import java.util.List;

/**
 * OLMo 2 and 3 (OLMo Team 2024, arXiv:2501.00656): norms behind attention and feed-forward alone, and one over all heads of queries, and of keys, together. In
 * OLMo 3 three of four layers are windowed. Parameters have the names of GGUF files.
 */
public record Olmo2(DecoderConfig config, Tensor tokenEmbd, List<Block> blocks, Tensor outputNorm, Linear output) implements CausalModel {
    /** @param windows of each layer, 0 where it sees all; windowed layers turn unscaled */
    public static Olmo2 of(DecoderConfig c, int[] windows, Weights w, Backend backend) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var global = c.rope(w, backend);
        var local = c.rope(c.ropeBase(), RopeScaling.NONE, backend);
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) {
            blocks.add(Block.of(c, windows[layer], layer, windows[layer] > 0 ? local : global, w.at("blk." + layer + ".")));
        }
        return new Olmo2(c, tokenEmbd, List.copyOf(blocks), w.tensor("output_norm.weight", c.dim()), Head.of(c, w, tokenEmbd));
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd);
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return x.rmsNorm(outputNorm, config.eps());
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden); }

    record Block(float eps, AttentionShape shape, int layer, Rope rope, Qkv qkv, Tensor attnQNorm, Tensor attnKNorm, Linear attnOutput, Tensor postAttentionNorm,
                 SwiGlu feedForward, Tensor postFfwNorm) {
        static Block of(DecoderConfig c, int window, int layer, Rope rope, Weights w) {
            return new Block(c.eps(), c.attention().withWindow(window), layer, rope, Qkv.of(c, w), w.tensor("attn_q_norm.weight", c.queryDim()),
                w.tensor("attn_k_norm.weight", c.keyDim()), w.linear("attn_output", c.queryDim(), c.dim()), w.tensor("post_attention_norm.weight", c.dim()),
                SwiGlu.of(w, "", c.dim(), c.hidden()), w.tensor("post_ffw_norm.weight", c.dim()));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Context context) {
            var h = x.add(attention(x, context).rmsNorm(postAttentionNorm, eps));
            return h.add(feedForward.forward(h).rmsNorm(postFfwNorm, eps));
        }

        private Tensor attention(Tensor x, Context context) {
            var queries = qkv.queries().forward(x).rmsNorm(attnQNorm, eps).rope(context.positions(), rope);
            var keys = qkv.keys().forward(x).rmsNorm(attnKNorm, eps).rope(context.positions(), rope);
            return attnOutput.forward(context.attend(layer, queries, keys, qkv.values().forward(x), shape));
        }
    }
}
