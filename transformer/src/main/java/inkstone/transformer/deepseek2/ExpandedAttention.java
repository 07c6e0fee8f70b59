package inkstone.transformer.deepseek2;

import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.Context;

/**
 * Multi-head latent attention with keys and values made of the latents before they are cached: for files of before April 2025, which keep the map from latents to
 * both as one (attn_kv_b).
 *
 * @param latent attn_kv_a_mqa's rows that make latents; {@code turning}: those that make the part of the key that turns, one for all heads
 * @param attnKvB [heads · (plain + valueDim), latent]
 */
record ExpandedAttention(Deepseek2Config config, int layer, Rope rope, Queries queries, Linear latent, Linear turning, Tensor attnKvANorm, Linear attnKvB,
                         Linear attnOutput) implements Attention {
    static ExpandedAttention of(Deepseek2Config config, int layer, Rope rope, Weights w) {
        var c = config.decoder();
        int latent = config.latent();
        var compress = w.linear("attn_kv_a_mqa", c.dim(), latent + c.rotaryDim());
        return new ExpandedAttention(config, layer, rope, Queries.of(config, w), compress.rows(0, latent), compress.rows(latent, latent + c.rotaryDim()),
            w.tensor("attn_kv_a_norm.weight", latent), w.linear("attn_kv_b", latent, c.heads() * (config.plain() + config.valueDim())),
            w.linear("attn_output", c.heads() * config.valueDim(), c.dim()));
    }

    @Override public Tensor forward(Tensor x, Heads.Rows heads, Context context) {
        var c = config.decoder();
        int n = x.shape().dim(0), rows = n * c.heads(), turns = c.rotaryDim(), plain = config.plain();
        var keyAndValue = attnKvB.forward(latent.forward(x).rmsNorm(attnKvANorm, c.eps())).view(rows, plain + config.valueDim());
        var turned = turning.forward(x).rope(context.positions(), rope).gatherRows(heads.token());
        var keys = keyAndValue.columns(0, plain).concat(turned).view(n, c.queryDim());
        var values = keyAndValue.columns(plain, plain + config.valueDim()).view(n, c.heads() * config.valueDim());
        var perHead = queries.forward(x).view(rows, c.headDim());
        var turnedQueries = perHead.columns(plain, c.headDim()).view(n, c.heads() * turns).rope(context.positions(), rope).view(rows, turns);
        var asked = perHead.columns(0, plain).concat(turnedQueries).view(n, c.queryDim());
        return attnOutput.forward(context.attend(layer, asked, keys, values, config.attention()));
    }
}
