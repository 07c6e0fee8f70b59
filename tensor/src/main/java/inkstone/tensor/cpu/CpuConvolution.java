package inkstone.tensor.cpu;

import inkstone.tensor.Convolution;
import inkstone.tensor.Tensor;

/** Convolutions. */
final class CpuConvolution {
    CpuConvolution(Workers workers, Scratch scratch, Scratch single) {}
    void conv2d(Tensor y, Tensor x, Tensor weight, Tensor bias, Convolution convolution) { throw new UnsupportedOperationException("conv2d: no kernel here"); }
}
