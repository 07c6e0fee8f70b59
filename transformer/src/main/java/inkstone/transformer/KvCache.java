package inkstone.transformer;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * Keys and values of every layer in pages of {@link #PAGE_SIZE} tokens (Kwon et al. 2023, arXiv:2309.06180), allocated once. A sequence holds pages, not memory of
 * its own; what cannot be had from the free list cannot be had. One thread.
 */
public final class KvCache implements AutoCloseable {
    /** Tokens in a page. */
    public static final int PAGE_SIZE = 32;

    private final Backend backend;
    private final List<MemorySegment> memory = new ArrayList<>();
    private final List<Tensor> keys = new ArrayList<>(), values = new ArrayList<>();
    private final ArrayDeque<Integer> free = new ArrayDeque<>();
    private final int pages;

    /** Room for {@code tokens} tokens (rounded up to pages) in {@code dtype}, F32 or F16. */
    public KvCache(Backend backend, ModelConfig config, DType dtype, int tokens) {
        this.backend = backend;
        this.pages = Math.ceilDiv(tokens, PAGE_SIZE);
        var shape = config.attention();
        for (int layer = 0; layer < config.layers(); layer++) {
            keys.add(table(dtype, shape.keyDim()));
            values.add(table(dtype, shape.valueDim()));
        }
        for (int page = 0; page < pages; page++) free.add(page);
    }

    /** What the cache for {@code tokens} tokens would take. */
    static long bytes(ModelConfig config, DType dtype, int tokens) {
        long positions = (long) Math.ceilDiv(tokens, PAGE_SIZE) * PAGE_SIZE;
        return config.layers() * (dtype.bytes(positions * config.attention().keyDim()) + dtype.bytes(positions * config.attention().valueDim()));
    }

    private Tensor table(DType dtype, int width) {
        var segment = backend.allocate(dtype.bytes((long) pages * PAGE_SIZE * width));
        memory.add(segment);
        return Tensor.of(dtype, segment, pages, PAGE_SIZE, width);
    }

    /** F32 or F16 [pages, PAGE_SIZE, kvHeads · headDim] */
    public Tensor keys(int layer) { return keys.get(layer); }
    /** F32 or F16 [pages, PAGE_SIZE, kvHeads · valueHeadDim] */
    public Tensor values(int layer) { return values.get(layer); }

    public int pages() { return pages; }
    public int freePages() { return free.size(); }
    public long bytes() { return memory.stream().mapToLong(MemorySegment::byteSize).sum(); }

    /** A free page, or -1 where there is none. */
    int take() { return free.isEmpty() ? -1 : free.poll(); }

    void give(int page) { free.push(page); }

    @Override public void close() { memory.forEach(backend::free); memory.clear(); }
}
