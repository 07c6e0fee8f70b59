package inkstone.transformer.gptneox;

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
 * GPT-NeoX (Black et al. 2022, arXiv:2204.06745) and Pythia (Biderman et al. 2023, arXiv:2304.01373): layer norms, biases, rotation of a part of each head, and
 * attention and feed-forward side by side, each behind a norm of its own. Parameters have the names of GGUF files.
 */
public record GptNeox(DecoderConfig config, Tensor tokenEmbd, List<Block> blocks, LayerNorm outputNorm, Linear output) implements CausalModel {
    /** @param parallel whether the feed-forward reads what the attention does; otherwise it follows the attention */
    public static GptNeox of(DecoderConfig c, boolean parallel, Weights w, Backend backend) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var rope = c.rope(w, backend);
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(Block.of(c, parallel, layer, rope, w.at("blk." + layer + ".")));
        return new GptNeox(c, tokenEmbd, List.copyOf(blocks), LayerNorm.of(w, "output_norm", c.dim(), c.eps()), Head.of(c, w, tokenEmbd));
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd);
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return outputNorm.forward(x);
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden); }

    record Block(DecoderConfig config, boolean parallel, int layer, Rope rope, LayerNorm attnNorm, Qkv qkv, Linear attnOutput, LayerNorm ffnNorm, Linear ffnUp,
                 Linear ffnDown) {
        static Block of(DecoderConfig c, boolean parallel, int layer, Rope rope, Weights w) {
            return new Block(c, parallel, layer, rope, LayerNorm.of(w, "attn_norm", c.dim(), c.eps()), Qkv.of(c, w), w.linear("attn_output", c.queryDim(), c.dim()),
                LayerNorm.of(w, "ffn_norm", c.dim(), c.eps()), w.linear("ffn_up", c.dim(), c.hidden()), w.linear("ffn_down", c.hidden(), c.dim()));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Context context) {
            var h = x.add(attention(attnNorm.forward(x), context));
            return h.add(feedForward(ffnNorm.forward(parallel ? x : h)));
        }

        private Tensor attention(Tensor x, Context context) {
            var queries = qkv.queries().forward(x).rope(context.positions(), rope);
            var keys = qkv.keys().forward(x).rope(context.positions(), rope);
            return attnOutput.forward(context.attend(layer, queries, keys, qkv.values().forward(x), config.attention()));
        }

        private Tensor feedForward(Tensor x) { return ffnDown.forward(ffnUp.forward(x).gelu()); }
    }
}
