package inkstone.tensor.cuda;

import inkstone.tensor.Tensor;

/** Dropout by counted random numbers. */
final class CudaDropout {
    private final Kernel dropout, gradient;

    CudaDropout(Gpu gpu) {
        dropout = gpu.kernel("dropout", "dropout");
        gradient = gpu.kernel("dropout", "dropout_gradient");
    }

    void dropout(Tensor y, Tensor x, float rate, long key) { Elements.launch(dropout.with(y).with(x).with(rate).with(key), y); }

    void dropoutGradient(Tensor dx, Tensor dy, float rate, long key) { Elements.launch(gradient.with(dx).with(dy).with(rate).with(key), dy); }
}
