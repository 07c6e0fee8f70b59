package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.Convolution;
import inkstone.tensor.DType;
import inkstone.tensor.Tensor;

/**
 * Convolutions in every weight format: {@link WindowProduct} with the weights as panels, one slice of the window's numbers after the other. Each weight becomes a float in a panel once a call.
 * Windows of one pixel are a linear layer.
 */
final class CpuConvolution {
    /* Weights a thread should pack before it is woken: some 10 microseconds. */
    private static final int GRAIN = 1 << 16;

    private final Workers workers;
    private final Scratch scratch, shared;
    private final CpuLinear linear;
    private final WindowProduct product;

    /** @param shared one block, for the panels of a slice */
    CpuConvolution(Workers workers, Scratch scratch, Scratch shared, CpuLinear linear) {
        this.workers = workers;
        this.scratch = scratch;
        this.shared = shared;
        this.linear = linear;
        product = new WindowProduct(workers, scratch);
    }

    void conv2d(Tensor y, Tensor x, Tensor weight, Tensor bias, Convolution convolution) {
        if (y.shape().dim(0) == 0) return;
        if (isLinear(weight, convolution)) {
            linear.linear(rows(y), rows(x), matrix(weight), bias);
            return;
        }
        int out = y.shape().last(), kh = weight.shape().dim(1), kw = weight.shape().dim(2), rows = y.shape().dim(1), columns = y.shape().dim(2), before = convolution.before();
        var windows = new Windows(address(x), x.shape().dim(0), x.shape().dim(1), x.shape().dim(2), x.shape().last(), kh, kw, rows, columns, convolution.stride(), -before, -before);
        var pixels = WindowProduct.Pixels.dense(address(y), rows, columns, out);
        int size = windows.size(), slice = WindowProduct.slice(size, weight.dtype().blockSize), panels = Math.ceilDiv(out, Panels.ROWS);
        long panelBytes = CpuLinearBackward.panelBytes(slice), zeros = Scratch.lines(out);
        shared.reserve(zeros + panels * panelBytes);
        long start = bias == null ? shared.of(0) : address(bias), packed = shared.of(0) + zeros;
        if (bias == null) MEMORY.asSlice(start, zeros).fill((byte) 0);
        for (int k0 = 0; k0 < size; k0 += slice) {
            int k = Math.min(slice, size - k0);
            pack(packed, panelBytes, weight, size, k0, k);
            product.add(windows, pixels, k0 == 0 ? start : 0, packed, panelBytes, k0, k, out);
        }
    }

    /** panels[o / ROWS][j][o mod ROWS] = weight[o][k0 + j] for j below k. */
    private void pack(long packed, long panelBytes, Tensor weight, int size, int k0, int k) {
        int out = weight.shape().dim(0);
        long source = address(weight) + weight.dtype().bytes(k0), rowBytes = weight.dtype().bytes(size);
        boolean floats = weight.dtype() == DType.F32;
        var expand = Expand.of(weight.dtype());
        if (!floats) scratch.reserve(4L * Panels.ROWS * k);
        workers.split(Math.ceilDiv(out, Panels.ROWS), Math.max(1, GRAIN / (Panels.ROWS * k)), (worker, from, to) -> {
            for (int panel = from; panel < to; panel++) {
                int o = panel * Panels.ROWS, rows = Math.min(Panels.ROWS, out - o);
                long first = source + o * rowBytes, stride = rowBytes;
                if (!floats) {
                    long expanded = scratch.of(worker);
                    for (int r = 0; r < rows; r++) expand.row(first + r * rowBytes, expanded + 4L * r * k, k, scratch.lanes(worker));
                    first = expanded;
                    stride = 4L * k;
                }
                Panels.transpose(packed + panel * panelBytes, first, stride, rows, k);
            }
        });
    }

    /** Whether windows are the pixels themselves. */
    static boolean isLinear(Tensor weight, Convolution convolution) {
        return weight.shape().dim(1) == 1 && weight.shape().dim(2) == 1 && convolution.stride() == 1 && convolution.before() == 0 && convolution.after() == 0;
    }

    /** Pictures as rows of pixels. */
    static Tensor rows(Tensor pictures) { return Tensor.of(pictures.dtype(), pictures.data(), pictures.shape().rows(), pictures.shape().last()); }

    /** A weight [out, 1, 1, in] as the matrix that it is. */
    static Tensor matrix(Tensor weight) { return Tensor.of(weight.dtype(), weight.data(), weight.shape().dim(0), weight.shape().last()); }
}
