package inkstone.tensor.cpu;

import inkstone.tensor.Convolution;
import inkstone.tensor.Tensor;

/** Gradients of convolutions. */
final class CpuConvolutionGradients {
    CpuConvolutionGradients(Workers workers, Scratch scratch, Scratch single) {}
    void conv2dInput(Tensor dx, Tensor dy, Tensor weight, Convolution convolution) { throw new UnsupportedOperationException("conv2dInput: no kernel here"); }
    void conv2dWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Convolution convolution) { throw new UnsupportedOperationException("conv2dWeight: no kernel here"); }
}
