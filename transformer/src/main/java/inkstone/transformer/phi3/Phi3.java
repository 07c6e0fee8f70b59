package inkstone.transformer.phi3;

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
 * Phi 3 and 4 (Abdin et al. 2024, arXiv:2404.14219, arXiv:2412.08905): Llama's block with its matrices fused, gate above up. Parameters have the names of GGUF files.
 */
public record Phi3(DecoderConfig config, Tensor tokenEmbd, List<Block> blocks, Tensor outputNorm, Linear output) implements CausalModel {
    public static Phi3 of(DecoderConfig c, Weights w, Backend backend) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var rope = c.rope(w, backend);
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(Block.of(c, layer, rope, w.at("blk." + layer + ".")));
        return new Phi3(c, tokenEmbd, List.copyOf(blocks), w.tensor("output_norm.weight", c.dim()), Head.of(c, w, tokenEmbd));
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd);
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return x.rmsNorm(outputNorm, config.eps());
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden); }

    record Block(DecoderConfig config, int layer, Rope rope, Tensor attnNorm, Qkv qkv, Linear attnOutput, Tensor ffnNorm, SwiGlu feedForward) {
        static Block of(DecoderConfig c, int layer, Rope rope, Weights w) {
            return new Block(c, layer, rope, w.tensor("attn_norm.weight", c.dim()), Qkv.of(c, w), w.linear("attn_output", c.queryDim(), c.dim()),
                w.tensor("ffn_norm.weight", c.dim()), SwiGlu.fused(w, c.dim(), c.hidden()));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Context context) {
            var h = x.add(attention(x.rmsNorm(attnNorm, config.eps()), context));
            return h.add(feedForward.forward(h.rmsNorm(ffnNorm, config.eps())));
        }

        private Tensor attention(Tensor x, Context context) {
            var queries = qkv.queries().forward(x).rope(context.positions(), rope);
            var keys = qkv.keys().forward(x).rope(context.positions(), rope);
            return attnOutput.forward(context.attend(layer, queries, keys, qkv.values().forward(x), config.attention()));
        }
    }
}
