package inkstone.transformer.qwen3;

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
import inkstone.transformer.layers.HeadNorm;
import inkstone.transformer.layers.Qkv;
import inkstone.transformer.layers.SwiGlu;
import java.util.ArrayList;
import java.util.List;

/**
 * Qwen 3, dense and with experts (Yang et al. 2025, arXiv:2505.09388): each head of queries and keys goes through an RMS norm before it turns. Parameters have the
 * names of GGUF files.
 */
public record Qwen3(DecoderConfig config, Tensor tokenEmbd, List<Block> blocks, Tensor outputNorm, Linear output) implements CausalModel {
    /** @param experts of every layer; null for a dense model */
    public static Qwen3 of(DecoderConfig c, Experts.Sizes experts, Weights w, Backend backend) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var rope = c.rope(w, backend);
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(Block.of(c, experts, layer, rope, w.at("blk." + layer + ".")));
        return new Qwen3(c, tokenEmbd, List.copyOf(blocks), w.tensor("output_norm.weight", c.dim()), Head.of(c, w, tokenEmbd));
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd);
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return x.rmsNorm(outputNorm, config.eps());
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden); }

    record Block(DecoderConfig config, int layer, Rope rope, Tensor attnNorm, Qkv qkv, HeadNorm attnQNorm, HeadNorm attnKNorm, Linear attnOutput,
                 Tensor ffnNorm, FeedForward feedForward) {
        static Block of(DecoderConfig c, Experts.Sizes experts, int layer, Rope rope, Weights w) {
            return new Block(c, layer, rope, w.tensor("attn_norm.weight", c.dim()), Qkv.of(c, w),
                new HeadNorm.Rms(w.tensor("attn_q_norm.weight", c.headDim()), c.eps()), new HeadNorm.Rms(w.tensor("attn_k_norm.weight", c.headDim()), c.eps()),
                w.linear("attn_output", c.queryDim(), c.dim()), w.tensor("ffn_norm.weight", c.dim()),
                experts == null ? SwiGlu.of(w, "", c.dim(), c.hidden()) : Experts.of(w, c.dim(), experts));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Context context) {
            var h = x.add(attention(x.rmsNorm(attnNorm, config.eps()), context));
            return h.add(feedForward.forward(h.rmsNorm(ffnNorm, config.eps())));
        }

        private Tensor attention(Tensor x, Context context) {
            var queries = attnQNorm.forward(qkv.queries().forward(x)).rope(context.positions(), rope);
            var keys = attnKNorm.forward(qkv.keys().forward(x)).rope(context.positions(), rope);
            return attnOutput.forward(context.attend(layer, queries, keys, qkv.values().forward(x), config.attention()));
        }
    }
}
