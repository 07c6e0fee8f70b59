package inkstone.transformer.llama;

import inkstone.tensor.Backend;
import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.layers.Experts;
import inkstone.transformer.layers.Head;
import java.util.ArrayList;
import java.util.List;

/**
 * Llama (Touvron et al. 2023, arXiv:2302.13971) and the models of its shape, also with experts (Mixtral). Parameters have the names of GGUF files. Immutable; its weights belong to
 * whoever opened them.
 *
 * @param output the head, which is token_embd itself where the file has none ("tied")
 */
public record Llama(DecoderConfig config, Tensor tokenEmbd, List<LlamaBlock> blocks, Tensor outputNorm, Linear output) implements CausalModel {
    /** @param experts of every layer (Mixtral; Jiang et al. 2024, arXiv:2401.04088); null for a dense model */
    public static Llama of(DecoderConfig c, Experts.Sizes experts, Weights w, Backend backend) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var rope = c.rope(w, backend);
        var blocks = new ArrayList<LlamaBlock>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(LlamaBlock.of(c, experts, layer, rope, w.at("blk." + layer + ".")));
        return new Llama(c, tokenEmbd, List.copyOf(blocks), w.tensor("output_norm.weight", c.dim()), Head.of(c, w, tokenEmbd));
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd);
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return x.rmsNorm(outputNorm, config.eps());
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden); }
}
