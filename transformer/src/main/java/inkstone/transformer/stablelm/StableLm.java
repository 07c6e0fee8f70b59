package inkstone.transformer.stablelm;

import inkstone.tensor.Backend;
import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.layers.Head;
import inkstone.transformer.layers.HeadNorm;
import inkstone.transformer.layers.LayerNorm;
import inkstone.transformer.layers.Qkv;
import inkstone.transformer.layers.SwiGlu;
import java.util.ArrayList;
import java.util.List;

/**
 * StableLM 3B and StableLM 2 (Bellagente et al. 2024, arXiv:2402.17834): Llama's block with layer norms, and rotation of a part of each head. The 12B model has a
 * norm for each head, and its feed-forward reads what the attention does. Parameters have the names of GGUF files.
 */
public record StableLm(DecoderConfig config, Tensor tokenEmbd, List<Block> blocks, LayerNorm outputNorm, Linear output) implements CausalModel {
    public static StableLm of(DecoderConfig c, Weights w, Backend backend) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var rope = c.rope(w, backend);
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(Block.of(c, layer, rope, w.at("blk." + layer + ".")));
        return new StableLm(c, tokenEmbd, List.copyOf(blocks), LayerNorm.of(w, "output_norm", c.dim(), c.eps()), Head.of(c, w, tokenEmbd));
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd);
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return outputNorm.forward(x);
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden); }

    /** @param ffnNorm null where the feed-forward stands beside the attention */
    record Block(DecoderConfig config, int layer, Rope rope, LayerNorm attnNorm, Qkv qkv, HeadNorm attnQNorm, HeadNorm attnKNorm, Linear attnOutput,
                 LayerNorm ffnNorm, SwiGlu feedForward) {
        static Block of(DecoderConfig c, int layer, Rope rope, Weights w) {
            return new Block(c, layer, rope, LayerNorm.of(w, "attn_norm", c.dim(), c.eps()), Qkv.of(c, w),
                HeadNorm.layerOrNone(w, "attn_q_norm", c.heads(), c.headDim(), c.eps()), HeadNorm.layerOrNone(w, "attn_k_norm", c.kvHeads(), c.headDim(), c.eps()),
                w.linear("attn_output", c.queryDim(), c.dim()), w.has("ffn_norm.weight") ? LayerNorm.of(w, "ffn_norm", c.dim(), c.eps()) : null, SwiGlu.of(w, "", c.dim(), c.hidden()));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Context context) {
            var normed = attnNorm.forward(x);
            var h = x.add(attention(normed, context));
            return h.add(feedForward.forward(ffnNorm == null ? normed : ffnNorm.forward(h)));
        }

        private Tensor attention(Tensor x, Context context) {
            var queries = attnQNorm.forward(qkv.queries().forward(x)).rope(context.positions(), rope);
            var keys = attnKNorm.forward(qkv.keys().forward(x)).rope(context.positions(), rope);
            return attnOutput.forward(context.attend(layer, queries, keys, qkv.values().forward(x), config.attention()));
        }
    }
}
