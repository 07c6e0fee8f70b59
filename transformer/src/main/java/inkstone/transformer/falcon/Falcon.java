package inkstone.transformer.falcon;

import inkstone.tensor.Backend;
import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.layers.Head;
import inkstone.transformer.layers.LayerNorm;
import inkstone.transformer.layers.Qkv;
import java.util.ArrayList;
import java.util.List;

/**
 * Falcon 7B, 40B and 180B (Almazrouei et al. 2023, arXiv:2311.16867): attention and feed-forward side by side, behind one layer norm or, in the larger ones, one
 * each. Parameters have the names of GGUF files.
 */
public record Falcon(DecoderConfig config, Tensor tokenEmbd, List<Block> blocks, LayerNorm outputNorm, Linear output) implements CausalModel {
    public static Falcon of(DecoderConfig c, Weights w, Backend backend) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var rope = c.rope(w, backend);
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(Block.of(c, layer, rope, w.at("blk." + layer + ".")));
        return new Falcon(c, tokenEmbd, List.copyOf(blocks), LayerNorm.of(w, "output_norm", c.dim(), c.eps()), Head.of(c, w, tokenEmbd));
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd);
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return outputNorm.forward(x);
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden); }

    /** @param attentionNorm attn_norm_2 where the file has it: attn_norm is then the feed-forward's alone; null where both share that */
    record Block(DecoderConfig config, int layer, Rope rope, LayerNorm attnNorm, LayerNorm attentionNorm, Qkv qkv, Linear attnOutput, Linear ffnUp, Linear ffnDown) {
        static Block of(DecoderConfig c, int layer, Rope rope, Weights w) {
            return new Block(c, layer, rope, LayerNorm.of(w, "attn_norm", c.dim(), c.eps()),
                w.has("attn_norm_2.weight") ? LayerNorm.of(w, "attn_norm_2", c.dim(), c.eps()) : null, Qkv.of(c, w),
                w.linear("attn_output", c.queryDim(), c.dim()), w.linear("ffn_up", c.dim(), c.hidden()), w.linear("ffn_down", c.hidden(), c.dim()));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Context context) {
            var normed = attnNorm.forward(x);
            var attended = attention(attentionNorm == null ? normed : attentionNorm.forward(x), context);
            return x.add(attended).add(ffnDown.forward(ffnUp.forward(normed).gelu()));
        }

        private Tensor attention(Tensor x, Context context) {
            var queries = qkv.queries().forward(x).rope(context.positions(), rope);
            var keys = qkv.keys().forward(x).rope(context.positions(), rope);
            return attnOutput.forward(context.attend(layer, queries, keys, qkv.values().forward(x), config.attention()));
        }
    }
}
