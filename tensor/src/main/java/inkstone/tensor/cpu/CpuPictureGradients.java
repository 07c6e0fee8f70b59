package inkstone.tensor.cpu;

import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;

/** Gradients of norms, sizes and modulation of pictures. */
final class CpuPictureGradients {
    CpuPictureGradients(Workers workers, Scratch scratch, Scratch single) {}
    void groupNorm(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) { throw new UnsupportedOperationException("groupNorm: no kernel here"); }
    void resize(Tensor dx, Tensor dy, Resampling resampling) { throw new UnsupportedOperationException("resize: no kernel here"); }
    void modulate(Tensor dx, Tensor dScale, Tensor dShift, Tensor dy, Tensor x, Tensor scale) { throw new UnsupportedOperationException("modulate: no kernel here"); }
    void gated(Tensor dx, Tensor dGate, Tensor dy, Tensor x, Tensor gate) { throw new UnsupportedOperationException("gated: no kernel here"); }
}
