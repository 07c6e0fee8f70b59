package inkstone.transformer.gemma2;

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
import inkstone.transformer.layers.Qkv;
import java.util.ArrayList;
import java.util.List;

/**
 * Gemma 2 (Gemma Team 2024, arXiv:2408.00118): norms before and behind each part, every other layer windowed, soft caps, a GELU gate, embeddings scaled by
 * sqrt(dim). Norm weights stand in GGUF files as what the norm multiplies by. Parameters have the names of GGUF files.
 */
public record Gemma2(Gemma2Config numbers, Tensor tokenEmbd, List<Block> blocks, Tensor outputNorm, Linear output) implements CausalModel {
    public static Gemma2 of(Gemma2Config numbers, Weights w, Backend backend) {
        var c = numbers.decoder();
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var rope = c.rope(w, backend);
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(Block.of(c, numbers.attention(layer), layer, rope, w.at("blk." + layer + ".")));
        return new Gemma2(numbers, tokenEmbd, List.copyOf(blocks), w.tensor("output_norm.weight", c.dim()), Head.of(c, w, tokenEmbd));
    }

    @Override public DecoderConfig config() { return numbers.decoder(); }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd).scale((float) Math.sqrt(config().dim()));
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return x.rmsNorm(outputNorm, config().eps());
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden).softCap(numbers.logitCap()); }

    record Block(float eps, AttentionShape shape, int layer, Rope rope, Tensor attnNorm, Qkv qkv, Linear attnOutput, Tensor postAttentionNorm,
                 Tensor ffnNorm, Linear ffnGate, Linear ffnUp, Linear ffnDown, Tensor postFfwNorm) {
        static Block of(DecoderConfig c, AttentionShape shape, int layer, Rope rope, Weights w) {
            return new Block(c.eps(), shape, layer, rope, w.tensor("attn_norm.weight", c.dim()), Qkv.of(c, w), w.linear("attn_output", c.queryDim(), c.dim()),
                w.tensor("post_attention_norm.weight", c.dim()), w.tensor("ffn_norm.weight", c.dim()), w.linear("ffn_gate", c.dim(), c.hidden()),
                w.linear("ffn_up", c.dim(), c.hidden()), w.linear("ffn_down", c.hidden(), c.dim()), w.tensor("post_ffw_norm.weight", c.dim()));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Context context) {
            var h = x.add(attention(x.rmsNorm(attnNorm, eps), context).rmsNorm(postAttentionNorm, eps));
            return h.add(feedForward(h.rmsNorm(ffnNorm, eps)).rmsNorm(postFfwNorm, eps));
        }

        private Tensor attention(Tensor x, Context context) {
            var queries = qkv.queries().forward(x).rope(context.positions(), rope);
            var keys = qkv.keys().forward(x).rope(context.positions(), rope);
            return attnOutput.forward(context.attend(layer, queries, keys, qkv.values().forward(x), shape));
        }

        private Tensor feedForward(Tensor x) { return ffnDown.forward(ffnGate.forward(x).geglu(ffnUp.forward(x))); }
    }
}
