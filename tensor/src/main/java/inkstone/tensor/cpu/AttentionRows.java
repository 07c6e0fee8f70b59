package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.DType;
import inkstone.tensor.Tensor;

/**
 * Where the keys and values of an attention lie: rows that a page table points to or, where that is null, rows that are counted from the sequence's first.
 *
 * @param table page of each position, {@code maxPages} to a sequence, checked before
 */
record AttentionRows(Cells keys, Cells values, int[] table, int pageSize, int maxPages) {
    /** Rows of {@code width} elements. */
    record Cells(long base, DType dtype, Expand expand, int width, long rowBytes) {
        static Cells of(Tensor t) { return new Cells(address(t), t.dtype(), Expand.of(t.dtype()), t.shape().last(), t.dtype().bytes(t.shape().last())); }
    }

    /** Address of the key, or value, of a head at a position. */
    long at(Cells cells, int sequence, int position, int head, int headDim) {
        return cells.base + row(sequence, position) * cells.rowBytes + cells.dtype.bytes((long) head * headDim);
    }

    private long row(int sequence, int position) {
        return table == null ? sequence + position : (long) table[sequence * maxPages + position / pageSize] * pageSize + position % pageSize;
    }

    /** Whether keys, or values, of these positions are floats side by side, to be read where they lie. */
    boolean inPlace(Cells cells, int from, int length) { return cells.dtype == DType.F32 && length <= run(from); }

    /** How many rows from this position on lie one after the other. */
    int run(int position) { return table == null ? Integer.MAX_VALUE : pageSize - position % pageSize; }

    /**
     * Some neighbouring heads of positions {@code from} to {@code from + length - 1} as floats: to[position][head], each head {@code stride} floats from the one before.
     * What lies between the end of a head and the next stays.
     */
    void gather(Cells cells, int sequence, int from, int length, int head, int heads, int headDim, int stride, long to, long lanes) {
        boolean whole = heads * headDim == cells.width, close = headDim == stride;
        long first = cells.base + cells.dtype.bytes((long) head * headDim), rowBytes = cells.rowBytes, headBytes = cells.dtype.bytes(headDim);
        for (int i = 0, run; i < length; i += run, to += 4L * run * heads * stride) {
            run = Math.min(length - i, run(from + i));
            long source = first + row(sequence, from + i) * rowBytes;
            if (whole && close) {
                cells.expand.row(source, to, run * heads * headDim, lanes);
            } else if (close) {
                for (int r = 0; r < run; r++) cells.expand.row(source + r * rowBytes, to + 4L * r * heads * stride, heads * headDim, lanes);
            } else {
                for (int r = 0; r < run; r++) {
                    for (int h = 0; h < heads; h++) cells.expand.row(source + r * rowBytes + h * headBytes, to + 4L * (r * heads + h) * stride, headDim, lanes);
                }
            }
        }
    }
}
