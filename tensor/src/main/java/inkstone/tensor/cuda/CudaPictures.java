package inkstone.tensor.cuda;

import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;

/** Norms, sizes and modulation of pictures, and their gradients. */
final class CudaPictures {
    CudaPictures(Gpu gpu) {}
    void groupNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) { throw new UnsupportedOperationException("groupNorm: no kernel here"); }
    void resize(Tensor y, Tensor x, Resampling resampling) { throw new UnsupportedOperationException("resize: no kernel here"); }
    void modulate(Tensor y, Tensor x, Tensor scale, Tensor shift) { throw new UnsupportedOperationException("modulate: no kernel here"); }
    void gated(Tensor y, Tensor residual, Tensor x, Tensor gate) { throw new UnsupportedOperationException("gated: no kernel here"); }
    void groupNormGradient(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) { throw new UnsupportedOperationException("groupNormGradient: no kernel here"); }
    void resizeGradient(Tensor dx, Tensor dy, Resampling resampling) { throw new UnsupportedOperationException("resizeGradient: no kernel here"); }
    void modulateGradient(Tensor dx, Tensor dScale, Tensor dShift, Tensor dy, Tensor x, Tensor scale) { throw new UnsupportedOperationException("modulateGradient: no kernel here"); }
    void gatedGradient(Tensor dx, Tensor dGate, Tensor dy, Tensor x, Tensor gate) { throw new UnsupportedOperationException("gatedGradient: no kernel here"); }
}
