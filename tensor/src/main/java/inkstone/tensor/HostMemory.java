package inkstone.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Native host memory that is given back segment by segment: what the reference and the CPU backend allocate from. */
public final class HostMemory implements AutoCloseable {
    private final Map<Long, Arena> arenas = new ConcurrentHashMap<>();

    public MemorySegment allocate(long bytes) {
        var arena = Arena.ofShared();
        var memory = arena.allocate(Math.max(1, bytes), 64).asSlice(0, bytes);
        arenas.put(memory.address(), arena);
        return memory;
    }

    public void free(MemorySegment memory) {
        var arena = arenas.remove(memory.address());
        if (arena == null) throw new IllegalStateException("this memory was not allocated here or was freed before");
        arena.close();
    }

    @Override public void close() {
        arenas.values().forEach(Arena::close);
        arenas.clear();
    }
}
