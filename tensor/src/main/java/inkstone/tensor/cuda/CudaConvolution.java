package inkstone.tensor.cuda;

import inkstone.tensor.Convolution;
import inkstone.tensor.Tensor;

/** Convolutions and their gradients. */
final class CudaConvolution {
    CudaConvolution(Gpu gpu) {}
    void conv2d(Tensor y, Tensor x, Tensor weight, Tensor bias, Convolution convolution) { throw new UnsupportedOperationException("conv2d: no kernel here"); }
    void conv2dInput(Tensor dx, Tensor dy, Tensor weight, Convolution convolution) { throw new UnsupportedOperationException("conv2dInput: no kernel here"); }
    void conv2dWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Convolution convolution) { throw new UnsupportedOperationException("conv2dWeight: no kernel here"); }
}
