package inkstone.tensor.cuda;

import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;

/**
 * Products of matrices on the tensor cores (gemm.cuh), for {@link CudaLinear}, {@link CudaExperts} and {@link CudaConvolution}: which kernel, how many blocks, and in how many parts the sums are taken where the
 * tiles of the result alone would leave multiprocessors idle. Activations are rounded to bfloat16 in scratch memory; so are float weights whose rows do not begin at multiples of 16 bytes.
 */
final class CudaProducts {
    /** Columns of a tile, rows of the tall tile and of the short one, and what is summed between two barriers: as in gemm.cuh. */
    static final int COLUMNS = 128, TALL = 128, SLICE = 32;
    private static final int SHORT = 64;
    static final int BLOCK = 128, SHARED = 48 << 10;
    private static final int ELEMENTS_BLOCK = 256;
    /** Parts that a sum over k is taken in at most, and the slices that a part has at least: below, the parts' own sums cost more than the idle multiprocessors. */
    private static final int MOST_PARTS = 16, LEAST_SLICES = 8;

    private final Gpu gpu;
    private final Map<DType, Kernel> tall = new EnumMap<>(DType.class), low = new EnumMap<>(DType.class), input = new EnumMap<>(DType.class), rounding = new EnumMap<>(DType.class);
    private final Kernel weight, sumParts, columnSums;

    /** Rows of tiles, and where each of them is told its expert; {@link #NONE} for a plain product. Addresses on the device. */
    record Groups(int tileRows, long tileCount, long order, long offsets, long tiles) {}

    static final Groups NONE = new Groups(0, 0, 0, 0, 0);

    CudaProducts(Gpu gpu) {
        this.gpu = gpu;
        for (var format : DType.values()) {
            if (format == DType.I32) continue;
            var name = format.name().toLowerCase(Locale.ROOT);
            tall.put(format, gpu.kernel("gemm_" + name, "gemm_%s_128".formatted(name)));
            low.put(format, gpu.kernel("gemm_" + name, "gemm_%s_64".formatted(name)));
            input.put(format, gpu.kernel("gemm_" + name, "gemm_%s_input".formatted(name)));
            if (format.isFloat()) rounding.put(format, gpu.kernel("gemm", "bf16_rows_" + name));
        }
        weight = gpu.kernel("gemm", "gemm_weight");
        sumParts = gpu.kernel("gemm", "sum_product_parts");
        columnSums = gpu.kernel("gemm", "column_sums");
    }

    // ---- scratch memory -----------------------------------------------------------------------------------------------------------------------------------

    /** Numbers of a row in bfloat16: whole chunks of 16 bytes. */
    static long padded(int columns) { return Math.ceilDiv(columns, 8) * 8L; }

    /** Bytes of a matrix in bfloat16, a multiple of 256. */
    static long roundedBytes(long rows, int columns) { return aligned(rows * padded(columns) * 2); }

    static long aligned(long bytes) { return Math.ceilDiv(bytes, 256L) * 256; }

    /** Bytes of scratch memory that weights of [rows, in] need: none where the product reads them as they are. */
    static long weightBytes(DType format, long rows, int in) { return format.isFloat() && in % 8 != 0 ? roundedBytes(rows, in) : 0; }

    /** Rows of F32 [n, columns], or row order[i] / used of them, as bfloat16 at {@code to}. */
    void round(long to, Tensor x, long order, int used, long rows) { round(to, x.dtype(), x.data().address(), order, used, rows, x.shape().last()); }

    void round(long to, DType format, long from, long order, int used, long rows, int columns) {
        long chunks = rows * (padded(columns) / 8);
        rounding.get(format).with(to).with(from).with(order).with(used).with(rows).with(columns).with((int) padded(columns)).launch(Math.ceilDiv(chunks, ELEMENTS_BLOCK), ELEMENTS_BLOCK);
    }

    // ---- y = x Wᵀ + bias and dx += dy W -------------------------------------------------------------------------------------------------------------------

    /** Which way weights [out, in] are multiplied: by rows of in, or transposed by rows of out. */
    enum Direction { FORWARD, INPUT }

    /** Rows of the tiles for m rows, of which each of so many groups has its share. */
    int tileRows(Direction direction, long m, int groups, int n) {
        if (direction == Direction.INPUT) return TALL;
        long tiles = Math.ceilDiv(m, TALL) * Math.ceilDiv(n, COLUMNS);
        return m / groups <= SHORT || 2 * tiles < 3L * gpu.multiprocessors ? SHORT : TALL;
    }

    /** Slices of k in each part of the sum, for so many tiles of the result: two blocks for each multiprocessor, if k is long enough. */
    int split(long tiles, int k) {
        int slices = Math.ceilDiv(k, SLICE);
        long parts = Math.clamp(2L * gpu.multiprocessors / Math.max(1, tiles), 1, Math.clamp(slices / LEAST_SLICES, 1, MOST_PARTS));
        return Math.max(1, Math.ceilDiv(slices, (int) parts));
    }

    /** Bytes for the parts of a product of so many rows and columns; 0 where it is made in one. */
    long partBytes(Direction direction, long m, int n, int k) {
        return partBytes(Math.ceilDiv(m, tileRows(direction, m, 1, n)) * Math.ceilDiv(n, COLUMNS), m, n, k);
    }

