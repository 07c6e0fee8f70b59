package inkstone.transformer.layers;

import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.ModelConfig;
import java.util.ArrayList;
import java.util.List;

/**
 * What a decoder is around its blocks (Radford et al. 2019, "Language models are unsupervised multitask learners"): embeddings, blocks, a last norm, a head. The model
 * of every family that differs from others in its blocks alone. Parameters have the names of GGUF files. Immutable; its weights belong to whoever opened them.
 *
 * @param embeddingScale what embeddings are multiplied by
 * @param logitScale     what logits are multiplied by
 */
public record Decoder(ModelConfig config, Tensor tokenEmbd, float embeddingScale, List<Block> blocks, Norm outputNorm, Linear output, float logitScale) implements CausalModel {
    public static Decoder of(DecoderConfig c, Norm.Kind norm, Weights w, Block.Factory factory) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(factory.of(layer, w.at("blk." + layer + ".")));
        return new Decoder(c, tokenEmbd, 1, List.copyOf(blocks), norm.of(c, w, "output_norm"), Head.of(c, w, tokenEmbd), 1);
    }

    public Decoder withEmbeddingScale(float scale) { return new Decoder(config, tokenEmbd, scale, blocks, outputNorm, output, logitScale); }

    public Decoder withLogitScale(float scale) { return new Decoder(config, tokenEmbd, embeddingScale, blocks, outputNorm, output, scale); }

    /** Of a model whose layers differ in what they keep of a sequence. */
    public Decoder withConfig(ModelConfig config) { return new Decoder(config, tokenEmbd, embeddingScale, blocks, outputNorm, output, logitScale); }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd);
        if (embeddingScale != 1) x = x.scale(embeddingScale);
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return outputNorm.forward(x);
    }

    @Override public Tensor logits(Tensor hidden) {
        var logits = output.forward(hidden);
        return logitScale == 1 ? logits : logits.scale(logitScale);
    }
}
