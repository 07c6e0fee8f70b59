package inkstone.transformer;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * Keys and values of every layer in pages of {@link #PAGE_SIZE} tokens (Kwon et al. 2023, arXiv:2309.06180), allocated once, as one block of each backend that layers lie on: no more memory is ever taken. A sequence
 * holds pages, not memory of its own; what cannot be had from the free list cannot be had. Sequences that begin alike may hold the same pages, which are counted;
 * a page that several hold is full and never written again. One thread.
 *
 * <p>Layers of a recurrent model keep states of one size in place of keys and values, or beside them. There a page is a whole context long, and holds one sequence's states.
 */
public final class KvCache implements AutoCloseable {
    /** Tokens in a page of keys and values. */
    public static final int PAGE_SIZE = 32;

    /** What begins in the block at a multiple of this suits every kernel's loads. */
    private static final long ALIGNMENT = 256;

    /** One block, and how much of it is handed out. */
    private static final class Block {
        private final Backend owner;
        private long bytes, used;
        private MemorySegment memory;

        Block(Backend owner) { this.owner = owner; }

        Tensor table(DType dtype, int... dims) {
            long elements = 1;
            for (int dim : dims) elements *= dim;
            var table = Tensor.of(dtype, memory.asSlice(used, dtype.bytes(elements)), dims);
            used += aligned(dtype.bytes(elements));
            return table;
        }
    }

    private final List<Block> blocks = new ArrayList<>();
    private final List<Tensor> keys = new ArrayList<>(), values = new ArrayList<>();
    private final List<List<Tensor>> states = new ArrayList<>();
    private final ArrayDeque<Integer> free = new ArrayDeque<>();
    private final boolean recurrent;
    private final int pageSize, pages;
    /** How many sequences hold each page. */
    private final int[] holders;

    /**
     * Room for {@code tokens} tokens, rounded up to pages.
     *
     * @param dtype         of keys and values, F32, F16 or Q8_0; states are F32
     * @param contextLength tokens that a sequence may have at most
     */
    public KvCache(Backend backend, ModelConfig config, DType dtype, int tokens, int contextLength) {
        require(config.architecture(), config, dtype);
        this.recurrent = recurrent(config);
        this.pageSize = recurrent ? contextLength : PAGE_SIZE;
        this.pages = Math.ceilDiv(tokens, pageSize);
        this.holders = new int[pages];
        for (int layer = 0; layer < config.layers(); layer++) block(backend.ofLayer(layer)).bytes += bytes(config, dtype, tokens, contextLength, layer);
        for (var block : blocks) block.memory = block.owner.allocate(block.bytes);
        for (int layer = 0; layer < config.layers(); layer++) {
            var block = block(backend.ofLayer(layer));
            var ofLayer = new ArrayList<Tensor>();
            for (int width : config.stateWidths(layer)) ofLayer.add(block.table(DType.F32, pages, width));
            states.add(ofLayer);
            var attention = config.attention(layer);
            keys.add(attention == null ? null : block.table(dtype, pages, pageSize, attention.keyDim()));
            values.add(attention == null ? null : block.table(dtype, pages, pageSize, attention.valueDim()));
        }
        for (int page = 0; page < pages; page++) free.add(page);
    }

    /** Throws where keys and values of any layer cannot be kept in this format; states always can. The model's name is for the message. */
    public static void require(String model, ModelConfig config, DType dtype) {
        if (dtype != DType.F32 && dtype != DType.F16 && dtype != DType.Q8_0) throw new IllegalArgumentException("a cache is F32, F16 or Q8_0, not " + dtype);
        for (int layer = 0; layer < config.layers(); layer++) {
            var attention = config.attention(layer);
            if (attention == null || attention.headDim() % dtype.blockSize == 0 && attention.valueHeadDim() % dtype.blockSize == 0) continue;
            throw new ModelException("%s needs keys and values of whole blocks of %d for its cache, the heads of %s are %d and %d wide; use f16 (--kv f16)"
                .formatted(dtype, dtype.blockSize, model, attention.headDim(), attention.valueHeadDim()));
        }
    }

    private Block block(Backend owner) {
        for (var block : blocks) if (block.owner == owner) return block;
        blocks.add(new Block(owner));
        return blocks.getLast();
    }

    /** What the cache for {@code tokens} tokens would take. */
    static long bytes(ModelConfig config, DType dtype, int tokens, int contextLength) {
        long bytes = 0;
        for (int layer = 0; layer < config.layers(); layer++) bytes += bytes(config, dtype, tokens, contextLength, layer);
        return bytes;
    }

    /** What one layer of it would take. */
    static long bytes(ModelConfig config, DType dtype, int tokens, int contextLength, int layer) {
        int pageSize = recurrent(config) ? contextLength : PAGE_SIZE, pages = Math.ceilDiv(tokens, pageSize);
        long bytes = 0;
        for (int width : config.stateWidths(layer)) bytes += aligned(DType.F32.bytes((long) pages * width));
        var attention = config.attention(layer);
        if (attention != null) bytes += aligned(dtype.bytes((long) pages * pageSize * attention.keyDim())) + aligned(dtype.bytes((long) pages * pageSize * attention.valueDim()));
        return bytes;
    }

    private static long aligned(long bytes) { return Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT; }

    /** Whether any layer has states. */
    static boolean recurrent(ModelConfig config) {
        for (int layer = 0; layer < config.layers(); layer++) if (config.stateWidths(layer).length > 0) return true;
        return false;
    }

    /** F32, F16 or Q8_0 [pages, pageSize, kvHeads · headDim] */
    public Tensor keys(int layer) { return keys.get(layer); }
    /** F32, F16 or Q8_0 [pages, pageSize, kvHeads · valueHeadDim] */
    public Tensor values(int layer) { return values.get(layer); }
    /** F32 [pages, width], the {@code state}-th of a recurrent layer */
    public Tensor states(int layer, int state) { return states.get(layer).get(state); }

    /** Whether sequences have states, which cannot be taken back to an earlier token. */
    public boolean recurrent() { return recurrent; }
    /** Tokens in a page. */
    public int pageSize() { return pageSize; }
    public int pages() { return pages; }
    public int freePages() { return free.size(); }
    public long bytes() { return blocks.stream().mapToLong(block -> block.bytes).sum(); }

    int pagesInUse() { return pages - free.size(); }

    /** A free page for one holder, or -1 where there is none. */
    int take() {
        if (free.isEmpty()) return -1;
        int page = free.poll();
        holders[page] = 1;
        return page;
    }

    /** One more sequence holds this page. */
    void share(int page) {
        assert holders[page] > 0 : "nobody holds page " + page;
        holders[page]++;
    }

    boolean shared(int page) { return holders[page] > 1; }

    /** One holder less; without any the page is free. */
    void give(int page) {
        assert holders[page] > 0 : "nobody holds page " + page;
        if (--holders[page] == 0) free.push(page);
    }

    @Override public void close() {
        blocks.forEach(block -> block.owner.free(block.memory));
        blocks.clear();
    }
}
