package inkstone.transformer.lfm2;

import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.Context;
import inkstone.transformer.layers.FeedForward;
import inkstone.transformer.layers.Block;
import inkstone.transformer.layers.Norm;

/**
 * A layer of LFM 2 with a short convolution between two gates in place of attention: x [n, dim] -> [n, dim].
 *
 * @param conv   F32 [dim, rows seen]
 * @param inGate what rows are multiplied by before the convolution, {@code outGate} behind it: parts of shortconv.in_proj
 */
record ShortConv(int layer, Norm attnNorm, Linear inGate, Linear outGate, Linear input, Tensor conv, Linear output, Norm ffnNorm, FeedForward feedForward) implements Block {
    static ShortConv of(int dim, int kernel, int layer, Norm attnNorm, Norm ffnNorm, FeedForward feedForward, Weights w) {
        var in = w.linear("shortconv.in_proj", dim, 3 * dim);
        return new ShortConv(layer, attnNorm, in.rows(0, dim), in.rows(dim, 2 * dim), in.rows(2 * dim, 3 * dim), w.tensor("shortconv.conv.weight", dim, kernel),
            w.linear("shortconv.out_proj", dim, dim), ffnNorm, feedForward);
    }

    @Override public Tensor forward(Tensor x, Context context) {
        var normed = attnNorm.forward(x);
        int dim = conv.shape().dim(0), width = (conv.shape().last() - 1) * dim;
        var seen = inGate.forward(normed).mul(input.forward(normed)).causalConv(conv, null, context.recurrence(layer, 0, width));
        var h = x.add(output.forward(outGate.forward(normed).mul(seen)));
        return h.add(feedForward.forward(ffnNorm.forward(h)));
    }
}
