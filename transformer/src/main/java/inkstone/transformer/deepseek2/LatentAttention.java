package inkstone.transformer.deepseek2;

import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.Context;

/**
 * Multi-head latent attention (DeepSeek-AI 2024, arXiv:2405.04434, section 2.1) with the maps between latents and heads absorbed: queries are brought to the
 * latents, attend there, and what they get is brought back to value heads. So the cache holds, for each token, one latent as value and, with its turning part, as
 * key, whatever the number of heads; expanded keys and values would be heads · (headDim + valueDim) numbers.
 *
 * @param latent attn_kv_a_mqa's rows that make latents; {@code turning}: those that make the part of the key that turns
 * @param attnKB [heads, latent, plain]
 * @param attnVB [heads, valueDim, latent]
 */
record LatentAttention(Deepseek2Config config, int layer, Rope rope, Queries queries, Linear latent, Linear turning, Tensor attnKvANorm,
                       Tensor attnKB, Tensor attnVB, Linear attnOutput) implements Attention {
    static LatentAttention of(Deepseek2Config config, int layer, Rope rope, Weights w) {
        var c = config.decoder();
        int latent = config.latent();
        var compress = w.linear("attn_kv_a_mqa", c.dim(), latent + c.rotaryDim());
        return new LatentAttention(config, layer, rope, Queries.of(config, w),
            compress.rows(0, latent), compress.rows(latent, latent + c.rotaryDim()), w.tensor("attn_kv_a_norm.weight", latent),
            w.tensor("attn_k_b.weight", c.heads(), latent, config.plain()), w.tensor("attn_v_b.weight", c.heads(), config.valueDim(), latent),
            w.linear("attn_output", c.heads() * config.valueDim(), c.dim()));
    }

    @Override public Tensor forward(Tensor x, Heads.Rows heads, Context context) {
        var c = config.decoder();
        int n = x.shape().dim(0), rows = n * c.heads(), turns = c.rotaryDim();
        var latents = latent.forward(x).rmsNorm(attnKvANorm, c.eps());
        var keys = latents.concat(turning.forward(x).rope(context.positions(), rope));
        var perHead = queries.forward(x).view(rows, c.headDim());
        var turned = perHead.columns(config.plain(), c.headDim()).view(n, c.heads() * turns).rope(context.positions(), rope).view(rows, turns);
        var brought = perHead.columns(0, config.plain()).expertLinear(attnKB, null, heads.head()).concat(turned).view(n, c.heads() * (config.latent() + turns));
        var mixed = context.attend(layer, brought, keys, latents, config.attention()).view(rows, config.latent());
        return attnOutput.forward(mixed.expertLinear(attnVB, null, heads.head()).view(n, c.heads() * config.valueDim()));
    }
}
