package inkstone.tensor.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.HashSet;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;

/**
 * The device memory of a backend, in blocks of the driver's. The parameters of a model are pieces of one block, which is given back with the last of them. A segment has the
 * device's address; whoever reads it on the host gets an {@link IllegalStateException}, because its arena is closed.
 */
final class DeviceMemory implements AutoCloseable {
    private static final long ALIGNMENT = 256;

    private static final class Block {
        private final long address, bytes;
        private final boolean managed;
        private long used;
        private int pieces;

        Block(long bytes, boolean managed) {
            this.address = managed ? CudaDriver.allocateManaged(bytes) : CudaDriver.allocate(bytes);
            this.bytes = bytes;
            this.managed = managed;
        }
    }

    /** Who may touch some memory. */
    enum Place { HOST, DEVICE, BOTH }

    /** Memory that nobody gives back by hand. */
    private static final class Held extends PhantomReference<MemorySegment.Scope> {
        private final long address;

        Held(MemorySegment memory, ReferenceQueue<MemorySegment.Scope> left) {
            super(memory.scope(), left);
            this.address = memory.address();
        }
    }

    private final Gpu gpu;
    /** Where handed-out memory begins -> the block that it is of. */
    private final NavigableMap<Long, Block> blocks = new TreeMap<>();
    private final Set<Held> held = new HashSet<>();
    private final ReferenceQueue<MemorySegment.Scope> left = new ReferenceQueue<>();
    /** The block that parameters are taken from; null where there is none. */
    private Block parameters;
    private long expected;

    DeviceMemory(Gpu gpu) { this.gpu = gpu; }

    /** A block of its own; its contents are unspecified. */
    MemorySegment allocate(long bytes) {
        freeLeft();
        return piece(new Block(rounded(bytes), false), bytes);
    }

    /** As {@link #allocate}, until nobody holds the segment or a part of it. */
    MemorySegment held(long bytes) {
        var memory = allocate(bytes);
        held.add(new Held(memory, left));
        return memory;
    }

    /** As {@link #allocate}, for both host and device. */
    MemorySegment managed(long bytes) {
        freeLeft();
        return piece(new Block(rounded(bytes), true), bytes);
    }

    /** As {@link #managed}, until nobody holds the segment or a part of it. */
    MemorySegment heldManaged(long bytes) {
        var memory = managed(bytes);
        held.add(new Held(memory, left));
        return memory;
    }

    Place place(long address) {
        var entry = blocks.floorEntry(address);
        if (entry == null || address >= entry.getValue().address + entry.getValue().bytes) return Place.HOST;
        return entry.getValue().managed ? Place.BOTH : Place.DEVICE;
    }

    void expect(int parameters, long bytes) {
        freeLeft();
        this.parameters = null;
        this.expected = bytes + parameters * ALIGNMENT;
    }

    /** A piece of the block for the parameters that are expected. */
    MemorySegment parameter(long bytes) {
        long size = rounded(bytes);
        if (parameters == null && expected >= size) {
            parameters = new Block(expected, false);
            expected = 0;
        }
        return parameters == null || parameters.used + size > parameters.bytes ? allocate(bytes) : piece(parameters, bytes);
    }

    private static long rounded(long bytes) { return Math.max(ALIGNMENT, Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT); }

    private MemorySegment piece(Block block, long bytes) {
        long address = block.address + block.used;
        block.used += rounded(bytes);
        block.pieces++;
        blocks.put(address, block);
        /* An arena of its own is what tells when nobody holds the memory; one that is closed makes segments that may be sliced and asked for their address, and throw where they are read. */
        var arena = block.managed ? Arena.ofAuto() : Arena.ofShared();
        var memory = MemorySegment.ofAddress(address).reinterpret(bytes, arena, null);
        if (!block.managed) arena.close();
        return memory;
    }

    /** Gives back what was handed out at this address, once nothing that was launched can use it any more. */
    void free(long address) {
        var block = blocks.remove(address);
        if (block == null) throw new IllegalStateException("this memory was not allocated here or was freed before");
        if (--block.pieces > 0) return;
        if (block == parameters) parameters = null;
        gpu.synchronize("waiting for kernels that use memory to be freed");
        CudaDriver.free(block.address);
    }

    private void freeLeft() {
        for (var reference = left.poll(); reference != null; reference = left.poll()) {
            held.remove(reference);
            free(((Held) reference).address);
        }
    }

    @Override public void close() {
        new HashSet<>(blocks.values()).forEach(block -> CudaDriver.free(block.address));
        blocks.clear();
        held.clear();
    }
}
