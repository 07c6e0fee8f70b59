package inkstone.tensor;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * A backend of which each block ends where its memory ends, so that a stand-in for a GPU finds a kernel that goes on behind it, and is full of NaN if asked for: what nobody wrote
 * shows. Gives everything back that it handed out, weights too, but not the backend that it computes on.
 */
final class Apart implements Backend {
    private static final long BLOCK = 256, TENSOR = 64;

    private final Backend backend;
    private final boolean poisoned;
    /** Where what was handed out begins -> the block that it ends. */
    private final Map<Long, MemorySegment> blocks = new HashMap<>();

    /** @param poisoned whether fresh memory is NaN instead of 0 */
    Apart(Backend backend, boolean poisoned) {
        this.backend = backend;
        this.poisoned = poisoned;
    }

    @Override public MemorySegment allocate(long bytes) {
        if (bytes == 0) return backend.allocate(0);
        var memory = atEnd(bytes, TENSOR);
        if (poisoned) {
            var nan = new byte[Math.toIntExact(bytes)];
            Arrays.fill(nan, (byte) 0xff);
            backend.upload(memory, MemorySegment.ofArray(nan));
        }
        return memory;
    }

    private MemorySegment atEnd(long bytes, long alignment) {
        long size = Math.ceilDiv(bytes, BLOCK) * BLOCK;
        var block = backend.allocate(size);
        var memory = block.asSlice(size - Math.ceilDiv(bytes, alignment) * alignment, bytes);
        blocks.put(memory.address(), block);
        return memory;
    }

    /** Weights begin at multiples of 256, as they do when a model is loaded. */
    @Override public MemorySegment resident(MemorySegment host) {
        if (host.byteSize() == 0) return backend.allocate(0);
        var memory = atEnd(host.byteSize(), BLOCK);
        backend.upload(memory, host);
        return memory;
    }

    @Override public void free(MemorySegment memory) {
        var block = blocks.remove(memory.address());
        backend.free(block == null ? memory : block);
    }

    @Override public void close() {
        blocks.values().forEach(backend::free);
        blocks.clear();
    }

    @Override public String name() { return backend.name(); }
    @Override public Kernels kernels() { return backend.kernels(); }
    @Override public Gradients gradients() { return backend.gradients(); }
    @Override public void upload(MemorySegment destination, MemorySegment host) { backend.upload(destination, host); }
    @Override public void download(MemorySegment host, MemorySegment source) { backend.download(host, source); }
    @Override public void copy(MemorySegment destination, MemorySegment source) { backend.copy(destination, source); }
    @Override public void clear(MemorySegment memory) { backend.clear(memory); }
    @Override public void synchronize() { backend.synchronize(); }
}
