package inkstone.tensor.cuda;

import inkstone.tensor.Recurrence;
import inkstone.tensor.Tensor;

/** Layers that hand a state from row to row. */
final class CudaRecurrence {
    private static final int BLOCK = 256;
    /* Rows made ready at a time, which a warp counts at once; and the shared memory for them that lets four blocks live side by side. */
    private static final int MOST_ROWS = 32, SHARED = 40 << 10;
    /** Blocks a multiprocessor, as far as there are sequences: enough that those without a sequence do not matter. */
    private static final int BLOCKS_EACH = 16;

    private final Gpu gpu;
    private final Kernel shift, causalConv;
    private final Scan selectiveScan, ssdScan, gatedDelta, wkv7;

    CudaRecurrence(Gpu gpu) {
        this.gpu = gpu;
        shift = gpu.kernel("recurrence", "shift");
        causalConv = gpu.kernel("recurrence", "causal_conv");
        selectiveScan = new Scan("selective_scan", 4);
        ssdScan = new Scan("ssd_scan", 16);
        gatedDelta = new Scan("gated_delta", 16);
        wkv7 = new Scan("wkv7", 8);
    }

    void shift(Tensor y, Tensor x, Recurrence r) {
        int n = x.shape().dim(0), d = x.shape().last(), tiles = Math.ceilDiv(d, BLOCK);
        shift.with(y).with(x).with(r.state()).with(r.slots()).with(r.positions()).with(n).with(d).with(tiles).launch((long) n * tiles, BLOCK);
    }

    void causalConv(Tensor y, Tensor x, Tensor weight, Tensor bias, Recurrence r) {
        int n = x.shape().dim(0), d = x.shape().last(), tiles = Math.ceilDiv(d, BLOCK);
        causalConv.with(y).with(x).with(weight).with(bias).with(r.state()).with(r.slots()).with(r.positions()).with(n).with(d).with(weight.shape().last()).with(tiles)
            .launch((long) n * tiles, BLOCK);
    }

    void selectiveScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence r) {
        var run = selectiveScan.of("selectiveScan", r, 1, x.shape().last(), a.shape().last(), 2, 0, 2);
        run.kernel.with(y).with(x).with(dt).with(b).with(c).with(a).with(skip);
        run.launch();
    }

    void ssdScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence r) {
        int d = x.shape().last(), heads = a.shape().last(), states = r.state().shape().last() / d;
        var run = ssdScan.of("ssdScan", r, heads, d / heads, states, 2, 2, 1);
        run.kernel.with(y).with(x).with(dt).with(b).with(c).with(a).with(skip).with(heads).with(b.shape().last() / states);
        run.launch();
    }

    void gatedDelta(Tensor y, Tensor q, Tensor k, Tensor v, Tensor dt, Tensor rate, Tensor a, Tensor bias, boolean tiled, float eps, Recurrence r) {
        int d = v.shape().last(), heads = a.shape().last(), keyDim = r.state().shape().last() / d;
        var run = gatedDelta.of("gatedDelta", r, heads, d / heads, keyDim, 2, 3, 1);
        run.kernel.with(y).with(q).with(k).with(v).with(dt).with(rate).with(a).with(bias).with(tiled).with(eps).with(heads).with(q.shape().last() / keyDim);
        run.launch();
    }

    void wkv7(Tensor y, Tensor bonus, Tensor r, Tensor decay, Tensor k, Tensor v, Tensor rate, Tensor removal, Tensor replacement, Tensor weight, int headDim, Recurrence recurrence) {
        int d = r.shape().last();
        var run = wkv7.of("wkv7", recurrence, d / headDim, headDim, headDim, 5, 3, 1);
        run.kernel.with(y).with(bonus).with(r).with(decay).with(k).with(v).with(rate).with(removal).with(replacement).with(weight).with(d);
        run.launch();
    }

    /** A kernel with its first arguments given, and the grid for it. */
    private record Run(Kernel kernel, int tiles, int shares, int block, int shared) {
        void launch() { kernel.launch(tiles, shares, 1, block, shared); }
    }

    /** A scan each of whose threads owns so many elements of a line. */
    private final class Scan {
        private final Kernel kernel;
        private final int elements;

        Scan(String name, int elements) {
            kernel = gpu.kernel("recurrence", name);
            this.elements = elements;
        }

        /**
         * @param lines    of a head, each {@code length} floats of the state
         * @param vectors  of {@code length} floats that a row needs in shared memory
         * @param scalars  that it needs besides
         * @param features that it needs of each line
         */
        Run of(String op, Recurrence r, int heads, int lines, int length, int vectors, int scalars, int features) {
            int most = elements * Gpu.WARP, lanes = powerOfTwo(Math.ceilDiv(length, elements));
            if (length > most) throw new UnsupportedOperationException("cuda has no kernel for %s with states of %d numbers a feature, only up to %d".formatted(op, length, most));
            int block = Math.clamp(powerOfTwo((long) lines * lanes), Gpu.WARP, heads == 1 ? BLOCK / 2 : BLOCK), together = block / lanes, tiles = heads * Math.ceilDiv(lines, together);
            int n = r.slots().shape().dim(0), rowBytes = Float.BYTES * (vectors * elements * lanes + scalars + features * together);
            int chunk = Math.clamp(SHARED / rowBytes, 1, Math.clamp(n, 1, MOST_ROWS));
            kernel.with(r.state()).with(r.slots()).with(r.positions()).with(n).with(r.state().shape().last()).with(chunk).with(lines).with(length).with(lanes).with(Math.ceilDiv(lines, together));
            return new Run(kernel, tiles, Math.min(n, Math.ceilDiv(BLOCKS_EACH * gpu.multiprocessors, tiles)), block, chunk * rowBytes);
        }

        private static int powerOfTwo(long atLeast) { return (int) Math.min(1 << 30, Long.highestOneBit(Math.max(1, 2 * atLeast - 1))); }
    }
}
