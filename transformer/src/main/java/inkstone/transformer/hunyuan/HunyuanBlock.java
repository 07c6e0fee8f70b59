package inkstone.transformer.hunyuan;

import inkstone.tensor.Tensor;
import inkstone.transformer.Context;
import inkstone.transformer.layers.Block;
import inkstone.transformer.layers.FeedForward;
import inkstone.transformer.layers.Norm;

/** A Hunyuan layer: x [n, dim] -> [n, dim]. */
record HunyuanBlock(Norm attnNorm, TurnedFirstAttention attention, Norm ffnNorm, FeedForward feedForward) implements Block {
    @Override public Tensor forward(Tensor x, Context context) {
        var h = x.add(attention.forward(attnNorm.forward(x), context));
        return h.add(feedForward.forward(ffnNorm.forward(h)));
    }
}
