package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.CpuLinearBackward.panelBytes;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.Convolution;
import inkstone.tensor.DType;
import inkstone.tensor.Tensor;

/**
 * Gradients of convolutions. dx is a convolution of dy again, with its window turned round: with a stride s there are s · s kinds of pixels, each met by the taps of one remainder, and each
 * is a {@link WindowProduct} of stride 1 of its own. dW is a product of dyᵀ and the windows of x, in slices of {@link #SLICE} places. An element's sum has one order, whatever the number of threads.
 */
final class CpuConvolutionGradients {
    /* Places in a slice of dW: their windows become panels at most LANES numbers wide, 8 MB, which all threads share. */
    private static final int SLICE = 1024, LANES = 2048;
    /* Places whose windows are gathered before they go to the panels: 64 KB at most. */
    private static final int GATHERED = 8;
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
        int places = windows.places(), size = windows.size(), most = Math.min(places, SLICE), lanes = Math.min(size, LANES);
        long packedBytes = Math.ceilDiv(lanes, Panels.ROWS) * panelBytes(most);
        shared.reserve(packedBytes + 4L * Math.ceilDiv(out, Panels.COLUMNS) * Panels.COLUMNS * most);
        scratch.reserve(Math.max(PanelProduct.scratchBytes(0), GATHERED * Scratch.lines(lanes)));
        long packed = shared.of(0), interleaved = packed + packedBytes;
        for (int first = 0; first < places; first += SLICE) {
            int k = Math.min(SLICE, places - first);
            interleave(interleaved, dy + 4L * first * out, out, k);
            for (int lane = 0; lane < size; lane += LANES) {
                int width = Math.min(LANES, size - lane);
                pack(packed, windows, first, k, lane, width);
                multiply(dw + 4L * lane, 4L * size, packed, width, interleaved, out, k);
            }
        }
    }

    /** to[o / COLUMNS][j][o mod COLUMNS] = dy[j][o] for j below k. */
    private void interleave(long to, long dy, int out, int k) {
        int grain = Math.max(1, GRAIN / (k * Panels.COLUMNS));
        workers.split(Math.ceilDiv(out, Panels.COLUMNS), grain, (worker, begin, end) -> {
            int o = begin * Panels.COLUMNS;
            Panels.interleave(to + 4L * o * k, dy + 4L * o, 4L * out, Math.min(out, end * Panels.COLUMNS) - o, k);
        });
    }

    /** panels[r / ROWS][j][r mod ROWS] = number {@code lane} + r of the window at place {@code first} + j, for j below k and r below {@code width}. */
    private void pack(long packed, Windows windows, int first, int k, int lane, int width) {
        long panelBytes = panelBytes(k), row = Scratch.lines(width);
        workers.split(Math.ceilDiv(k, GATHERED), Math.max(1, GRAIN / (GATHERED * width)), (worker, begin, end) -> {
            long gathered = scratch.of(worker);
            for (int j = begin * GATHERED; j < Math.min(k, end * GATHERED); j += GATHERED) {
                int count = Math.min(GATHERED, k - j);
                windows.gather(first + j, count, lane, width, gathered, row);
                long panel = packed + j * Panels.STEP;
                for (int r = 0; r < width; r += Panels.ROWS, panel += panelBytes) Panels.slice(panel, gathered + 4L * r, row, Math.min(Panels.ROWS, width - r), count);
            }
        });
    }

    /** dw[o][r] += sum over j of dy[j][o] · panels, r below {@code width}. */
    private void multiply(long dw, long rowBytes, long packed, int width, long interleaved, int out, int k) {
        var tasks = CpuLinearBackward.Tasks.of(out, width, k, workers.threads());
        long panelBytes = panelBytes(k);
        var dy = PanelProduct.Columns.interleaved(interleaved, k);
        workers.run(tasks.groups() * tasks.chunks(), (worker, task) -> {
            int o = task % tasks.chunks() * tasks.chunk(), group = task / tasks.chunks() * tasks.group(), r = group * Panels.ROWS;
            long at = dw + o * rowBytes + 4L * r;
            PanelProduct.add(at, rowBytes, at, rowBytes, packed + group * panelBytes, panelBytes, tasks.width(r), dy.from(o), tasks.rows(o), k, scratch.of(worker));
        });
    }
}
