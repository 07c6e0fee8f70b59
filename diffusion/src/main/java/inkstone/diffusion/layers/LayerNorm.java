package inkstone.diffusion.layers;

import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/** Norm over each row (Ba et al. 2016, arXiv:1607.06450) with eps 1e-5, x [n, dim]. weight, bias F32 [dim]. */
public record LayerNorm(Tensor weight, Tensor bias) {
    private static final float EPS = 1e-5f;

    public static LayerNorm of(Weights w, String name, int dim) { return new LayerNorm(w.tensor(name + ".weight", dim), w.tensor(name + ".bias", dim)); }

    public Tensor forward(Tensor x) { return x.layerNorm(weight, bias, EPS); }
}
