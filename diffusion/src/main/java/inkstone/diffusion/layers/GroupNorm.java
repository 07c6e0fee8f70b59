package inkstone.diffusion.layers;

import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/** Norm over groups of channels (Wu & He 2018, arXiv:1803.08494), x [n, h, w, channels]. weight, bias F32 [channels]. */
public record GroupNorm(Tensor weight, Tensor bias, int groups, float eps) {
    public static GroupNorm of(Weights w, String name, int channels, int groups, float eps) {
        return new GroupNorm(w.tensor(name + ".weight", channels), w.tensor(name + ".bias", channels), groups, eps);
    }

    public Tensor forward(Tensor x) { return x.groupNorm(groups, weight, bias, eps, false); }

    /** silu(norm(x)) */
    public Tensor silu(Tensor x) { return x.groupNorm(groups, weight, bias, eps, true); }
}
