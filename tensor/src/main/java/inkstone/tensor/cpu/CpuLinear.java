package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * y = x Wᵀ + bias for every weight format, activations in F32 throughout. Up to {@link #FEW} activations stream the weights as dot products, limited by memory; more go
 * through packed panels, limited by arithmetic, with every weight converted once.
 */
final class CpuLinear {
    /* Where panels overtake dots: packing costs as much as about eight dots a row. */
    private static final int FEW = 8;
    /* 1024 k of 4 panels are 512 KB on 512-bit vectors, half of a usual second-level cache; 256 k lost 15%, one panel 5 to 20%. */
    private static final int SLICE = 1024, GROUP = 4;
    /* Products a thread should have before it is woken: some 10 microseconds. */
    private static final long GRAIN = 1 << 17;

    private final Workers workers;
    private final Scratch scratch, shared = new Scratch(1);

    CpuLinear(Workers workers, Scratch scratch) {
        this.workers = workers;
        this.scratch = scratch;
    }

    void linear(Tensor y, Tensor x, Tensor weight, Tensor bias) {
        int n = x.shape().dim(0);
        if (n == 0) return;
        var product = new Product(address(y), address(x), address(weight), bias == null ? 0 : address(bias), weight.dtype(), n, weight.shape().dim(0), weight.shape().last());
        if (n == 1) one(product); else if (n <= FEW) few(product); else many(product);
    }

    /** Addresses (bias 0: none) and sizes of one call. */
    private record Product(long y, long x, long weight, long bias, DType dtype, int n, int out, int in) {
        long weightRow() { return dtype.bytes(in); }
        long xRow() { return 4L * in; }
        long yRow() { return 4L * out; }
        float bias(int o) { return bias == 0 ? 0 : MEMORY.get(FLOAT, bias + 4L * o); }
        /** Rows of W that make a task worth starting. */
        int grain() { return (int) Math.min(out, Math.ceilDiv(GRAIN, (long) in * n)); }
    }

    private void one(Product p) {
        var dots = RowDots.of(p.dtype);
        long x = ordered(p);
        workers.split(p.out, p.grain(), (worker, from, to) -> {
            dots.rows(p.y + 4L * from, p.weight + from * p.weightRow(), p.weightRow(), to - from, x, p.in, scratch.lanes(worker));
            if (p.bias != 0) for (int o = from; o < to; o++) add(p.y + 4L * o, p.bias(o));
        });
    }

    /** The one row of activations as the format's dots want it. */
    private long ordered(Product p) {
        var order = Order.of(p.dtype);
        if (order == Order.AS_IS) return p.x;
        shared.reserve(Order.bytes(p.in));
        order.arrange(p.x, p.in, shared.of(0), shared.lanes(0));
        return shared.of(0);
    }

    /** Rows of W become floats, or bytes where they are quantized, and are multiplied with all activations. */
    private void few(Product p) {
        if (p.dtype.isQuantized()) fewQuantized(p, UnpackedRows.of(p.dtype)); else fewFloats(p, Expand.of(p.dtype));
    }

    private void fewFloats(Product p, Expand expand) {
        scratch.reserve(Scratch.lines(p.in));
        workers.split(p.out, p.grain(), (worker, from, to) -> {
            long row = scratch.of(worker), lanes = scratch.lanes(worker);
            for (int o = from; o < to; o++) {
                expand.row(p.weight + o * p.weightRow(), row, p.in, lanes);
                for (int m = 0; m < p.n; m += FloatDots.COLUMNS) {
                    FloatDots.columns(p.y + m * p.yRow() + 4L * o, p.yRow(), row, p.x + m * p.xRow(), p.xRow(), Math.min(FloatDots.COLUMNS, p.n - m), p.in, lanes);
                }
                if (p.bias != 0) for (int m = 0; m < p.n; m++) add(p.y + m * p.yRow() + 4L * o, p.bias(o));
            }
        });
    }

    private void fewQuantized(Product p, UnpackedRows format) {
        long far = UnpackedRows.bytes(p.in);
        scratch.reserve(UnpackedTile.ROWS * far);
        workers.split(p.out, p.grain(), (worker, from, to) -> {
            long bytes = scratch.of(worker), lanes = scratch.lanes(worker);
            for (int r = 0; r < UnpackedTile.ROWS; r++) format.prepare(p.in, bytes + r * far);
            for (int o = from; o < to; o += UnpackedTile.ROWS) {
                int rows = Math.min(UnpackedTile.ROWS, to - o);
                for (int r = 0; r < rows; r++) format.unpack(p.weight + (o + r) * p.weightRow(), p.in, bytes + r * far);
                boolean inPlace = p.dtype == DType.Q8_0;
                long q = inPlace ? p.weight + o * p.weightRow() + 2 : bytes + 2 * UnpackedRows.offsets(p.in), next = rows == 1 ? 0 : inPlace ? p.weightRow() : far;
                for (int m = 0; m < p.n; m += UnpackedTile.COLUMNS) {
                    UnpackedTile.dots(p.y + m * p.yRow() + 4L * o, p.yRow(), q, inPlace ? 34 : 32, next, rows, bytes, far, format.group(), p.x + m * p.xRow(), p.xRow(),
                        Math.min(UnpackedTile.COLUMNS, p.n - m), p.in, lanes);
                }
                if (p.bias != 0) for (int m = 0; m < p.n; m++) for (int r = 0; r < rows; r++) add(p.y + m * p.yRow() + 4L * (o + r), p.bias(o + r));
            }
        });
    }

    private static void add(long address, float value) { MEMORY.set(FLOAT, address, MEMORY.get(FLOAT, address) + value); }

    private void many(Product p) {
        int panels = Math.ceilDiv(p.out, Panels.ROWS), group = Math.clamp(panels / (4 * workers.threads()), 1, GROUP);
        long rows = 4L * SLICE * Panels.ROWS, starts = group * Panels.STEP;
        scratch.reserve((group + 1) * rows + starts + PanelProduct.scratchBytes(SLICE));
        var expand = Expand.of(p.dtype);
        workers.run(Math.ceilDiv(panels, group), (worker, task) -> {
            int from = task * group * Panels.ROWS, to = Math.min(p.out, from + group * Panels.ROWS);
            long packed = scratch.of(worker), expanded = packed + group * rows, start = expanded + rows;
            // sums begin with the bias, which is one row for all activations, and go on with what the slice before left
            if (p.bias == 0) MEMORY.asSlice(start, 4L * (to - from)).fill((byte) 0); else MemorySegment.copy(MEMORY, p.bias + 4L * from, MEMORY, start, 4L * (to - from));
            for (int k0 = 0; k0 < p.in; k0 += SLICE) {
                int k = Math.min(SLICE, p.in - k0);
                for (int o = from; o < to; o += Panels.ROWS) pack(p, expand, scratch.lanes(worker), packed + (o - from) / Panels.ROWS * rows, expanded, o, Math.min(Panels.ROWS, to - o), k0, k);
                long y = p.y + 4L * from;
                PanelProduct.add(y, p.yRow(), k0 == 0 ? start : y, k0 == 0 ? 0 : p.yRow(), packed, rows, to - from, PanelProduct.Columns.rows(p.x + 4L * k0, p.xRow()), p.n, k, start + starts);
            }
        });
    }

    private static void pack(Product p, Expand expand, long lanes, long panel, long expanded, int o, int rows, int k0, int k) {
        long source = p.weight + o * p.weightRow() + p.dtype.bytes(k0);
        if (p.dtype == DType.F32) {
            Panels.transpose(panel, source, p.weightRow(), rows, k);
            return;
        }
        for (int r = 0; r < rows; r++) expand.row(source + r * p.weightRow(), expanded + r * 4L * SLICE, k, lanes);
        Panels.transpose(panel, expanded, 4L * SLICE, rows, k);
    }
}
