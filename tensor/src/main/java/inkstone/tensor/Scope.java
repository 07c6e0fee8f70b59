package inkstone.tensor;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * Owns the memory of one step's tensors: a bump arena over a few large chunks. {@link #reset} forgets every tensor and hands out the same
 * addresses again in the same order, so that a repeated step touches the same memory (and can be captured as a CUDA graph).
 * A tensor must not be used after the reset or close of its scope. One thread at a time.
 */
public final class Scope implements AutoCloseable {
    private static final long ALIGNMENT = 64, CHUNK = 1 << 22;

    private final Backend backend;
    private final List<MemorySegment> chunks = new ArrayList<>();
    private int chunk;
    private long used;

    private Scope(Backend backend) { this.backend = backend; }

    /** A scope whose operations record nothing. */
    public static Scope inference(Backend backend) { return new Scope(backend); }

    public Backend backend() { return backend; }

    /** An F32 or I32 tensor whose contents are unspecified until a kernel or {@link Tensor#set} writes them. */
    public Tensor tensor(DType dtype, int... dims) {
        Tensor.require(dtype == DType.F32 || dtype == DType.I32, "a scope holds F32 and I32, not %s", dtype);
        var shape = new Shape(dims);
        return new Tensor(this, shape, dtype, allocate(dtype.bytes(shape.elements())));
    }

    public Tensor floats(float[] values, int... dims) { return tensor(DType.F32, dims).set(values); }

    /** I32 [values.length] */
    public Tensor ints(int... values) { return tensor(DType.I32, values.length).set(values); }

    private MemorySegment allocate(long bytes) {
        long size = Math.max(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
        while (chunk < chunks.size() && used + size > chunks.get(chunk).byteSize()) { chunk++; used = 0; }
        if (chunk == chunks.size()) chunks.add(backend.allocate(Math.max(CHUNK, size)));
        var memory = chunks.get(chunk).asSlice(used, bytes);
        used += size;
        return memory;
    }

    /** For {@link Tensor#local}. */
    Tensor local(Supplier<Tensor> block) {
        int markedChunk = chunk;
        long markedUsed = used;
        var result = block.get();
        chunk = markedChunk;
        used = markedUsed;
        var kept = tensor(result.dtype(), result.shape().toArray());
        backend.copy(kept.data(), result.data());
        return kept;
    }

    /** Bytes this scope holds from its backend, used or not. */
    public long bytes() { return chunks.stream().mapToLong(MemorySegment::byteSize).sum(); }

    public void reset() { chunk = 0; used = 0; }

    @Override public void close() {
        chunks.forEach(backend::free);
        chunks.clear();
        reset();
    }
}
