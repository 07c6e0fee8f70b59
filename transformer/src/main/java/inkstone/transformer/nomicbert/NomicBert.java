package inkstone.transformer.nomicbert;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Backend;
import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.EmbeddingModel;
import inkstone.transformer.Packed;
import inkstone.transformer.layers.LayerNorm;
import inkstone.transformer.layers.Qkv;
import inkstone.transformer.layers.SwiGlu;
import java.util.ArrayList;
import java.util.List;

/**
 * Nomic's encoders (Nussbaum et al. 2024, arXiv:2402.01613): BERT with rotary positions in place of learned ones and a SwiGLU feed-forward. Parameters have the names of
 * GGUF files.
 *
 * @param tokenTypes [types, dim], of which texts alone have the first
 */
public record NomicBert(DecoderConfig config, Tensor tokenEmbd, Tensor tokenTypes, LayerNorm tokenEmbdNorm, List<Block> blocks) implements EmbeddingModel {
    public static NomicBert of(DecoderConfig c, int types, Weights w, Backend backend) {
        var rope = c.rope(w, backend);
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(Block.of(c, layer, rope, w.at("blk." + layer + ".")));
        return new NomicBert(c, w.tensor("token_embd.weight", c.vocabularySize(), c.dim()), w.tensor("token_types.weight", types, c.dim()),
            LayerNorm.of(w, "token_embd_norm", c.dim(), c.eps()), List.copyOf(blocks));
    }

    @Override public Tensor forward(Tensor tokens, Packed context) {
        int[] firstType = new int[tokens.shape().dim(0)];
        var x = tokenEmbdNorm.forward(tokens.embedding(tokenEmbd).add(tokens.scope().ints(firstType).embedding(tokenTypes)));
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return x;
    }

    record Block(AttentionShape shape, int layer, Rope rope, Qkv qkv, Linear attnOutput, LayerNorm attnOutputNorm, SwiGlu feedForward, LayerNorm layerOutputNorm) {
        static Block of(DecoderConfig c, int layer, Rope rope, Weights w) {
            return new Block(c.attention().bidirectional(), layer, rope, Qkv.of(c, w), w.linear("attn_output", c.queryDim(), c.dim()),
                LayerNorm.of(w, "attn_output_norm", c.dim(), c.eps()), SwiGlu.of(w, "", c.dim(), c.hidden()), LayerNorm.of(w, "layer_output_norm", c.dim(), c.eps()));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Packed context) {
            var queries = qkv.queries().forward(x).rope(context.positions(), rope);
            var keys = qkv.keys().forward(x).rope(context.positions(), rope);
            var attended = context.attend(layer, queries, keys, qkv.values().forward(x), shape);
            var h = attnOutputNorm.forward(x.add(attnOutput.forward(attended)));
            return layerOutputNorm.forward(h.add(feedForward.forward(h)));
        }
    }
}
