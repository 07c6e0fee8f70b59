package inkstone.transformer.mamba2;

import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import inkstone.transformer.layers.Ssd;
import java.util.ArrayList;
import java.util.List;

/** Mamba-2 (Dao & Gu 2024, arXiv:2405.21060): every layer a state space, no attention. Parameters have the names of GGUF files. */
record Mamba2(Mamba2Config config, Tensor tokenEmbd, List<Block> blocks, Tensor outputNorm, Linear output) implements CausalModel {
    static Mamba2 of(Mamba2Config c, Weights w) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) {
            var at = w.at("blk." + layer + ".");
            blocks.add(new Block(c.eps(), at.tensor("attn_norm.weight", c.dim()), Ssd.of(c.sizes(), c.dim(), c.eps(), layer, at)));
        }
        var output = w.has("output.weight") ? w.linear("output", c.dim(), c.vocabularySize()) : w.tied("output", tokenEmbd);
        return new Mamba2(c, tokenEmbd, List.copyOf(blocks), w.tensor("output_norm.weight", c.dim()), output);
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd);
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return x.rmsNorm(outputNorm, config.eps());
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden); }

    record Block(float eps, Tensor attnNorm, Ssd ssd) {
        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Context context) { return x.add(ssd.forward(x.rmsNorm(attnNorm, eps), context)); }
    }
}
