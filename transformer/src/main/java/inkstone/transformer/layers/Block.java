package inkstone.transformer.layers;

import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.Context;

/** A layer of a decoder: x [n, dim] -> [n, dim]. */
public interface Block {
    Tensor forward(Tensor x, Context context);

    /** Makes the block of a layer of parameters whose names begin with the layer's. */
    interface Factory {
        Block of(int layer, Weights w);
    }

    /** Attention and a feed-forward, each behind a norm and added to what went in (Xiong et al. 2020, arXiv:2002.04745). */
    record PreNorm(Norm attnNorm, SelfAttention attention, Norm ffnNorm, FeedForward feedForward) implements Block {
        @Override public Tensor forward(Tensor x, Context context) {
            var h = x.add(attention.forward(attnNorm.forward(x), context));
            return h.add(feedForward.forward(ffnNorm.forward(h)));
        }
    }

    /** Attention and a feed-forward side by side behind one norm (Wang & Komatsuzaki 2021, "GPT-J-6B"). */
    record Parallel(Norm attnNorm, SelfAttention attention, FeedForward feedForward) implements Block {
        @Override public Tensor forward(Tensor x, Context context) {
            var normed = attnNorm.forward(x);
            return x.add(attention.forward(normed, context)).add(feedForward.forward(normed));
        }
    }

    /** As {@link PreNorm}, with a norm behind each part as well (Gemma Team 2024, arXiv:2408.00118). */
    record Sandwich(Norm attnNorm, SelfAttention attention, Norm postAttentionNorm, Norm ffnNorm, FeedForward feedForward, Norm postFfwNorm) implements Block {
        @Override public Tensor forward(Tensor x, Context context) {
            var h = x.add(postAttentionNorm.forward(attention.forward(attnNorm.forward(x), context)));
            return h.add(postFfwNorm.forward(feedForward.forward(ffnNorm.forward(h))));
        }
    }

    /** A norm behind each part, none before (OLMo Team 2024, arXiv:2501.00656). */
    record PostNorm(SelfAttention attention, Norm postAttentionNorm, FeedForward feedForward, Norm postFfwNorm) implements Block {
        @Override public Tensor forward(Tensor x, Context context) {
            var h = x.add(postAttentionNorm.forward(attention.forward(x, context)));
            return h.add(postFfwNorm.forward(feedForward.forward(h)));
        }
    }
}
