package inkstone.transformer.cohere;

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
import inkstone.transformer.layers.SwiGlu;
import java.util.ArrayList;
import java.util.List;

/**
 * Command R (Cohere 2024, "Command R: retrieval-augmented generation at production scale"): attention and a SwiGLU feed-forward side by side behind one layer norm
 * without bias, logits scaled. Parameters have the names of GGUF files.
 *
 * @param logitScale what logits are multiplied by
 */
public record CommandR(DecoderConfig config, float logitScale, Tensor tokenEmbd, List<Block> blocks, LayerNorm outputNorm, Linear output) implements CausalModel {
    public static CommandR of(DecoderConfig c, float logitScale, Weights w, Backend backend) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var rope = c.rope(w, backend);
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(Block.of(c, layer, rope, w.at("blk." + layer + ".")));
        return new CommandR(c, logitScale, tokenEmbd, List.copyOf(blocks), LayerNorm.of(w, "output_norm", c.dim(), c.eps()), Head.of(c, w, tokenEmbd));
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd);
        for (var block : blocks) x = block.forward(x, context);
        return outputNorm.forward(x);
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden).scale(logitScale); }

    record Block(DecoderConfig config, int layer, Rope rope, LayerNorm attnNorm, Qkv qkv, Linear attnOutput, SwiGlu feedForward) {
        static Block of(DecoderConfig c, int layer, Rope rope, Weights w) {
            return new Block(c, layer, rope, LayerNorm.of(w, "attn_norm", c.dim(), c.eps()), Qkv.of(c, w), w.linear("attn_output", c.queryDim(), c.dim()),
                SwiGlu.of(w, "", c.dim(), c.hidden()));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Context context) {
            var normed = attnNorm.forward(x);
            return x.add(attention(normed, context)).add(feedForward.forward(normed));
        }

        private Tensor attention(Tensor x, Context context) {
            var queries = qkv.queries().forward(x).rope(context.positions(), rope);
            var keys = qkv.keys().forward(x).rope(context.positions(), rope);
            return attnOutput.forward(context.attend(layer, queries, keys, qkv.values().forward(x), config.attention()));
        }
    }
}
