package inkstone.transformer.layers;

import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.DecoderConfig;

/** Layer norm over the last axis (Ba et al. 2016, arXiv:1607.06450). weight F32 [d], bias F32 [d] or null. */
public record LayerNorm(Tensor weight, Tensor bias, float eps) implements Norm {
    /** {@code name}.weight, and {@code name}.bias where the source has one. */
    public static LayerNorm of(Weights w, String name, int dim, float eps) {
        return new LayerNorm(w.tensor(name + ".weight", dim), w.has(name + ".bias") ? w.tensor(name + ".bias", dim) : null, eps);
    }

    public static LayerNorm of(DecoderConfig c, Weights w, String name) { return of(w, name, c.dim(), c.eps()); }

    @Override public Tensor forward(Tensor x) { return x.layerNorm(weight, bias, eps); }
}
