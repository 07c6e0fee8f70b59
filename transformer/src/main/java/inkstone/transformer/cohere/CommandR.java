package inkstone.transformer.cohere;

import inkstone.tensor.AttentionShape;
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
 * Command R and R+ (Cohere 2024, "Command R: retrieval-augmented generation at production scale") and Command R7B and A (Team Cohere 2025, arXiv:2504.00698):
 * attention and a SwiGLU feed-forward side by side behind one layer norm without bias, logits scaled. R+ has a norm for each head; in the later two, three of four
 * layers are windowed and only they turn. Parameters have the names of GGUF files.
 *
 * @param logitScale what logits are multiplied by
 */
public record CommandR(DecoderConfig config, float logitScale, Tensor tokenEmbd, List<Block> blocks, LayerNorm outputNorm, Linear output) implements CausalModel {
    /** @param windows of each layer, 0 where it sees all; null where every layer sees all and turns */
    public static CommandR of(DecoderConfig c, float logitScale, int[] windows, Weights w, Backend backend) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var rope = c.rope(w, backend);
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) {
            int window = windows == null ? 0 : windows[layer];
            blocks.add(Block.of(c, window, layer, windows == null || window > 0 ? rope : null, w.at("blk." + layer + ".")));
        }
        return new CommandR(c, logitScale, tokenEmbd, List.copyOf(blocks), LayerNorm.of(w, "output_norm", c.dim(), c.eps()), Head.of(c, w, tokenEmbd));
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd);
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return outputNorm.forward(x);
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden).scale(logitScale); }

    /** @param rope null in a layer without positions */
    record Block(AttentionShape shape, int layer, Rope rope, LayerNorm attnNorm, Qkv qkv, HeadNorm attnQNorm, HeadNorm attnKNorm, Linear attnOutput,
                 SwiGlu feedForward) {
        static Block of(DecoderConfig c, int window, int layer, Rope rope, Weights w) {
            return new Block(c.attention().withWindow(window), layer, rope, LayerNorm.of(w, "attn_norm", c.dim(), c.eps()), Qkv.of(c, w),
                HeadNorm.layerOrNone(w, "attn_q_norm", c.heads(), c.headDim(), c.eps()), HeadNorm.layerOrNone(w, "attn_k_norm", c.kvHeads(), c.headDim(), c.eps()),
                w.linear("attn_output", c.queryDim(), c.dim()), SwiGlu.of(w, "", c.dim(), c.hidden()));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Context context) {
            var normed = attnNorm.forward(x);
            return x.add(attention(normed, context)).add(feedForward.forward(normed));
        }

        private Tensor attention(Tensor x, Context context) {
            Tensor queries = attnQNorm.forward(qkv.queries().forward(x)), keys = attnKNorm.forward(qkv.keys().forward(x));
            if (rope != null) {
                queries = queries.rope(context.positions(), rope);
                keys = keys.rope(context.positions(), rope);
            }
            return attnOutput.forward(context.attend(layer, queries, keys, qkv.values().forward(x), shape));
        }
    }
}
