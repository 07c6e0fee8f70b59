package inkstone.transformer.granite;

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
import inkstone.transformer.layers.Qkv;
import inkstone.transformer.layers.SwiGlu;
import java.util.ArrayList;
import java.util.List;

/**
 * Granite 3, dense and with experts (IBM Granite Team 2024, "Granite 3.0 language models"): Llama's block with four multipliers after Yang et al. 2022,
 * arXiv:2203.03466. Parameters have the names of GGUF files.
 */
public record Granite(GraniteConfig numbers, Tensor tokenEmbd, List<Block> blocks, Tensor outputNorm, Linear output) implements CausalModel {
    /** @param experts of every layer; null for a dense model */
    public static Granite of(GraniteConfig numbers, Experts.Sizes experts, Weights w, Backend backend) {
        var c = numbers.decoder();
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var rope = numbers.turns() ? c.rope(w, backend) : null;
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(Block.of(numbers, experts, layer, rope, w.at("blk." + layer + ".")));
        return new Granite(numbers, tokenEmbd, List.copyOf(blocks), w.tensor("output_norm.weight", c.dim()), Head.of(c, w, tokenEmbd));
    }

    @Override public DecoderConfig config() { return numbers.decoder(); }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd).scale(numbers.embeddingScale());
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return x.rmsNorm(outputNorm, config().eps());
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden).scale(1 / numbers.logitScale()); }

    /**
     * @param rope   null in a model without positions
     * @param shared an expert that every row goes to; null where there is none
     */
    record Block(GraniteConfig numbers, int layer, Rope rope, Tensor attnNorm, Qkv qkv, Linear attnOutput, Tensor ffnNorm, FeedForward feedForward, SwiGlu shared) {
        static Block of(GraniteConfig numbers, Experts.Sizes experts, int layer, Rope rope, Weights w) {
            var c = numbers.decoder();
            return new Block(numbers, layer, rope, w.tensor("attn_norm.weight", c.dim()), Qkv.of(c, w), w.linear("attn_output", c.queryDim(), c.dim()),
                w.tensor("ffn_norm.weight", c.dim()), experts == null ? SwiGlu.of(w, "", c.dim(), c.hidden()) : Experts.of(w, c.dim(), experts),
                numbers.shared() == 0 ? null : SwiGlu.of(w, "_shexp", c.dim(), numbers.shared()));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Context context) {
            float eps = numbers.decoder().eps(), residual = numbers.residualScale();
            var h = x.add(attention(x.rmsNorm(attnNorm, eps), context).scale(residual));
            var normed = h.rmsNorm(ffnNorm, eps);
            var fed = feedForward.forward(normed);
            return h.add((shared == null ? fed : fed.add(shared.forward(normed))).scale(residual));
        }

        private Tensor attention(Tensor x, Context context) {
            Tensor queries = qkv.queries().forward(x), keys = qkv.keys().forward(x);
            if (rope != null) {
                queries = queries.rope(context.positions(), rope);
                keys = keys.rope(context.positions(), rope);
            }
            return attnOutput.forward(context.attend(layer, queries, keys, qkv.values().forward(x), numbers.attention()));
        }
    }
}
