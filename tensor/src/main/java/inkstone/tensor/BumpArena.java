package inkstone.tensor;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Memory handed out in order from a few large chunks and taken back all at once, or back to a mark. Not thread-safe. */
final class BumpArena implements AutoCloseable {
    private static final long ALIGNMENT = 64, CHUNK = 1 << 22;

    private final Backend backend;
    /** Bytes of a chunk; one that is asked for more is larger. */
    private final long chunkBytes;
    private final List<MemorySegment> chunks = new ArrayList<>();
    private int chunk;
    /** Of the current chunk; of all that is handed out; the most that ever was. */
    private long used, held, most;

    BumpArena(Backend backend) { this(backend, CHUNK); }

    /** @param chunkBytes 0: a chunk for each that is handed out */
    BumpArena(Backend backend, long chunkBytes) {
        this.backend = backend;
        this.chunkBytes = chunkBytes;
    }

    /** How far memory is handed out. */
    record Mark(int chunk, long used, long held) {}

    Mark mark() { return new Mark(chunk, used, held); }

    /** What was handed out since the mark is free again. */
    void release(Mark mark) {
        chunk = mark.chunk();
        used = mark.used();
        held = mark.held();
    }

    MemorySegment allocate(long bytes) {
        long size = Math.max(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
        while (chunk < chunks.size() && used + size > chunks.get(chunk).byteSize()) { chunk++; used = 0; }
        if (chunk == chunks.size()) chunks.add(backend.allocate(Math.max(chunkBytes, size)));
        var memory = chunks.get(chunk).asSlice(used, bytes);
        used += size;
        held += size;
        most = Math.max(most, held);
        return memory;
    }

    /** Bytes held from the backend, used or not. */
    long bytes() { return chunks.stream().mapToLong(MemorySegment::byteSize).sum(); }

    void reset() {
        chunk = 0;
        used = 0;
        held = 0;
    }

    /**
     * As {@link #reset}, and puts chunks together into one that holds as much as ever was needed. Steps of different sizes would otherwise each leave chunks that fit no other step. What
     * is handed out next lies elsewhere.
     */
    void resetTogether() {
        reset();
        if (chunks.size() < 2) return;
        chunks.forEach(backend::free);
        chunks.clear();
        chunks.add(backend.allocate(most));
    }

    @Override public void close() {
        chunks.forEach(backend::free);
        chunks.clear();
        reset();
    }
}
