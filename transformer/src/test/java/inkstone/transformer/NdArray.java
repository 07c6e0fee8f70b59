package inkstone.transformer;

import java.util.Arrays;
import java.util.function.UnaryOperator;

/** Numbers in rows, taken apart and put together slowly: what tests say of layouts, written without the code that reads them. */
record NdArray(float[] values, int... dims) {
    NdArray reshape(int... dims) { return new NdArray(values, dims); }

    /** Axis i of the result is axis order[i] of this. */
    NdArray permute(int... order) {
        int[] to = new int[dims.length];
        for (int i = 0; i < to.length; i++) to[i] = dims[order[i]];
        var permuted = new float[values.length];
        int[] index = new int[dims.length];
        for (int at = 0; at < permuted.length; at++) {
            int rest = at;
            for (int i = to.length - 1; i >= 0; rest /= to[i--]) index[order[i]] = rest % to[i];
            int from = 0;
            for (int i = 0; i < dims.length; i++) from = from * dims[i] + index[i];
            permuted[at] = values[from];
        }
        return new NdArray(permuted, to);
    }

    NdArray rows(int from, int to) {
        int row = values.length / dims[0];
        int[] fewer = dims.clone();
        fewer[0] = to - from;
        return new NdArray(Arrays.copyOfRange(values, from * row, to * row), fewer);
    }

    /** Row i, without its axis. */
    NdArray row(int i) { return rows(i, i + 1).reshape(Arrays.copyOfRange(dims, 1, dims.length)); }

    static NdArray concat(NdArray... parts) {
        int length = 0, rows = 0;
        for (var part : parts) {
            length += part.values.length;
            rows += part.dims[0];
        }
        var all = new float[length];
        int at = 0;
        for (var part : parts) {
            System.arraycopy(part.values, 0, all, at, part.values.length);
            at += part.values.length;
        }
        int[] dims = parts[0].dims.clone();
        dims[0] = rows;
        return new NdArray(all, dims);
    }

    NdArray map(UnaryOperator<Double> function) {
        var mapped = new float[values.length];
        for (int i = 0; i < mapped.length; i++) mapped[i] = (float) (double) function.apply((double) values[i]);
        return new NdArray(mapped, dims);
    }
}
