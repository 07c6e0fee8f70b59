package inkstone.transformer.hunyuan;

import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.Context;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.layers.HeadNorm;
import inkstone.transformer.layers.Qkv;

/** Grouped-query attention whose heads of queries and keys turn before they are normed: x [n, dim] -> [n, dim]. */
record TurnedFirstAttention(DecoderConfig config, int layer, Rope rope, Qkv qkv, HeadNorm attnQNorm, HeadNorm attnKNorm, Linear attnOutput) {
    static TurnedFirstAttention of(DecoderConfig c, int layer, Rope rope, Weights w) {
        return new TurnedFirstAttention(c, layer, rope, Qkv.of(c, w), HeadNorm.rmsOrNone(c, w, "attn_q_norm"), HeadNorm.rmsOrNone(c, w, "attn_k_norm"),
            w.linear("attn_output", c.queryDim(), c.dim()));
    }

    Tensor forward(Tensor x, Context context) {
        var queries = attnQNorm.forward(qkv.queries().forward(x).rope(context.positions(), rope));
        var keys = attnKNorm.forward(qkv.keys().forward(x).rope(context.positions(), rope));
        return attnOutput.forward(context.attend(layer, queries, keys, qkv.values().forward(x), config.attention()));
    }
}
