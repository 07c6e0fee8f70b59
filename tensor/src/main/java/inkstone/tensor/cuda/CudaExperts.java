package inkstone.tensor.cuda;

import inkstone.tensor.Tensor;
import inkstone.tensor.cuda.CudaProducts.Direction;
import inkstone.tensor.cuda.CudaProducts.Groups;

/**
 * Linear maps of which each row has its own expert, known on the device alone. Where each expert has a row or less, rows are multiplied one by one; otherwise they are sorted by
 * expert and multiplied in tiles, of which there is one more for each expert than the rows fill: those that turn out to be empty return.
 */
final class CudaExperts {
    private static final int WARPS = 8, BLOCK = WARPS * Gpu.WARP;
    /** Rows that are made one by one whatever the number of experts. */
    private static final int FEW_ROWS = 8;

    private final CudaFewRows fewRows;
    private final CudaProducts products;
    private final Gpu.Scratch scratch;
    private final Kernel order, tiles, inputSums;

    CudaExperts(Gpu gpu) {
        fewRows = new CudaFewRows(gpu);
        products = new CudaProducts(gpu);
        scratch = gpu.scratch();
        order = gpu.kernel("experts", "expert_order");
        tiles = gpu.kernel("experts", "expert_tiles");
        inputSums = gpu.kernel("experts", "expert_input_sums");
    }

    void expertLinear(Tensor y, Tensor x, Tensor weight, Tensor bias, Tensor experts) {
        int m = y.shape().dim(0), count = weight.shape().dim(0), out = weight.shape().dim(1), in = weight.shape().last();
        if (m == 0) return;
        int used = m / x.shape().dim(0);
        if (m <= Math.max(FEW_ROWS, count)) {
            fewRows.expertLinear(y, x, weight, bias, experts);
            return;
        }
        long xBytes = CudaProducts.roundedBytes(m, in);
        var memory = new Layout(products.tileRows(Direction.FORWARD, m, count, out), m, count, xBytes + CudaProducts.weightBytes(weight.dtype(), (long) count * out, in));
        var groups = memory.sort(experts);
        products.round(memory.free, x, groups.order(), used, m);
        products.rows(Direction.FORWARD, y.data().address(), false, memory.free, m, weight, memory.free + xBytes, bias, groups, 0);
    }

    void expertInput(Tensor dx, Tensor dy, Tensor weight, Tensor experts) {
        int m = dy.shape().dim(0), count = weight.shape().dim(0), out = weight.shape().dim(1), in = weight.shape().last();
        if (m == 0 || dx == null) return;
        int used = m / dx.shape().dim(0);
        long dyBytes = CudaProducts.roundedBytes(m, out), weightBytes = CudaProducts.weightBytes(weight.dtype(), (long) count * out, in);
        var memory = new Layout(products.tileRows(Direction.INPUT, m, count, in), m, count, dyBytes + weightBytes + (used == 1 ? 0 : (long) m * in * Float.BYTES));
        var groups = memory.sort(experts);
        products.round(memory.free, dy, groups.order(), 1, m);
        long parts = memory.free + dyBytes + weightBytes;
        products.rows(Direction.INPUT, used == 1 ? dx.data().address() : parts, used == 1, memory.free, m, weight, memory.free + dyBytes, null, groups, 0);
        long elements = dx.shape().elements();
        if (used > 1) inputSums.with(dx).with(parts).with(used).with(in).with(elements).launch(Math.ceilDiv(elements, BLOCK), BLOCK);
    }

    void expertWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor experts) {
        int m = dy.shape().dim(0), out = dy.shape().last(), in = x.shape().last(), count = (dWeight == null ? dBias : dWeight).shape().dim(0);
        if (m == 0) return;
        long dyBytes = CudaProducts.roundedBytes(m, out);
        var memory = new Layout(0, m, count, dyBytes + CudaProducts.roundedBytes(m, in));
        var groups = memory.sort(experts);
        if (dBias != null) products.bias(dBias, dy, count, groups.order(), groups.offsets(), 0);
        if (dWeight == null) return;
        products.round(memory.free, dy, groups.order(), 1, m);
        products.round(memory.free + dyBytes, x, groups.order(), m / x.shape().dim(0), m);
        products.weight(dWeight, memory.free, out, memory.free + dyBytes, in, m, count, groups.offsets(), 0);
    }

    /** Scratch memory: which rows each expert has, in tiles of so many rows (0: in none), and behind that what is free for a product. */
    private final class Layout {
        private final int tileRows, m, count;
        private final long tileCount, order, offsets, tiles, free;

        Layout(int tileRows, int m, int count, long more) {
            this.tileRows = tileRows;
            this.m = m;
            this.count = count;
            tileCount = tileRows == 0 ? 0 : m / tileRows + Math.min(count, m);
            long orderBytes = CudaProducts.aligned(m * 4L), offsetBytes = CudaProducts.aligned((count + 1) * 4L), tileBytes = CudaProducts.aligned(tileCount * 8);
            order = scratch.address(orderBytes + offsetBytes + tileBytes + more);
            offsets = order + orderBytes;
            tiles = offsets + offsetBytes;
            free = tiles + tileBytes;
        }

        Groups sort(Tensor experts) {
            CudaExperts.this.order.with(order).with(offsets).with(experts).with(m).with(count).launch(Math.ceilDiv(count, WARPS), BLOCK);
            if (tileRows > 0) CudaExperts.this.tiles.with(tiles).with(offsets).with(count).with(tileRows).with((int) tileCount).launch(1, Gpu.WARP);
            return new Groups(tileRows, tileCount, order, offsets, tiles);
        }
    }
}
