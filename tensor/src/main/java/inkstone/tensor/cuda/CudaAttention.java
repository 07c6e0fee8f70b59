package inkstone.tensor.cuda;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Attention within a batch and over a paged cache. Many rows of a sequence go through tensor cores in tiles ("flash attention", Dao 2023, arXiv:2307.08691), few rows one by one with their
 * positions split over the GPU ("flash decoding"). A batch may mix both, and how is known on the device only: both kernels are launched, and each leaves to the other what is not its own, by
 * the same rule ({@link #manyRows}). Grids depend on shapes alone, so that a step can be recorded and replayed at any position.
 */
final class CudaAttention {
    private static final int WARP_COLUMNS = 16, DECODE_BLOCK = 128, DECODE_WARPS = 4, ROUND_BLOCK = 256, COMBINE_BLOCK = 128;
    /** Blocks of a decoding kernel and of a flash kernel that a multiprocessor has at a time. */
    private static final int DECODE_RESIDENT = 4, FLASH_RESIDENT = 2;
    /** How many times the blocks that run at once may be launched for rows that may be there. */
    private static final int IDLE_WAVES = 8;
    /** Positions below which a split costs more than it saves. */
    private static final int DECODE_SHARE = 64, FLASH_SHARE = 256;
    /** Columns, rows times query heads of a key head, from which a tile of 64 is worth while. */
    private static final int MANY_COLUMNS = 32;
    /** Query heads of a key head from which multiplying and adding takes longer than reading F16 keys, so that even single rows go through tensor cores. */
    private static final int MANY_HEADS = 5;
    /** Head dims up to which a row goes through a decoding kernel: 32 lanes of 8 numbers. */
    private static final int DECODE_DIM = 256;
    /** Half of a Hopper multiprocessor's shared memory: two copies of a tile are worth while only where a second block fits beside. */
    private static final int TWO_STAGES = 112 << 10;

    /** How a flash kernel cuts its work: warpColumns x keyWarps warps, of 16 columns each, so many keys in a tile and numbers of a value head; see attention_flash.cuh. */
    private record Tile(int warpColumns, int keyWarps, int keys, int values) {
        int columns() { return WARP_COLUMNS * warpColumns; }
        int block() { return Gpu.WARP * warpColumns * keyWarps; }

        /** Bytes of shared memory. */
        int shared(AttentionShape shape, int stages) {
            int depth = padded(shape.headDim()) + 8, width = Math.min(values, padded(shape.valueHeadDim())) + 8;
            return Math.max(2 * (columns() * depth + stages * keys * (depth + width)), keyWarps > 1 ? 4 * columns() * (values + 8) : 0);
        }

        @Override public String toString() { return "%dx%d".formatted(columns(), values); }
    }

    /** By width of values. */
    private static final List<Tile> TILES = List.of(new Tile(4, 1, 64, 64), new Tile(4, 1, 64, 128), new Tile(4, 1, 32, 256));
    /** The same with twice the columns, which halves what is read of keys and values; where those are copied without the threads, because one such block fills a multiprocessor. */
    private static final List<Tile> LARGE = List.of(new Tile(8, 1, 64, 64), new Tile(8, 1, 64, 128));
    /** For heads wider than {@link #DECODE_DIM}, as of latents. */
    private static final Tile WIDE = new Tile(2, 2, 32, 256);
    /** For single rows with many heads on a key head, over F16. */
    private static final Tile FEW = new Tile(1, 4, 64, 128);

    private final Gpu gpu;
    private final Kernel round, combine;
    private final Map<String, Kernel> kernels = new HashMap<>();
    private final Gpu.Scratch scratch;

    CudaAttention(Gpu gpu) {
        this.gpu = gpu;
        round = gpu.kernel("attention_parts", "attention_round");
        combine = gpu.kernel("attention_parts", "attention_combine");
        scratch = gpu.scratch();
    }

    private Kernel kernel(String file, String name) { return kernels.computeIfAbsent(name, n -> gpu.kernel(file, n)); }

    /** @param source packed, cross, or the format of a cache */
    private Kernel flash(String source, Tile tile) { return kernel("attention_flash_%s_%d".formatted(source, tile.values), "flash_%s_%s".formatted(source, tile)); }

    void attention(Tensor y, Tensor q, Tensor k, Tensor v, Tensor starts, AttentionShape shape) {
        int n = q.shape().dim(0), keyDim = padded(shape.headDim()), valueWidth = padded(shape.valueHeadDim());
        var plan = new Plan(tile(shape, n, true), shape, n, n, true);
        long heads = (long) n * shape.kvHeads(), keyBytes = 2 * heads * keyDim, keys = scratch.address(keyBytes + 2 * heads * valueWidth), values = keys + keyBytes;
        round(keys, k, heads, shape.headDim(), keyDim);
        round(values, v, heads, shape.valueHeadDim(), valueWidth);
        flash("packed", plan.tile).with(y).with(q).with(keys).with(values).with(starts).with(shape.sinks()).with(n).with(shape.heads()).with(shape.kvHeads())
            .with(shape.headDim()).with(shape.valueHeadDim()).with(keyDim).with(valueWidth).with(shape.scale()).with(shape.window()).with(shape.softCap()).with(shape.causal())
            .with(plan.headTiles).with(plan.groupTile).with(plan.tileRows).with(plan.slices).with(plan.stages).launch(plan.blocks, 1, 1, plan.tile.block(), plan.shared);
    }

    void crossAttention(Tensor y, Tensor q, Tensor k, Tensor v, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) {
        int n = q.shape().dim(0), keyRows = k.shape().dim(0), keyDim = padded(shape.headDim()), valueWidth = padded(shape.valueHeadDim());
        if (n == 0) return;
        var plan = new Plan(tile(shape, n, true), shape, n, n, true);
        long heads = (long) keyRows * shape.kvHeads(), keyBytes = 2 * heads * keyDim, keys = scratch.address(keyBytes + 2 * heads * valueWidth), values = keys + keyBytes;
        round(keys, k, heads, shape.headDim(), keyDim);
        round(values, v, heads, shape.valueHeadDim(), valueWidth);
        flash("cross", plan.tile).with(y).with(q).with(keys).with(values).with(lengths).with(bias).with(n).with(n / sequences).with(keyRows / sequences).with(shape.heads())
            .with(shape.kvHeads()).with(shape.headDim()).with(shape.valueHeadDim()).with(keyDim).with(valueWidth).with(shape.scale())
            .with(plan.headTiles).with(plan.groupTile).with(plan.tileRows).with(plan.slices).with(plan.stages).launch(plan.blocks, 1, 1, plan.tile.block(), plan.shared);
    }

    private void round(long y, Tensor x, long heads, int dims, int padded) {
        round.with(y).with(x).with(heads).with(dims).with(padded).launch(Math.ceilDiv(heads * (padded / 8), ROUND_BLOCK), ROUND_BLOCK);
    }

    void pagedAttention(Tensor y, Tensor q, Tensor keys, Tensor values, Tensor positions, Tensor sequences, Tensor pageTable, AttentionShape shape) {
        int n = q.shape().dim(0), lines = pageTable.shape().dim(0), rowsOfSequence = Math.ceilDiv(n, Math.max(1, lines)), group = shape.heads() / shape.kvHeads();
        boolean copies = keys.dtype() == DType.F16;
        boolean few = copies && group >= MANY_HEADS && rowsOfSequence * group <= FEW.columns() && shape.headDim() <= DECODE_DIM && shape.valueHeadDim() <= FEW.values;
        var call = new Paged(y, q, keys, values, positions, sequences, pageTable, shape, few ? 1 : manyRows(shape));
        if (call.many > 1 && (lines > 1 || n < call.many)) decode(call);
        if (n >= call.many) flash(call, few ? new Plan(FEW, shape, n, rowsOfSequence, true) : new Plan(tile(shape, n, copies), shape, n, n, copies));
    }

    /** Rows of a sequence from which they are a matter for tiles; 1: always. */
    private static int manyRows(AttentionShape shape) {
        if (Math.max(shape.headDim(), shape.valueHeadDim()) > DECODE_DIM) return 1;
        return Math.ceilDiv(MANY_COLUMNS, shape.heads() / shape.kvHeads());
    }

    /** The arguments of one call. many: rows of a sequence from which the flash kernel takes them. */
    private record Paged(Tensor y, Tensor q, Tensor keys, Tensor values, Tensor positions, Tensor sequences, Tensor pageTable, AttentionShape shape, int many) {
        int n() { return q.shape().dim(0); }
        long capacity() { return (long) pageTable.shape().last() * keys.shape().dim(1); }
        String format() { return keys.dtype().name().toLowerCase(Locale.ROOT); }

        Kernel arguments(Kernel kernel, Parts parts, int splits, int headTiles, int groupTile) {
            int pageSize = keys.shape().dim(1), shift = Integer.bitCount(pageSize) == 1 ? Integer.numberOfTrailingZeros(pageSize) : -1;
            return kernel.with(y).with(q).with(keys).with(values).with(positions).with(sequences).with(pageTable).with(shape.sinks()).with(parts.mixes).with(parts.states).with(parts.targets)
                .with(splits).with(n()).with(shape.heads()).with(shape.kvHeads()).with(shape.headDim()).with(shape.valueHeadDim()).with(shape.scale()).with(shape.window())
                .with(shape.softCap()).with(pageSize).with(shift).with(pageTable.shape().last()).with(many).with(headTiles).with(groupTile).with(aligned(keys, shape.headDim()))
                .with(aligned(values, shape.valueHeadDim()));
        }
    }

    /** Whether each head begins at a multiple of 16 bytes. */
    private static boolean aligned(Tensor cache, int headDim) {
        return cache.dtype() != DType.Q8_0 && cache.data().address() % 16 == 0 && cache.dtype().bytes(headDim) % 16 == 0;
    }

    private void decode(Paged call) {
        var shape = call.shape;
        int group = shape.heads() / shape.kvHeads(), heads = group <= 2 ? group : group <= 4 ? 4 : 8, headTiles = Math.ceilDiv(group, heads);
        int lines = call.pageTable.shape().dim(0), slots = (int) Math.min(call.n(), (long) (call.many - 1) * lines), tiles = shape.kvHeads() * headTiles;
        long blocks = (long) slots * tiles, items = (long) slots * shape.heads();
        // beside prompts being read most sequences have one row: splits are for so many, as long as the blocks for further rows, which find none, take no time
        int splits = Math.min(splits((long) Math.min(call.n(), call.n() < call.many ? call.n() : lines) * tiles, DECODE_RESIDENT, call.capacity(), DECODE_SHARE),
            splits(blocks, DECODE_RESIDENT * IDLE_WAVES, call.capacity(), DECODE_SHARE));
        int lanes = lanes(Math.ceilDiv(Math.max(shape.headDim(), shape.valueHeadDim()), 8));
        var parts = parts(items, splits, shape.valueHeadDim());
        call.arguments(kernel("attention_decode_" + call.format(), "decode_%s_%d".formatted(call.format(), heads)), parts, splits, headTiles, heads).with(lanes)
            .launch(blocks, splits, 1, DECODE_BLOCK, heads * (8 * lanes + DECODE_WARPS * (8 * lanes + 2)) * Float.BYTES);
        combine(call.y, parts, items, splits, shape.valueHeadDim());
    }

    private void flash(Paged call, Plan plan) {
        int splits = splits(plan.blocks, FLASH_RESIDENT, call.capacity(), FLASH_SHARE);
        long items = plan.blocks / plan.slices * plan.tile.columns();
        var parts = parts(items, splits, call.shape.valueHeadDim());
        call.arguments(flash(call.format(), plan.tile), parts, splits, plan.headTiles, plan.groupTile)
            .with(plan.tileRows).with(plan.slices).with(plan.stages).launch(plan.blocks, splits, 1, plan.tile.block(), plan.shared);
        combine(call.y, parts, items, splits, call.shape.valueHeadDim());
    }

    /** @param copies whether keys and values are copied without the threads, and so can be ahead */
    private Tile tile(AttentionShape shape, int n, boolean copies) {
        if (Math.max(shape.headDim(), shape.valueHeadDim()) > DECODE_DIM) return WIDE;
        int size = shape.valueHeadDim() <= 64 ? 0 : shape.valueHeadDim() <= 128 ? 1 : 2;
        if (copies && size < LARGE.size()) {
            var large = new Plan(LARGE.get(size), shape, n, n, true);
            if (large.stages == 2 && large.blocks >= gpu.multiprocessors) return large.tile;
        }
        return TILES.get(size);
    }

    /** How a flash kernel is launched for n rows. */
    private final class Plan {
        final Tile tile;
        final int headTiles, groupTile, tileRows, slices, stages, shared;
        final long blocks;

        /** @param mostRows how many rows a tile is to hold at most */
        Plan(Tile tile, AttentionShape shape, int n, int mostRows, boolean copies) {
            this.tile = tile;
            int group = shape.heads() / shape.kvHeads();
            headTiles = Math.ceilDiv(group, tile.columns());
            groupTile = Math.ceilDiv(group, headTiles);
            tileRows = Math.clamp(mostRows, 1, tile.columns() / groupTile);
            slices = Math.ceilDiv(shape.valueHeadDim(), tile.values);
            stages = copies && tile.shared(shape, 2) <= Math.min(TWO_STAGES, gpu.sharedMemory) ? 2 : 1;
            shared = tile.shared(shape, stages);
            if (tile == WIDE && shared > gpu.sharedMemory) {
                throw new UnsupportedOperationException("cuda: attention with heads of %d and %d needs %,d bytes of shared memory, a block of %s has %,d"
                    .formatted(shape.headDim(), shape.valueHeadDim(), shared, gpu.name, gpu.sharedMemory));
            }
            blocks = (long) Math.ceilDiv(n, tileRows) * shape.kvHeads() * headTiles * slices;
        }
    }

    /** Into how many shares positions are split, so that all blocks run at once. */
    private int splits(long blocks, int resident, long capacity, int share) {
        if (blocks == 0) return 1;
        return (int) Math.clamp(Math.min((long) resident * gpu.multiprocessors / blocks, Math.ceilDiv(capacity, share)), 1L, 512L);
    }

    /** What shares leave to be merged; see attention_decode.cuh. */
    private record Parts(long mixes, long states, long targets) {}

    private Parts parts(long items, int splits, int valueDim) {
        if (splits == 1) return new Parts(0, 0, 0);
        long mixes = items * splits * valueDim * Float.BYTES, states = items * splits * 2 * Float.BYTES, address = scratch.address(mixes + states + items * Integer.BYTES);
        return new Parts(address, address + mixes, address + mixes + states);
    }

    private void combine(Tensor y, Parts parts, long items, int splits, int valueDim) {
        if (splits > 1) combine.with(y).with(parts.mixes).with(parts.states).with(parts.targets).with(splits).with(valueDim).launch(items, 1, 1, COMBINE_BLOCK, splits * Float.BYTES);
    }

    private static int padded(int dim) { return Math.ceilDiv(dim, 16) * 16; }

    /** The power of two that holds so many. */
    private static int lanes(int pieces) { return pieces <= 1 ? 1 : Integer.highestOneBit(pieces - 1) << 1; }
}
