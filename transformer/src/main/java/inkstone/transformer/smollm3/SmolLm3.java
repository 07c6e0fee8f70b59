package inkstone.transformer.smollm3;

import inkstone.tensor.Backend;
import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.layers.Head;
import inkstone.transformer.layers.Qkv;
import inkstone.transformer.layers.SwiGlu;
import java.util.ArrayList;
import java.util.List;

/**
 * SmolLM 3 (Bakouch et al. 2025, "SmolLM3: smol, multilingual, long-context reasoner"): Llama's block, but every fourth layer knows no positions (Yang et al. 2025,
 * arXiv:2501.18795). Parameters have the names of GGUF files.
 */
public record SmolLm3(DecoderConfig config, Tensor tokenEmbd, List<Block> blocks, Tensor outputNorm, Linear output) implements CausalModel {
    static final int UNTURNED_EVERY = 4;

    public static SmolLm3 of(DecoderConfig c, Weights w, Backend backend) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var rope = c.rope(w, backend);
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) {
            blocks.add(Block.of(c, layer, (layer + 1) % UNTURNED_EVERY == 0 ? null : rope, w.at("blk." + layer + ".")));
        }
        return new SmolLm3(c, tokenEmbd, List.copyOf(blocks), w.tensor("output_norm.weight", c.dim()), Head.of(c, w, tokenEmbd));
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd);
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return x.rmsNorm(outputNorm, config.eps());
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden); }

    /** @param rope null in a layer without positions */
    record Block(DecoderConfig config, int layer, Rope rope, Tensor attnNorm, Qkv qkv, Linear attnOutput, Tensor ffnNorm, SwiGlu feedForward) {
        static Block of(DecoderConfig c, int layer, Rope rope, Weights w) {
            return new Block(c, layer, rope, w.tensor("attn_norm.weight", c.dim()), Qkv.of(c, w), w.linear("attn_output", c.queryDim(), c.dim()),
                w.tensor("ffn_norm.weight", c.dim()), SwiGlu.of(w, "", c.dim(), c.hidden()));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Context context) {
            var h = x.add(attention(x.rmsNorm(attnNorm, config.eps()), context));
            return h.add(feedForward.forward(h.rmsNorm(ffnNorm, config.eps())));
        }

        private Tensor attention(Tensor x, Context context) {
            Tensor queries = qkv.queries().forward(x), keys = qkv.keys().forward(x);
            if (rope != null) {
                queries = queries.rope(context.positions(), rope);
                keys = keys.rope(context.positions(), rope);
            }
            return attnOutput.forward(context.attend(layer, queries, keys, qkv.values().forward(x), config.attention()));
        }
    }
}
