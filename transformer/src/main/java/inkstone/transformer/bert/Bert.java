package inkstone.transformer.bert;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.EmbeddingModel;
import inkstone.transformer.Packed;
import inkstone.transformer.layers.LayerNorm;
import inkstone.transformer.layers.Qkv;
import java.util.ArrayList;
import java.util.List;

/**
 * BERT encoders (Devlin et al. 2018, arXiv:1810.04805), as sentence embedders use them (Reimers & Gurevych 2019, arXiv:1908.10084): every token sees every other,
 * norms stand behind attention and feed-forward. Parameters have the names of GGUF files. GELU is the tanh form, within 5e-4 of the erf form of the original.
 *
 * @param tokenTypes [types, dim], of which texts alone have the first
 */
public record Bert(DecoderConfig config, Tensor tokenEmbd, Tensor tokenTypes, Tensor positionEmbd, LayerNorm tokenEmbdNorm, List<Block> blocks)
        implements EmbeddingModel {
    public static Bert of(DecoderConfig c, int types, Weights w) {
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(Block.of(c, layer, w.at("blk." + layer + ".")));
        return new Bert(c, w.tensor("token_embd.weight", c.vocabularySize(), c.dim()), w.tensor("token_types.weight", types, c.dim()),
            w.tensor("position_embd.weight", c.contextLength(), c.dim()), LayerNorm.of(w, "token_embd_norm", c.dim(), c.eps()), List.copyOf(blocks));
    }

    @Override public Tensor forward(Tensor tokens, Packed context) {
        int[] firstType = new int[tokens.shape().dim(0)];
        var x = tokens.embedding(tokenEmbd).add(tokens.scope().ints(firstType).embedding(tokenTypes)).add(context.positions().embedding(positionEmbd));
        x = tokenEmbdNorm.forward(x);
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return x;
    }

    record Block(AttentionShape shape, int layer, Qkv qkv, Linear attnOutput, LayerNorm attnOutputNorm, Linear ffnUp, Linear ffnDown, LayerNorm layerOutputNorm) {
        static Block of(DecoderConfig c, int layer, Weights w) {
            return new Block(c.attention().bidirectional(), layer, Qkv.of(c, w), w.linear("attn_output", c.queryDim(), c.dim()),
                LayerNorm.of(w, "attn_output_norm", c.dim(), c.eps()), w.linear("ffn_up", c.dim(), c.hidden()), w.linear("ffn_down", c.hidden(), c.dim()),
                LayerNorm.of(w, "layer_output_norm", c.dim(), c.eps()));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Packed context) {
            var attended = context.attend(layer, qkv.queries().forward(x), qkv.keys().forward(x), qkv.values().forward(x), shape);
            var h = attnOutputNorm.forward(x.add(attnOutput.forward(attended)));
            return layerOutputNorm.forward(h.add(ffnDown.forward(ffnUp.forward(h).gelu())));
        }
    }
}
