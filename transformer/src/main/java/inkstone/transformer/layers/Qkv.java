package inkstone.transformer.layers;

import inkstone.tensor.Linear;
import inkstone.tensor.Weights;
import inkstone.transformer.DecoderConfig;

/** The three maps before attention, which a file keeps apart or, one below the other, as attn_qkv. */
public record Qkv(Linear queries, Linear keys, Linear values) {
    public static Qkv of(DecoderConfig c, Weights w) {
        int queries = c.queryDim(), keys = c.keyDim();
        if (!w.has("attn_qkv.weight")) return new Qkv(w.linear("attn_q", c.dim(), queries), w.linear("attn_k", c.dim(), keys), w.linear("attn_v", c.dim(), keys));
        var fused = w.linear("attn_qkv", c.dim(), queries + 2 * keys);
        return new Qkv(fused.rows(0, queries), fused.rows(queries, queries + keys), fused.rows(queries + keys, queries + 2 * keys));
    }
}
