package inkstone.transformer.llama;

import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.Context;

/**
 * One Llama decoder layer (Touvron et al. 2023, arXiv:2302.13971): grouped-query attention and a SwiGLU feed-forward, each behind an RMS norm.
 * Every row of x is one token. Biases are there where the file has them.
 */
record LlamaBlock(LlamaConfig config, int layer, Rope rope, Tensor attnNorm, Linear attnQ, Linear attnK, Linear attnV, Linear attnOutput,
                  Tensor ffnNorm, Linear ffnGate, Linear ffnUp, Linear ffnDown) {
    static LlamaBlock of(LlamaConfig c, int layer, Rope rope, Weights w) {
        int queries = c.heads() * c.headDim(), keys = c.kvHeads() * c.headDim();
        return new LlamaBlock(c, layer, rope,
            w.tensor("attn_norm.weight", c.dim()), w.linear("attn_q", c.dim(), queries), w.linear("attn_k", c.dim(), keys), w.linear("attn_v", c.dim(), keys),
            w.linear("attn_output", queries, c.dim()),
            w.tensor("ffn_norm.weight", c.dim()), w.linear("ffn_gate", c.dim(), c.hidden()), w.linear("ffn_up", c.dim(), c.hidden()),
            w.linear("ffn_down", c.hidden(), c.dim()));
    }

    /** x [n, dim] -> [n, dim] */
    Tensor forward(Tensor x, Context context) {
        var h = x.add(attention(x.rmsNorm(attnNorm, config.eps()), context));
        return h.add(feedForward(h.rmsNorm(ffnNorm, config.eps())));
    }

    private Tensor attention(Tensor x, Context context) {
        var queries = attnQ.forward(x).rope(context.positions(), rope);
        var keys = attnK.forward(x).rope(context.positions(), rope);
        return attnOutput.forward(context.attend(layer, queries, keys, attnV.forward(x), config.attention()));
    }

    private Tensor feedForward(Tensor x) { return ffnDown.forward(ffnGate.forward(x).swiglu(ffnUp.forward(x))); }
}
