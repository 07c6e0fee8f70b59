package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.CpuLinearBackward.panelBytes;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.Convolution;
import inkstone.tensor.DType;
import inkstone.tensor.Tensor;

/**
 * Gradients of convolutions. dx is a convolution of dy again, with its window turned round: with a stride s there are s · s kinds of pixels, each met by the taps of one remainder, and each
 * is a {@link WindowProduct} of stride 1 of its own. dW is a product of dyᵀ and the windows of x, in slices of {@link #SLICE} places: each task makes panels of the few numbers of the windows whose
 * gradients it adds to. An element's sum has one order, whatever the number of threads.
 */
final class CpuConvolutionGradients {
    /*
     * Places in a slice of dW, panels that a task makes of them, which take half of a usual second-level cache on 512-bit vectors, and the fewest rows of dW they are made for.
     * 1024 places in 4 panels cost 10 to 25%: x and dy, which each task reads again, come from the third level then.
     */
    private static final int SLICE = 512, GROUP = 8, LEAST_ROWS = 48;
    /* Outputs times slices of dy that all threads share at a time: 256 KB. */
    private static final int PART = 128;
    /* Numbers a thread should move before it is woken: some 10 microseconds. */
    private static final int GRAIN = 1 << 16;

    private final Workers workers;
    private final Scratch scratch, shared;
    private final CpuLinearBackward linear;
    private final WindowProduct product;

    /** @param shared one block, for the panels of a slice */
    CpuConvolutionGradients(Workers workers, Scratch scratch, Scratch shared, CpuLinearBackward linear) {
        this.workers = workers;
        this.scratch = scratch;
        this.shared = shared;
        this.linear = linear;
        product = new WindowProduct(workers, scratch);
    }

    /** Every {@code stride}-th pixel along one direction of dx, and the taps that meet them, in the order of the pixels of dy: last - j · stride. */
    private record Taps(int first, int places, int count, int last, int origin) {
        static Taps of(int first, int pixels, int window, Convolution convolution) {
            int stride = convolution.stride(), least = (first + convolution.before()) % stride, count = Math.ceilDiv(Math.max(0, window - least), stride), last = least + (count - 1) * stride;
            return new Taps(first, Math.ceilDiv(pixels - first, stride), count, last, (first + convolution.before() - last) / stride);
        }
    }

    /** dx += dy · W over all windows that met a pixel. */
    void conv2dInput(Tensor dx, Tensor dy, Tensor weight, Convolution convolution) {
        if (dx == null || dy.shape().dim(0) == 0) return;
        if (CpuConvolution.isLinear(weight, convolution)) {
            linear.linearInput(CpuConvolution.rows(dx), CpuConvolution.rows(dy), CpuConvolution.matrix(weight));
            return;
        }
        int h = dx.shape().dim(1), w = dx.shape().dim(2), stride = convolution.stride();
        for (int row = 0; row < Math.min(stride, h); row++) for (int column = 0; column < Math.min(stride, w); column++) {
            Taps down = Taps.of(row, h, weight.shape().dim(1), convolution), across = Taps.of(column, w, weight.shape().dim(2), convolution);
            if (down.count > 0 && across.count > 0) input(dx, dy, weight, stride, down, across);
        }
    }

    private void input(Tensor dx, Tensor dy, Tensor weight, int stride, Taps down, Taps across) {
        int out = dy.shape().last(), in = dx.shape().last(), panels = Math.ceilDiv(in, Panels.ROWS);
        var windows = new Windows(address(dy), dy.shape().dim(0), dy.shape().dim(1), dy.shape().dim(2), out, down.count, across.count, down.places, across.places, 1, down.origin, across.origin);
        long pixel = 4L * in, row = dx.shape().dim(2) * pixel;
        var pixels = new WindowProduct.Pixels(address(dx) + down.first * row + across.first * pixel, dx.shape().dim(1) * row, stride * row, stride * pixel);
        int size = windows.size(), slice = WindowProduct.slice(size, 1);
        shared.reserve(panels * panelBytes(slice));
        for (int k0 = 0; k0 < size; k0 += slice) {
            int k = Math.min(slice, size - k0);
            pack(shared.of(0), weight, stride, down, across, k0, k);
            product.add(windows, pixels, 0, shared.of(0), panelBytes(k), k0, k, in);
        }
    }

