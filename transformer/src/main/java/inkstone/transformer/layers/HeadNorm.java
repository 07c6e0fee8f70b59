package inkstone.transformer.layers;

import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.DecoderConfig;

/** A norm of each head by itself, or of all together, before queries and keys meet (Dehghani et al. 2023, arXiv:2302.05442): x [n, heads · headDim] -> the same. */
public sealed interface HeadNorm {
    Tensor forward(Tensor x);

    /** RMS norm with weights that all heads share: F32 [headDim]. */
    record Rms(Tensor weight, float eps) implements HeadNorm {
        @Override public Tensor forward(Tensor x) { return heads(x, weight.shape().last()).rmsNorm(weight, eps).view(x.shape().dim(0), x.shape().last()); }
    }

    /** Layer norm without bias, with weights for each head: F32 [heads, headDim]. */
    record Layer(Tensor weight, float eps) implements HeadNorm {
        @Override public Tensor forward(Tensor x) { return heads(x, weight.shape().last()).layerNorm(weight, null, eps).view(x.shape().dim(0), x.shape().last()); }
    }

    /** RMS norm over all heads together (OLMo Team 2024, arXiv:2501.00656): F32 [heads · headDim]. */
    record Together(Tensor weight, float eps) implements HeadNorm {
        @Override public Tensor forward(Tensor x) { return x.rmsNorm(weight, eps); }
    }

    /** Nothing: the model has no such norm. */
    record None() implements HeadNorm {
        @Override public Tensor forward(Tensor x) { return x; }
    }

    /** {@code name}.weight [heads, headDim] where the source has it, as the larger models of some families do. */
    static HeadNorm layerOrNone(Weights w, String name, int heads, int headDim, float eps) {
        return w.has(name + ".weight") ? new Layer(w.floats(name + ".weight", heads, headDim), eps) : new None();
    }

    /** {@code name}.weight [headDim], shared by all heads, where the source has it. */
    static HeadNorm rmsOrNone(DecoderConfig c, Weights w, String name) {
        return w.has(name + ".weight") ? new Rms(w.tensor(name + ".weight", c.headDim()), c.eps()) : new None();
    }

    private static Tensor heads(Tensor x, int headDim) { return x.view(x.shape().dim(0) * (x.shape().last() / headDim), headDim); }
}
