package inkstone.tensor.cpu;

import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;

/** Norms, sizes and modulation of pictures. */
final class CpuPictures {
    CpuPictures(Workers workers, Scratch scratch) {}
    void groupNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) { throw new UnsupportedOperationException("groupNorm: no kernel here"); }
    void resize(Tensor y, Tensor x, Resampling resampling) { throw new UnsupportedOperationException("resize: no kernel here"); }
    void modulate(Tensor y, Tensor x, Tensor scale, Tensor shift) { throw new UnsupportedOperationException("modulate: no kernel here"); }
    void gated(Tensor y, Tensor residual, Tensor x, Tensor gate) { throw new UnsupportedOperationException("gated: no kernel here"); }
}
