package inkstone.transformer.llama;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * Llama (Touvron et al. 2023, arXiv:2302.13971) and the models of its shape. Parameters have the names of GGUF files. Immutable; its weights belong to
 * whoever opened them.
 *
 * @param output the head, which is token_embd itself where the file has none ("tied")
 */
public record Llama(LlamaConfig config, Tensor tokenEmbd, List<LlamaBlock> blocks, Tensor outputNorm, Linear output) implements CausalModel {
    static final String ROPE_FREQS = "rope_freqs.weight";

    public static Llama of(LlamaConfig c, Weights w, Backend backend) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var rope = rope(c, backend);
        if (w.has(ROPE_FREQS)) w.tensor(ROPE_FREQS, c.rotaryDim() / 2);                // names it and checks its shape; its numbers are in c.scaling()
        var blocks = new ArrayList<LlamaBlock>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(LlamaBlock.of(c, layer, rope, w.at("blk." + layer + ".")));
        var output = w.has("output.weight") ? w.linear("output", c.dim(), c.vocabularySize()) : new Linear.Dense(tokenEmbd, null);
        return new Llama(c, tokenEmbd, List.copyOf(blocks), w.tensor("output_norm.weight", c.dim()), output);
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd);
        for (var block : blocks) {
            var input = x;
            x = x.scope().local(() -> block.forward(input, context));
        }
        return x.rmsNorm(outputNorm, config.eps());
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden); }

    private static Rope rope(LlamaConfig c, Backend backend) {
        float[] frequencies = c.scaling().frequencies(c.ropeBase(), c.rotaryDim());
        var table = backend.resident(Arena.ofAuto().allocateFrom(ValueLayout.JAVA_FLOAT, frequencies));
        return new Rope(Tensor.of(DType.F32, table, frequencies.length), c.scaling().magnitude(), c.pairs(), c.headDim());
    }
}
