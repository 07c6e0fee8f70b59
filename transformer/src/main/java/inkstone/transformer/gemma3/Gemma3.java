package inkstone.transformer.gemma3;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Backend;
import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.RopeScaling;
import inkstone.transformer.layers.Head;
import inkstone.transformer.layers.HeadNorm;
import inkstone.transformer.layers.Qkv;
import java.util.ArrayList;
import java.util.List;

/**
 * Gemma 3, text (Gemma Team 2025, arXiv:2503.19786): as Gemma 2, but each head of queries and keys has a norm in place of soft caps, and five of six layers are
 * windowed and turn by a base of their own. Parameters have the names of GGUF files.
 *
 * @param logitCap soft cap of the logits, 0 for none
 */
public record Gemma3(DecoderConfig config, float logitCap, Tensor tokenEmbd, List<Block> blocks, Tensor outputNorm, Linear output) implements CausalModel {
    /**
     * @param queryScale what scores are multiplied by
     * @param windows    of each layer, 0 where it sees all
     * @param localBase  rope base of the windowed layers
     */
    public static Gemma3 of(DecoderConfig c, float queryScale, int[] windows, float localBase, float logitCap, Weights w, Backend backend) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var global = c.rope(w, backend);
        var local = c.rope(localBase, RopeScaling.NONE, backend);
        var shape = new AttentionShape(c.heads(), c.kvHeads(), c.headDim(), queryScale);
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) {
            blocks.add(Block.of(c, shape.withWindow(windows[layer]), layer, windows[layer] > 0 ? local : global, w.at("blk." + layer + ".")));
        }
        return new Gemma3(c, logitCap, tokenEmbd, List.copyOf(blocks), w.tensor("output_norm.weight", c.dim()), Head.of(c, w, tokenEmbd));
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd).scale((float) Math.sqrt(config.dim()));
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return x.rmsNorm(outputNorm, config.eps());
    }

    @Override public Tensor logits(Tensor hidden) {
        var logits = output.forward(hidden);
        return logitCap == 0 ? logits : logits.softCap(logitCap);
    }

    record Block(float eps, AttentionShape shape, int layer, Rope rope, Tensor attnNorm, Qkv qkv, HeadNorm attnQNorm, HeadNorm attnKNorm, Linear attnOutput,
                 Tensor postAttentionNorm, Tensor ffnNorm, Linear ffnGate, Linear ffnUp, Linear ffnDown, Tensor postFfwNorm) {
        static Block of(DecoderConfig c, AttentionShape shape, int layer, Rope rope, Weights w) {
            return new Block(c.eps(), shape, layer, rope, w.tensor("attn_norm.weight", c.dim()), Qkv.of(c, w),
                new HeadNorm.Rms(w.tensor("attn_q_norm.weight", c.headDim()), c.eps()), new HeadNorm.Rms(w.tensor("attn_k_norm.weight", c.headDim()), c.eps()),
                w.linear("attn_output", c.queryDim(), c.dim()), w.tensor("post_attention_norm.weight", c.dim()), w.tensor("ffn_norm.weight", c.dim()),
                w.linear("ffn_gate", c.dim(), c.hidden()), w.linear("ffn_up", c.dim(), c.hidden()), w.linear("ffn_down", c.hidden(), c.dim()),
                w.tensor("post_ffw_norm.weight", c.dim()));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Context context) {
            var h = x.add(attention(x.rmsNorm(attnNorm, eps), context).rmsNorm(postAttentionNorm, eps));
            return h.add(feedForward(h.rmsNorm(ffnNorm, eps)).rmsNorm(postFfwNorm, eps));
        }

        private Tensor attention(Tensor x, Context context) {
            var queries = attnQNorm.forward(qkv.queries().forward(x)).rope(context.positions(), rope);
            var keys = attnKNorm.forward(qkv.keys().forward(x)).rope(context.positions(), rope);
            return attnOutput.forward(context.attend(layer, queries, keys, qkv.values().forward(x), shape));
        }

        private Tensor feedForward(Tensor x) { return ffnDown.forward(ffnGate.forward(x).geglu(ffnUp.forward(x))); }
    }
}
