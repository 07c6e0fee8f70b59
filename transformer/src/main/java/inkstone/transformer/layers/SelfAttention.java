package inkstone.transformer.layers;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.Context;
import inkstone.transformer.DecoderConfig;

/**
 * Grouped-query attention (Ainslie et al. 2023, arXiv:2305.13245) with rotary positions and, where the model has them, norms of queries and keys before they turn:
 * x [n, dim] -> [n, dim].
 *
 * @param rope        null in a layer without positions
 * @param temperature what queries at each position are multiplied by, F32 [positions, 1]; null where nothing
 */
public record SelfAttention(int layer, AttentionShape shape, Rope rope, Qkv qkv, HeadNorm attnQNorm, HeadNorm attnKNorm, Tensor temperature, Linear attnOutput) {
    /** attn_q, attn_k, attn_v (or attn_qkv) and attn_output. */
    public static SelfAttention of(DecoderConfig c, int layer, Rope rope, Weights w) {
        return new SelfAttention(layer, c.attention(), rope, Qkv.of(c, w), new HeadNorm.None(), new HeadNorm.None(), null, w.linear("attn_output", c.queryDim(), c.dim()));
    }

    public SelfAttention withShape(AttentionShape shape) { return new SelfAttention(layer, shape, rope, qkv, attnQNorm, attnKNorm, temperature, attnOutput); }

    public SelfAttention withNorms(HeadNorm queries, HeadNorm keys) { return new SelfAttention(layer, shape, rope, qkv, queries, keys, temperature, attnOutput); }

    public SelfAttention withTemperature(Tensor table) { return new SelfAttention(layer, shape, rope, qkv, attnQNorm, attnKNorm, table, attnOutput); }

    /** With attn_q_norm and attn_k_norm, of each head by itself, where the source has them. */
    public SelfAttention withHeadNorms(DecoderConfig c, Weights w) { return withNorms(HeadNorm.rmsOrNone(c, w, "attn_q_norm"), HeadNorm.rmsOrNone(c, w, "attn_k_norm")); }

    public Tensor forward(Tensor x, Context context) {
        Tensor queries = attnQNorm.forward(qkv.queries().forward(x)), keys = attnKNorm.forward(qkv.keys().forward(x));
        if (rope != null) {
            queries = queries.rope(context.positions(), rope);
            keys = keys.rope(context.positions(), rope);
        }
        if (temperature != null) queries = queries.weightedSum(context.positions().embedding(temperature));
        return attnOutput.forward(context.attend(layer, queries, keys, qkv.values().forward(x), shape));
    }
}
