package inkstone.tensor.cuda;

import inkstone.tensor.Tensor;
import inkstone.tensor.cuda.CudaProducts.Direction;

/** Linear maps of any weight format: few rows read the weights once, many are a product of tiles on the tensor cores. */
final class CudaLinear {
    private final CudaFewRows fewRows;
    private final CudaProducts products;
    private final Gpu.Scratch scratch;

    CudaLinear(Gpu gpu) {
        fewRows = new CudaFewRows(gpu);
        products = new CudaProducts(gpu);
        scratch = gpu.scratch();
    }

    void linear(Tensor y, Tensor x, Tensor weight, Tensor bias) {
        if (x.shape().dim(0) <= CudaFewRows.MOST_ROWS) fewRows.linear(y, x, weight, bias);
        else product(Direction.FORWARD, y, x, weight, bias);
    }

    void linearInput(Tensor dx, Tensor dy, Tensor weight) {
        if (dx != null) product(Direction.INPUT, dx, dy, weight, null);
    }

    /** c = a Wᵀ + bias, or c += a W. */
    private void product(Direction direction, Tensor c, Tensor a, Tensor weight, Tensor bias) {
        int m = a.shape().dim(0), n = c.shape().last(), k = a.shape().last(), out = weight.shape().dim(0), in = weight.shape().last();
        if (m == 0) return;
        long aBytes = CudaProducts.roundedBytes(m, k), weightBytes = CudaProducts.weightBytes(weight.dtype(), out, in);
        long rounded = scratch.address(aBytes + weightBytes + products.partBytes(direction, m, n, k));
        products.round(rounded, a, 0, 1, m);
        products.rows(direction, c.data().address(), direction == Direction.INPUT, rounded, m, weight, rounded + aBytes, bias, CudaProducts.NONE, rounded + aBytes + weightBytes);
    }

    void linearWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x) {
        int n = dy.shape().dim(0), out = dy.shape().last(), in = x.shape().last();
        if (n == 0) return;
        if (dBias != null) products.bias(dBias, dy, 0, 0, 0, scratch.address(products.biasPartBytes(n, out)));
        if (dWeight == null) return;
        long dyBytes = CudaProducts.roundedBytes(n, out), xBytes = CudaProducts.roundedBytes(n, in);
        long rounded = scratch.address(dyBytes + xBytes + products.weightPartBytes(out, in, n));
        products.round(rounded, dy, 0, 1, n);
        products.round(rounded + dyBytes, x, 0, 1, n);
        products.weight(dWeight, rounded, out, rounded + dyBytes, in, n, 0, 0, rounded + dyBytes + xBytes);
    }
}
