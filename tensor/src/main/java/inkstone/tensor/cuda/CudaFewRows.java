package inkstone.tensor.cuda;

import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;

/** Linear maps of up to {@link #MOST_ROWS} rows, as in decoding: the weights are read once, and how fast that goes is all that counts. See gemv.cuh. */
final class CudaFewRows {
    static final int MOST_ROWS = 8;

    /** Kernels take 1, 2, 4 or 8 rows. */
    private static final int SIZES = 4;
    /** As in gemv.cuh: elements of a row that a warp takes at a time, and how many such pieces are on their way. */
    private static final int PIECE = 1024, STAGES = 2;
    /** Warps of a multiprocessor that keep its memory busy. */
    private static final int BUSY_WARPS = 24;
    /** Warps of a block of the kernels for weights that are not quantized; of those that share rows no more. */
    private static final int PLAIN_WARPS = 8;

    private final Gpu gpu;
    private final Gpu.Scratch rounded;
    private final Kernel roundRows;
    private final Map<DType, Kernel[]> multiply = new EnumMap<>(DType.class);

    CudaFewRows(Gpu gpu) {
        this.gpu = gpu;
        rounded = gpu.scratch();
        roundRows = gpu.kernel("gemv", "round_rows");
        for (var format : DType.values()) {
            if (format == DType.I32) continue;
            var name = format.name().toLowerCase(Locale.ROOT);
            var kernels = new Kernel[SIZES];
            for (int i = 0; i < SIZES; i++) kernels[i] = gpu.kernel(format.isQuantized() ? "gemv_" + name : "gemv", "gemv%d_%s".formatted(1 << i, name));
            multiply.put(format, kernels);
        }
    }

    /** y = x Wᵀ + bias. y F32 [n, out], x F32 [n, in] with n at most {@link #MOST_ROWS}, weight [out, in] any weight format, bias F32 [out] or null. */
    void linear(Tensor y, Tensor x, Tensor weight, Tensor bias) {
        if (x.shape().dim(0) > 0) multiply(y, x, weight, bias, null);
    }

    /** y[i] = W x[i / (m / n)]ᵀ + b of expert experts[i], each row by itself. As {@link inkstone.tensor.Kernels#expertLinear}, for m that a grid's y holds. */
    void expertLinear(Tensor y, Tensor x, Tensor weight, Tensor bias, Tensor experts) {
        if (y.shape().dim(0) > 0) multiply(y, x, weight, bias, experts);
    }

    private void multiply(Tensor y, Tensor x, Tensor weight, Tensor bias, Tensor experts) {
        int n = x.shape().dim(0), exponent = experts != null ? 0 : Integer.SIZE - Integer.numberOfLeadingZeros(n - 1), size = 1 << exponent, together = size == 8 ? 4 : 2;
        int rank = weight.shape().rank(), out = weight.shape().dim(rank - 2), in = weight.shape().last(), products = experts == null ? 1 : y.shape().dim(0);
        int groups = Math.ceilDiv(out, together);
        var format = weight.dtype();
        var kernel = multiply.get(format)[exponent];
        int threads, shared = 0;
        long blocks;
        if (format.isQuantized()) {
            long source = x.data().address(), bytesOfX = 0;
            if (size == 1) {
                bytesOfX = roundedBytes(in);
            } else {
                long count = (long) n * in;
                source = rounded.address(roundedBytes(count));
                roundRows.with(source).with(x).with(count).launch(Math.ceilDiv(count, 8 * 128), 256);
            }
            // The piece of each row, what its beginning lies behind an address of 16 bytes, and a word; two sets of partial sums.
            int stage = Math.ceilDiv((int) format.bytes(PIECE) + 15 + 4, 16) * 16, sharedOfWarp = STAGES * together * stage + 2 * size * together * Float.BYTES;
            // Blocks as large as fill all multiprocessors once: each makes its own bytes of a single row of x, and goes on to further rows of the weights.
            int warps = size == 8 ? 8 : size == 4 ? 16 : 32;
            while (warps > 4 && warps * sharedOfWarp + bytesOfX > gpu.sharedMemory) warps /= 2;
            int team = team((long) groups * products, Math.ceilDiv(in, PIECE), Math.min(BUSY_WARPS, warps));
            while (warps > 4 && Math.ceilDiv((long) groups * products * team, warps) < gpu.multiprocessors * 3L / 4) warps /= 2;
            team = Math.min(team, warps);
            threads = 32 * warps;
            shared = Math.toIntExact(warps * sharedOfWarp + bytesOfX);
            blocks = Math.min(Math.max(1, gpu.multiprocessors / products), Math.ceilDiv(groups, warps / team));
            kernel.with(y).with(source).with(weight).with(bias).with(out).with(in).with(team);
        } else {
            int bytes = format.blockBytes, team = team((long) groups * products, Math.ceilDiv(in, Gpu.WARP * 16 / bytes), BUSY_WARPS);
            boolean aligned = weight.data().address() % 16 == 0 && (long) in * bytes % 16 == 0;
            threads = 32 * PLAIN_WARPS;
            blocks = Math.ceilDiv(groups, PLAIN_WARPS / team);
            kernel.with(y).with(x).with(weight).with(bias).with(out).with(in).with(team).with(aligned);
        }
        if (size > 1) kernel.with(n);
        else kernel.with(experts).with(experts == null ? 1 : weight.shape().dim(0)).with(products / n);
        kernel.launch(blocks, products, 1, threads, shared);
    }

    /** How many warps share rows, a power of two: as many as keep every multiprocessor busy with so many warps, while each has something to do. */
    private int team(long groups, int pieces, int busy) {
        int team = 1;
        while (team < PLAIN_WARPS && 2 * team <= pieces && groups * team < (long) gpu.multiprocessors * busy) team *= 2;
        return team;
    }

    /** Of numbers in eight bits: a byte each, a sum for each 16 and a scale for each 32. */
    private static long roundedBytes(long count) { return count + count / 4 + count / 8; }
}
