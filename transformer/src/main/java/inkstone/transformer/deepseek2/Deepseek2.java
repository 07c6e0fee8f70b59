package inkstone.transformer.deepseek2;

import inkstone.tensor.Backend;
import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.layers.Experts;
import inkstone.transformer.layers.FeedForward;
import inkstone.transformer.layers.Head;
import inkstone.transformer.layers.SwiGlu;
import java.util.ArrayList;
import java.util.List;

/**
 * DeepSeek 2 and 3 (DeepSeek-AI 2024, arXiv:2405.04434, arXiv:2412.19437): multi-head latent attention, and experts beside which every row goes through a shared one.
 * Parameters have the names of GGUF files.
 */
public record Deepseek2(Deepseek2Config config, Heads heads, Tensor tokenEmbd, List<Block> blocks, Tensor outputNorm, Linear output) implements CausalModel {
    public static Deepseek2 of(Deepseek2Config config, Weights w, Backend backend) {
        var c = config.decoder();
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var turned = c.rope(w, backend);
        var rope = new Rope(turned.frequencies(), turned.magnitude(), turned.pairs(), c.rotaryDim());
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(Block.of(config, layer, rope, w.at("blk." + layer + ".")));
        return new Deepseek2(config, new Heads(backend, c.heads()), tokenEmbd, List.copyOf(blocks), w.tensor("output_norm.weight", c.dim()), Head.of(c, w, tokenEmbd));
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd);
        var rows = heads.of(tokens.shape().dim(0));
        for (var block : blocks) x = x.local(input -> block.forward(input, rows, context));
        return x.rmsNorm(outputNorm, config.decoder().eps());
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden); }

    /** @param shared the experts that every row goes to, as one; null where there are none */
    record Block(DecoderConfig config, Tensor attnNorm, Attention attention, Tensor ffnNorm, FeedForward feedForward, SwiGlu shared) {
        static Block of(Deepseek2Config config, int layer, Rope rope, Weights w) {
            var c = config.decoder();
            boolean dense = layer < config.denseLayers();
            return new Block(c, w.tensor("attn_norm.weight", c.dim()), config.split() ? LatentAttention.of(config, layer, rope, w) : ExpandedAttention.of(config, layer, rope, w),
                w.tensor("ffn_norm.weight", c.dim()),
                dense ? SwiGlu.of(w, "", c.dim(), c.hidden()) : Experts.of(w, c.dim(), config.experts()),
                dense || config.shared() == 0 ? null : SwiGlu.of(w, "_shexp", c.dim(), config.shared()));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Heads.Rows heads, Context context) {
            var h = x.add(attention.forward(x.rmsNorm(attnNorm, config.eps()), heads, context));
            var normed = h.rmsNorm(ffnNorm, config.eps());
            var chosen = h.add(feedForward.forward(normed));
            return shared == null ? chosen : chosen.add(shared.forward(normed));
        }
    }
}