    /** panels[i / ROWS][j][i mod ROWS] = weight[o][a][b][i], where k0 + j = (tap, o). */
    private void pack(long packed, Tensor weight, int stride, Taps down, Taps across, int k0, int k) {
        int out = weight.shape().dim(0), kw = weight.shape().dim(2), in = weight.shape().last();
        long w = address(weight), tapBytes = weight.dtype().bytes(in), rowBytes = weight.shape().dim(1) * kw * tapBytes, panelBytes = panelBytes(k);
        boolean floats = weight.dtype() == DType.F32;
        var expand = Expand.of(weight.dtype());
        if (!floats) scratch.reserve(Scratch.lines(in));
        workers.split(k, Math.clamp(GRAIN / in, 8, WindowProduct.SLICE), (worker, begin, end) -> {
            for (int j = begin; j < end; j++) {
                int tap = (k0 + j) / out, o = (k0 + j) % out, a = down.last - tap / across.count * stride, b = across.last - tap % across.count * stride;
                long row = w + o * rowBytes + (a * kw + b) * tapBytes;
                if (!floats) expand.row(row, scratch.of(worker), in, scratch.lanes(worker));
                Panels.spread(packed + j * Panels.STEP, panelBytes, floats ? row : scratch.of(worker), in);
            }
        });
    }

    /** dWeight += dyᵀ · windows of x, dBias += column sums of dy. dWeight F32 or null, dBias F32 or null. */
    void conv2dWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Convolution convolution) {
        boolean isLinear = dWeight == null || CpuConvolution.isLinear(dWeight, convolution);
        if (isLinear || dBias != null) linear.linearWeight(isLinear && dWeight != null ? CpuConvolution.matrix(dWeight) : null, dBias, CpuConvolution.rows(dy), CpuConvolution.rows(x));
        if (isLinear || dy.shape().dim(0) == 0) return;
        int kh = dWeight.shape().dim(1), kw = dWeight.shape().dim(2), before = convolution.before();
        var windows = new Windows(address(x), x.shape().dim(0), x.shape().dim(1), x.shape().dim(2), x.shape().last(), kh, kw, dy.shape().dim(1), dy.shape().dim(2), convolution.stride(), -before, -before);
        products(address(dWeight), address(dy), windows, dy.shape().last());
    }

    private void products(long dw, long dy, Windows windows, int out) {
        int places = windows.places(), size = windows.size(), part = Math.min(Math.clamp(PART / out, 1, 16) * SLICE, Math.ceilDiv(places, SLICE) * SLICE);
        int panels = Math.ceilDiv(size, Panels.ROWS), group = group(panels), groups = Math.ceilDiv(panels, group);
        int rows = Math.clamp((long) out * groups / (2 * workers.threads()), LEAST_ROWS, Math.max(LEAST_ROWS, out)) / Panels.COLUMNS * Panels.COLUMNS, chunks = Math.ceilDiv(out, rows);
        long sliceBytes = 4L * SLICE * Math.ceilDiv(out, Panels.COLUMNS) * Panels.COLUMNS, edge = PanelProduct.scratchBytes(0);
        shared.reserve(part / SLICE * sliceBytes);
        scratch.reserve(edge + group * panelBytes(SLICE));
        for (int first = 0; first < places; first += part) {
            int begin = first, end = Math.min(places, first + part);
            for (int at = begin; at < end; at += SLICE) interleave(shared.of(0) + (at - begin) / SLICE * sliceBytes, dy + 4L * at * out, out, Math.min(SLICE, end - at));
            workers.run(groups * chunks, (worker, task) -> {
                int lane = task / chunks * group * Panels.ROWS, width = Math.min(group * Panels.ROWS, size - lane), o = task % chunks * rows;
                long packed = scratch.of(worker) + edge, at = dw + 4L * ((long) o * size + lane);
                for (int place = begin; place < end; place += SLICE) {
                    int k = Math.min(SLICE, end - place);
                    long panel = packed, panelBytes = panelBytes(k);
                    for (int r = 0; r < width; r += Panels.ROWS, panel += panelBytes) windows.panel(place, k, lane + r, Math.min(Panels.ROWS, width - r), panel);
                    var columns = PanelProduct.Columns.interleaved(shared.of(0) + (place - begin) / SLICE * sliceBytes, k);
                    PanelProduct.add(at, 4L * size, at, 4L * size, packed, panelBytes, width, columns.from(o), Math.min(rows, out - o), k, scratch.of(worker));
                }
            });
        }
    }

    /** Panels of a task, so that every thread has as many tasks. */
    private int group(int panels) {
        int threads = workers.threads(), rounds = Math.ceilDiv(Math.ceilDiv(panels, GROUP), threads);
        return Math.ceilDiv(panels, rounds * threads);
    }

    /** to[o / COLUMNS][j][o mod COLUMNS] = dy[j][o] for j below k. */
    private void interleave(long to, long dy, int out, int k) {
        workers.split(Math.ceilDiv(out, Panels.COLUMNS), Math.max(1, GRAIN / (k * Panels.COLUMNS)), (worker, begin, end) -> {
            int o = begin * Panels.COLUMNS;
            Panels.interleave(to + 4L * o * k, dy + 4L * o, 4L * out, Math.min(out, end * Panels.COLUMNS) - o, k);
        });
    }
}
