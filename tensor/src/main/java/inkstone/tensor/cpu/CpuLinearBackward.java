package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import jdk.incubator.vector.FloatVector;

/**
 * Gradients of a linear layer: dx += dy W and dW += dyᵀ x. Both are sums over one dimension, of outputs or of tokens, which passes in slices of {@link #SLICE}: first all
 * threads make panels of the slice, one set for all, then they share the tiles of the result. An element's sum has one order, whatever the number of threads.
 */
final class CpuLinearBackward {
    private static final int SLICE = 1024;
    /* Bytes of panels that a task goes through for each group of columns: half of a usual second-level cache. */
    private static final long NEAR = 512 << 10;
    /* Products a thread should have before it is woken, and a task at least. */
    private static final long GRAIN = 1 << 17;
    /* Rows of the result in a task at most: of dW they are interleaved first, 96 times a slice of 1024 are 384 KB. */
    private static final int MOST_ROWS = 96;

    private final Workers workers;
    private final Scratch scratch, shared;

    /** @param shared one block, for the panels of a slice */
    CpuLinearBackward(Workers workers, Scratch scratch, Scratch shared) {
        this.workers = workers;
        this.scratch = scratch;
        this.shared = shared;
    }

    /** From one panel to the next: two lines more than it takes, as the same k of panels a power of two apart would share a set of the caches. */
    static long panelBytes(int k) { return k * Panels.STEP + 128; }

    /** How the result's {@code rows} x {@code width} elements are shared out while {@code k} terms are added to each. */
    record Tasks(int rows, int width, int k, int chunk, int group) {
        static Tasks of(int rows, int width, int k, int threads) {
            int panels = Math.ceilDiv(width, Panels.ROWS), group = (int) Math.clamp(NEAR / (k * Panels.STEP), 1, panels), groups = Math.ceilDiv(panels, group);
            group = Math.ceilDiv(panels, groups);
            long enough = Math.ceilDiv(GRAIN, (long) group * Panels.ROWS * k), fair = Math.ceilDiv((long) rows * groups, 8L * threads);
            int chunk = (int) Math.min(Math.max(enough, fair), MOST_ROWS);
            return new Tasks(rows, width, k, Math.ceilDiv(chunk, Panels.COLUMNS) * Panels.COLUMNS, group);
        }

        int groups() { return Math.ceilDiv(Math.ceilDiv(width, Panels.ROWS), group); }
        int chunks() { return Math.ceilDiv(rows, chunk); }
        int rows(int from) { return Math.min(chunk, rows - from); }
        int width(int from) { return Math.min(group * Panels.ROWS, width - from); }
    }

    /** dx += dy W. dx [n, in], dy [n, out], weight [out, in] any format. Every weight becomes floats once. */
    void linearInput(Tensor dx, Tensor dy, Tensor weight) {
        int n = dy.shape().dim(0), out = weight.shape().dim(0), in = weight.shape().last();
        if (dx == null || n == 0) return;
        long to = address(dx), from = address(dy), w = address(weight), rowBytes = weight.dtype().bytes(in);
        var expand = Expand.of(weight.dtype());
        boolean floats = weight.dtype() == DType.F32;
        int panels = Math.ceilDiv(in, Panels.ROWS);
        shared.reserve(panels * panelBytes(SLICE));
        scratch.reserve(Math.max(PanelProduct.scratchBytes(SLICE), Scratch.lines(in)));
        for (int k0 = 0; k0 < out; k0 += SLICE) {
            int first = k0, k = Math.min(SLICE, out - k0);
            long panelBytes = panelBytes(k), packed = shared.of(0);
            workers.split(k, (int) Math.clamp(GRAIN / in, 8, SLICE), (worker, begin, end) -> {
                for (int o = begin; o < end; o++) {
                    long row = w + (first + o) * rowBytes;
                    if (!floats) expand.row(row, scratch.of(worker), in, scratch.lanes(worker));
                    Panels.spread(packed + o * Panels.STEP, panelBytes, floats ? row : scratch.of(worker), in);
                }
            });
            multiply(Tasks.of(n, in, k, workers.threads()), to, packed, PanelProduct.Columns.rows(from + 4L * first, 4L * out));
        }
    }

