package inkstone.transformer.llama;

import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.Context;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.layers.Experts;
import inkstone.transformer.layers.FeedForward;
import inkstone.transformer.layers.Qkv;
import inkstone.transformer.layers.SwiGlu;

/**
 * One Llama decoder layer (Touvron et al. 2023, arXiv:2302.13971): grouped-query attention and a SwiGLU feed-forward, or a mixture of them, each behind an RMS norm.
 * Every row of x is one token. Biases are there where the file has them.
 */
record LlamaBlock(DecoderConfig config, int layer, Rope rope, Tensor attnNorm, Qkv qkv, Linear attnOutput, Tensor ffnNorm, FeedForward feedForward) {
    static LlamaBlock of(DecoderConfig c, Experts.Sizes experts, int layer, Rope rope, Weights w) {
        return new LlamaBlock(c, layer, rope, w.tensor("attn_norm.weight", c.dim()), Qkv.of(c, w), w.linear("attn_output", c.queryDim(), c.dim()),
            w.tensor("ffn_norm.weight", c.dim()), experts == null ? SwiGlu.of(w, "", c.dim(), c.hidden()) : Experts.of(w, c.dim(), experts));
    }

    /** x [n, dim] -> [n, dim] */
    Tensor forward(Tensor x, Context context) {
        var h = x.add(attention(x.rmsNorm(attnNorm, config.eps()), context));
        return h.add(feedForward.forward(h.rmsNorm(ffnNorm, config.eps())));
    }

    private Tensor attention(Tensor x, Context context) {
        var queries = qkv.queries().forward(x).rope(context.positions(), rope);
        var keys = qkv.keys().forward(x).rope(context.positions(), rope);
        return attnOutput.forward(context.attend(layer, queries, keys, qkv.values().forward(x), config.attention()));
    }
}