    long partBytes(long tiles, long m, int n, int k) {
        int parts = Math.ceilDiv(Math.ceilDiv(k, SLICE), split(tiles, k));
        return parts <= 1 ? 0 : aligned(parts * m * n * Float.BYTES);
    }

    /**
     * c = a Wᵀ + bias, or c += a W, or for the rows of each expert the same with its W.
     *
     * @param a             bfloat16 [m, in or out] in scratch memory
     * @param weight        [out, in] or [experts, out, in]
     * @param roundedWeight where {@link #weightBytes} are free
     * @param parts         where {@link #partBytes} are free
     */
    void rows(Direction direction, long c, boolean accumulate, long a, long m, Tensor weight, long roundedWeight, Tensor bias, Groups groups, long parts) {
        int in = weight.shape().last(), out = weight.shape().dim(weight.shape().rank() - 2), n = direction == Direction.FORWARD ? out : in, k = direction == Direction.FORWARD ? in : out;
        var format = weight.dtype();
        long address = weight.data().address(), pitch = format.bytes(in);
        if (weightBytes(format, 1, in) > 0) {
            round(roundedWeight, format, address, 0, 1, weight.shape().elements() / in, in);
            format = DType.BF16;
            address = roundedWeight;
            pitch = 2 * padded(in);
        }
        boolean grouped = groups != NONE;
        int tileRows = grouped ? groups.tileRows : tileRows(direction, m, 1, n);
        long tiles = (grouped ? groups.tileCount : Math.ceilDiv(m, tileRows)) * Math.ceilDiv(n, COLUMNS);
        int split = grouped ? Math.ceilDiv(k, SLICE) : split(tiles, k), number = Math.ceilDiv(Math.ceilDiv(k, SLICE), split);
        boolean whole = number == 1;
        (direction == Direction.INPUT ? input : tileRows == TALL ? tall : low).get(format)
            .with(whole ? c : parts).with(a).with(address).with(whole ? bias : null).with(groups.order).with(groups.offsets).with(groups.tiles)
            .with(padded(k)).with(pitch).with((int) m).with(n).with(k).with(split).with(whole && accumulate).launch(tiles, number, 1, BLOCK, SHARED);
        if (!whole) sum(c, parts, bias, m * n, n, number, accumulate);
    }

    void sum(long c, long parts, Tensor bias, long count, int n, int number, boolean accumulate) {
        sumParts.with(c).with(parts).with(bias).with(count).with(n).with(number).with(accumulate).launch(Math.ceilDiv(count, ELEMENTS_BLOCK), ELEMENTS_BLOCK);
    }

    // ---- dW += dyᵀ x --------------------------------------------------------------------------------------------------------------------------------------

    /** Bytes for the parts of the gradient of weights [out, in] over so many rows. */
    long weightPartBytes(int out, int in, int rows) { return partBytes(weightTiles(out, in), out, in, rows); }

    private static long weightTiles(int out, int in) { return (long) Math.ceilDiv(out, TALL) * Math.ceilDiv(in, COLUMNS); }

    /**
     * dWeight += dyᵀ x, both bfloat16 [rows, ..] in scratch memory.
     *
     * @param experts how many weights dWeight holds, whose rows lie between offsets; 0: one, of all rows
     */
    void weight(Tensor dWeight, long dy, int out, long x, int in, int rows, int experts, long offsets, long parts) {
        long tiles = weightTiles(out, in);
        int split = experts > 0 ? Math.ceilDiv(rows, SLICE) : split(tiles, rows), number = Math.ceilDiv(Math.ceilDiv(rows, SLICE), split);
        boolean whole = number == 1;
        weight.with(whole ? dWeight.data().address() : parts).with(dy).with(x).with(offsets).with(padded(out)).with(padded(in)).with(out).with(in).with(rows).with(split).with(whole)
            .launch(tiles, number, Math.max(1, experts), BLOCK, SHARED);
        if (!whole) sum(dWeight.data().address(), parts, null, (long) out * in, in, number, true);
    }

    /** Parts that column sums over so many rows are taken in. */
    private int columnParts(int rows, int columns) {
        return (int) Math.clamp(4L * gpu.multiprocessors / Math.ceilDiv(columns, 32), 1, Math.clamp(rows / 64, 1, 64));
    }

    /** Bytes for the parts of {@link #bias}. */
    long biasPartBytes(int rows, int columns) {
        int parts = columnParts(rows, columns);
        return parts == 1 ? 0 : aligned((long) parts * columns * Float.BYTES);
    }

    /** dBias += column sums of dy F32 [rows, columns]; with experts each of its own rows. */
    void bias(Tensor dBias, Tensor dy, int experts, long order, long offsets, long parts) {
        int rows = dy.shape().dim(0), columns = dy.shape().last(), number = experts > 0 ? 1 : columnParts(rows, columns);
        boolean whole = number == 1;
        columnSums.with(whole ? dBias.data().address() : parts).with(dy).with(order).with(offsets).with(rows).with(columns).with(whole)
            .launch(Math.ceilDiv(columns, 32), number, Math.max(1, experts), ELEMENTS_BLOCK, 0);
        if (!whole) sum(dBias.data().address(), parts, null, columns, columns, number, true);
    }
}
