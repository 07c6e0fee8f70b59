package inkstone.transformer.gpt2;

import inkstone.tensor.Linear;
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

/** GPT-2 (Radford et al. 2019, "Language models are unsupervised multitask learners"): learned positions, layer norms and biases. Parameters have the names of GGUF files. */
public record Gpt2(DecoderConfig config, Tensor tokenEmbd, Tensor positionEmbd, List<Block> blocks, LayerNorm outputNorm, Linear output) implements CausalModel {
    public static Gpt2 of(DecoderConfig c, Weights w) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(Block.of(c, layer, w.at("blk." + layer + ".")));
        return new Gpt2(c, tokenEmbd, w.tensor("position_embd.weight", c.contextLength(), c.dim()), List.copyOf(blocks),
            LayerNorm.of(w, "output_norm", c.dim(), c.eps()), Head.of(c, w, tokenEmbd));
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd).add(context.positions().embedding(positionEmbd));
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return outputNorm.forward(x);
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden); }

    record Block(DecoderConfig config, int layer, LayerNorm attnNorm, Qkv qkv, Linear attnOutput, LayerNorm ffnNorm, Linear ffnUp, Linear ffnDown) {
        static Block of(DecoderConfig c, int layer, Weights w) {
            return new Block(c, layer, LayerNorm.of(w, "attn_norm", c.dim(), c.eps()), Qkv.of(c, w), w.linear("attn_output", c.queryDim(), c.dim()),
                LayerNorm.of(w, "ffn_norm", c.dim(), c.eps()), w.linear("ffn_up", c.dim(), c.hidden()), w.linear("ffn_down", c.hidden(), c.dim()));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Context context) {
            var h = x.add(attention(attnNorm.forward(x), context));
            return h.add(ffnDown.forward(ffnUp.forward(ffnNorm.forward(h)).gelu()));
        }

        private Tensor attention(Tensor x, Context context) {
            return attnOutput.forward(context.attend(layer, qkv.queries().forward(x), qkv.keys().forward(x), qkv.values().forward(x), config.attention()));
        }
    }
}
