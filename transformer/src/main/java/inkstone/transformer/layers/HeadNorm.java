package inkstone.transformer.layers;

import inkstone.tensor.Tensor;

/** RMS norm of each head by itself (Dehghani et al. 2023, arXiv:2302.05442, with RMS for layer norm). weight F32 [headDim]. */
public record HeadNorm(Tensor weight, float eps) {
    /** x [n, heads · headDim] -> the same. */
    public Tensor forward(Tensor x) {
        int n = x.shape().dim(0), width = x.shape().last(), headDim = weight.shape().last();
        return x.view(n * (width / headDim), headDim).rmsNorm(weight, eps).view(n, width);
    }
}