    /** c += x · panels, x read where it lies. */
    private void multiply(Tasks tasks, long c, long packed, PanelProduct.Columns x) {
        long cRow = 4L * tasks.width, panelBytes = panelBytes(tasks.k);
        workers.run(tasks.groups() * tasks.chunks(), (worker, task) -> {
            int m = task % tasks.chunks() * tasks.chunk, group = task / tasks.chunks() * tasks.group, r = group * Panels.ROWS;
            long at = c + m * cRow + 4L * r;
            PanelProduct.add(at, cRow, at, cRow, packed + group * panelBytes, panelBytes, tasks.width(r), x.from(m), tasks.rows(m), tasks.k, scratch.of(worker));
        });
    }

    /** dWeight += dyᵀ x and dBias += column sums of dy. dWeight F32 [out, in] or null, dBias F32 [out] or null, dy [n, out], x [n, in]. */
    void linearWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x) {
        if (dBias != null) sumRows(address(dBias), address(dy), dy.shape().dim(0), dy.shape().last());
        if (dWeight != null) products(address(dWeight), address(dy), address(x), dy.shape().dim(0), dy.shape().last(), x.shape().last());
    }

    private void products(long dw, long dy, long x, int n, int out, int in) {
        int panels = Math.ceilDiv(in, Panels.ROWS);
        long packing = PanelProduct.scratchBytes(1);
        shared.reserve(panels * panelBytes(Math.min(n, SLICE)));
        scratch.reserve(packing + 4L * MOST_ROWS * Math.min(n, SLICE));
        for (int k0 = 0; k0 < n; k0 += SLICE) {
            int first = k0, k = Math.min(SLICE, n - k0);
            long panelBytes = panelBytes(k), packed = shared.of(0), rowBytes = 4L * in;
            workers.split(k, (int) Math.clamp(GRAIN / in, 8, SLICE), (worker, begin, end) -> {
                for (int i = begin; i < end; i++) Panels.spread(packed + i * Panels.STEP, panelBytes, x + (first + i) * rowBytes, in);
            });
            var tasks = Tasks.of(out, in, k, workers.threads());
            workers.run(tasks.chunks(), (worker, task) -> {
                int m = task * tasks.chunk, rows = tasks.rows(m);
                long interleaved = scratch.of(worker) + packing;
                Panels.interleave(interleaved, dy + 4L * ((long) first * out + m), 4L * out, rows, k);
                for (int group = 0; group < panels; group += tasks.group) {
                    int r = group * Panels.ROWS;
                    long at = dw + m * rowBytes + 4L * r;
                    PanelProduct.add(at, rowBytes, at, rowBytes, packed + group * panelBytes, panelBytes, tasks.width(r), PanelProduct.Columns.interleaved(interleaved, k), rows, k, scratch.of(worker));
                }
            });
        }
    }

    /** sums[j] += sum over i of x[i][j], in this order. */
    private void sumRows(long sums, long x, int n, int width) {
        workers.split(width, (int) Math.clamp(GRAIN / Math.max(1, n), 64, width + 64) / 64 * 64, (worker, from, end) -> {
            for (int i = 0; i < n; i++) add(sums + 4L * from, x + 4L * ((long) i * width + from), end - from);
        });
    }

    /** y += x */
    private static void add(long y, long x, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var sum = FloatVector.fromMemorySegment(F, MEMORY, y + 4L * i, ORDER).add(FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER));
            sum.intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, y + 4L * i, MEMORY.get(FLOAT, y + 4L * i) + MEMORY.get(FLOAT, x + 4L * i));  // scalar tail
    }
}
