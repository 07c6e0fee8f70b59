package inkstone.transformer.layers;

import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.DecoderConfig;

/** A norm over the last axis: x [.., d] -> the same. */
public sealed interface Norm permits LayerNorm, Norm.Rms {
    Tensor forward(Tensor x);

    /** Makes the norm {@code name} of a model's rows. */
    interface Kind {
        Norm of(DecoderConfig c, Weights w, String name);
    }

    /** RMS norm (Zhang & Sennrich 2019, arXiv:1910.07467). weight F32 [d]. */
    record Rms(Tensor weight, float eps) implements Norm {
        public static Rms of(DecoderConfig c, Weights w, String name) { return new Rms(w.tensor(name + ".weight", c.dim()), c.eps()); }

        @Override public Tensor forward(Tensor x) { return x.rmsNorm(weight, eps); }
    }
}
