package inkstone.tensor;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Native host memory that is given back segment by segment: what the reference and the CPU backend allocate from. It begins as zeros. The C library gives it, because an
 * {@link Arena} writes its zeros at once, a third of a second for the cache of a small model, where the system clears pages as they are first used.
 */
public final class HostMemory implements AutoCloseable {
    private static final long ALIGNMENT = 64;
    private static final MethodHandle CALLOC = function("calloc", FunctionDescriptor.of(ADDRESS, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle FREE = function("free", FunctionDescriptor.ofVoid(ADDRESS));

    static { mapLargeBlocks(); }

    private final Map<Long, Arena> arenas = new ConcurrentHashMap<>();

    /**
     * The GNU C library takes blocks of up to 32 MB from its heap, once a block of that size was freed, and keeps what is freed there: a training held up to twice what it
     * used. Blocks from 1 MB on are mapped, and given back when they are freed. Other libraries have no such setting.
     */
    private static void mapLargeBlocks() {
        var linker = Linker.nativeLinker();
        linker.defaultLookup().find("mallopt").ifPresent(address -> {
            int mmapThreshold = -3;
            try {
                int _ = (int) linker.downcallHandle(address, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT)).invokeExact(mmapThreshold, 1 << 20);
            } catch (Throwable e) {
                throw new AssertionError("mallopt throws nothing", e);
            }
        });
    }

    private static MethodHandle function(String name, FunctionDescriptor types) {
        var linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), types);
    }

    public MemorySegment allocate(long bytes) {
        var arena = Arena.ofShared();
        var block = zeros(bytes + ALIGNMENT).reinterpret(bytes + ALIGNMENT, arena, HostMemory::giveBack);
        var memory = block.asSlice(-block.address() & (ALIGNMENT - 1), bytes);
        arenas.put(memory.address(), arena);
        return memory;
    }

    private static MemorySegment zeros(long bytes) {
        MemorySegment block;
        try {
            block = (MemorySegment) CALLOC.invokeExact(1L, bytes);
        } catch (Throwable e) {
            throw new AssertionError("calloc throws nothing", e);
        }
        if (block.address() == 0) throw new OutOfMemoryError("the system gives no block of %d bytes".formatted(bytes));
        return block;
    }

    private static void giveBack(MemorySegment block) {
        try {
            FREE.invokeExact(block);
        } catch (Throwable e) {
            throw new AssertionError("free throws nothing", e);
        }
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
