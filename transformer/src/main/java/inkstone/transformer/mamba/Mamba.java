package inkstone.transformer.mamba;

import inkstone.tensor.Elementwise;
import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import java.util.ArrayList;
import java.util.List;

/**
 * Mamba (Gu & Dao 2023, arXiv:2312.00752): every layer a selective state space behind a short convolution, no attention. Parameters have the names of GGUF files,
 * where ssm_a is -exp(A_log).
 */
public record Mamba(MambaConfig config, Tensor tokenEmbd, List<Block> blocks, Tensor outputNorm, Linear output) implements CausalModel {
    private static final int CONVOLUTION = 0, STATE_SPACE = 1;

    public static Mamba of(MambaConfig c, Weights w) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(Block.of(c, layer, w.at("blk." + layer + ".")));
        var output = w.has("output.weight") ? w.linear("output", c.dim(), c.vocabularySize()) : w.tied("output", tokenEmbd);
        return new Mamba(c, tokenEmbd, List.copyOf(blocks), w.tensor("output_norm.weight", c.dim()), output);
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd);
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return x.rmsNorm(outputNorm, config.eps());
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden); }

    /** @param timeRows and inRows, outRows: the parts of ssm_x that make time steps and what goes into and comes out of the states */
    record Block(MambaConfig config, int layer, Tensor attnNorm, Linear input, Linear gate, Tensor conv, Tensor convBias, Linear timeRows, Linear inRows, Linear outRows,
                 Linear ssmDt, Tensor ssmA, Tensor ssmD, Linear ssmOut) {
        static Block of(MambaConfig c, int layer, Weights w) {
            int inner = c.inner(), rank = c.timeRank(), states = c.states();
            Linear in = w.linear("ssm_in", c.dim(), 2 * inner), x = w.linear("ssm_x", inner, rank + 2 * states);
            return new Block(c, layer, w.tensor("attn_norm.weight", c.dim()), in.rows(0, inner), in.rows(inner, 2 * inner),
                w.floats("ssm_conv1d.weight", inner, c.kernel()), w.tensor("ssm_conv1d.bias", inner), x.rows(0, rank), x.rows(rank, rank + states), x.rows(rank + states, rank + 2 * states),
                w.linear("ssm_dt", rank, inner), w.floats("ssm_a", inner, states), w.tensor("ssm_d", inner), w.linear("ssm_out", inner, c.dim()));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Context context) {
            int[] widths = config.stateWidths();
            var normed = x.rmsNorm(attnNorm, config.eps());
            var u = input.forward(normed).causalConv(conv, convBias, context.recurrence(layer, CONVOLUTION, widths[CONVOLUTION])).map(Elementwise.SILU);
            var y = u.selectiveScan(ssmDt.forward(timeRows.forward(u)), inRows.forward(u), outRows.forward(u), ssmA, ssmD,
                context.recurrence(layer, STATE_SPACE, widths[STATE_SPACE]));
            return x.add(ssmOut.forward(gate.forward(normed).swiglu(y)));
        }
    }
}
