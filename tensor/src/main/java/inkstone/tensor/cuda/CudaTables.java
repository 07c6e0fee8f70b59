package inkstone.tensor.cuda;

import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;

/** Rows chosen from tables, and put into caches. */
final class CudaTables {
    private static final int ROW = 128, LENGTHS = 4;

    private final Gpu.Scratch order;
    private final Kernel gatherRows, orderRows, addRows;
    private final Map<DType, Kernel> embedding = new EnumMap<>(DType.class), rowLengths = new EnumMap<>(DType.class), scatterRows = new EnumMap<>(DType.class);

    CudaTables(Gpu gpu) {
        order = gpu.scratch();
        gatherRows = gpu.kernel("tables", "gather_rows");
        orderRows = gpu.kernel("tables", "order_rows");
        addRows = gpu.kernel("tables", "add_rows");
        for (var format : DType.values()) {
            if (format == DType.I32) continue;
            embedding.put(format, kernel(gpu, "tables", "embedding", format));
            rowLengths.put(format, kernel(gpu, "lengths", "row_lengths", format));
        }
        for (var format : new DType[] {DType.F32, DType.F16, DType.Q8_0}) scatterRows.put(format, kernel(gpu, "tables", "scatter", format));
    }

    private static Kernel kernel(Gpu gpu, String file, String name, DType format) { return gpu.kernel(file, name + "_" + format.name().toLowerCase(Locale.ROOT)); }

    void embedding(Tensor y, Tensor tokens, Tensor table) {
        embedding.get(table.dtype()).with(y).with(tokens).with(table).with((long) table.shape().dim(0)).with(table.shape().last()).launch(tokens.shape().dim(0), ROW);
    }

    void gatherRows(Tensor y, Tensor x, Tensor rows) {
        gatherRows.with(y).with(x).with(rows).with(x.shape().dim(0)).with(x.shape().last()).launch(rows.shape().dim(0), ROW);
    }

    void scatterRows(Tensor cache, Tensor x, Tensor slots) {
        scatterRows.get(cache.dtype()).with(cache).with(x).with(slots).with((long) cache.shape().rows()).with(x.shape().last()).launch(x.shape().dim(0), ROW);
    }

    void rowLengths(Tensor lengths, Tensor weight, Tensor a, Tensor b, float scale) {
        int out = weight.shape().dim(0);
        rowLengths.get(weight.dtype()).with(lengths).with(weight).with(a).with(b).with(scale).with(out).with(weight.shape().last()).with(a.shape().dim(0))
            .launch(Math.ceilDiv(out, LENGTHS), 256);
    }

    void embeddingGradient(Tensor dTable, Tensor tokens, Tensor dy) { addRows(dTable, dy, tokens); }

    void gatherRowsGradient(Tensor dx, Tensor dy, Tensor rows) { addRows(dx, dy, rows); }

    /** table[rows[i]] += dy[i], those of one row of the table in the order of i. */
    private void addRows(Tensor table, Tensor dy, Tensor rows) {
        int n = rows.shape().dim(0), d = dy.shape().last();
        if (table == null || n == 0) return;
        long order = this.order.address((long) n * Integer.BYTES);
        orderRows.with(order).with(rows).with(n).launch(Math.ceilDiv(n, 128), 128);
        addRows.with(table).with(dy).with(rows).with(order).with(n).with(table.shape().dim(0)).with(d).launch(n, Math.ceilDiv(d, 256), 1, 256, 0);
    }
}
