package inkstone.transformer.qwen3next;

import inkstone.tensor.Elementwise;
import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.Context;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.layers.HeadNorm;

/**
 * Grouped-query attention whose result goes through a gate (Qiu et al. 2025, arXiv:2505.06708): x [n, dim] -> [n, dim].
 *
 * @param attnQ makes, for each head, a query and what the gate is made of
 */
record GatedAttention(DecoderConfig config, int layer, Rope rope, Linear attnQ, Linear attnK, Linear attnV, HeadNorm attnQNorm, HeadNorm attnKNorm, Linear attnOutput) {
    static GatedAttention of(DecoderConfig c, int layer, Rope rope, Weights w) {
        return new GatedAttention(c, layer, rope, w.linear("attn_q", c.dim(), 2 * c.queryDim()), w.linear("attn_k", c.dim(), c.keyDim()), w.linear("attn_v", c.dim(), c.keyDim()),
            new HeadNorm.Rms(w.tensor("attn_q_norm.weight", c.headDim()), c.eps()), new HeadNorm.Rms(w.tensor("attn_k_norm.weight", c.headDim()), c.eps()),
            w.linear("attn_output", c.queryDim(), c.dim()));
    }

    Tensor forward(Tensor x, Context context) {
        int n = x.shape().dim(0), headDim = config.headDim();
        var perHead = attnQ.forward(x).view(n * config.heads(), 2 * headDim);
        var queries = attnQNorm.forward(perHead.columns(0, headDim).view(n, config.queryDim())).rope(context.positions(), rope);
        var keys = attnKNorm.forward(attnK.forward(x)).rope(context.positions(), rope);
        var gate = perHead.columns(headDim, 2 * headDim).view(n, config.queryDim()).map(Elementwise.SIGMOID);
        return attnOutput.forward(context.attend(layer, queries, keys, attnV.forward(x), config.attention()).mul(gate));
    }
}
