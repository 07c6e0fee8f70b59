package inkstone.tensor.cpu;

import inkstone.tensor.Backend;
import inkstone.tensor.Gradients;
import inkstone.tensor.HostMemory;
import inkstone.tensor.Kernels;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import jdk.incubator.vector.FloatVector;

/**
 * The Vector API on 128-, 256- or 512-bit vectors, whichever the machine prefers, over a pool of threads of its own. Results do not depend on the number of threads.
 * Weights are read where they lie, at any alignment.
 */
public final class CpuBackend implements Backend {
    /* Bytes that a thread fills with zeros at a time. */
    private static final long CLEARED = 1 << 20;

    private final HostMemory memory = new HostMemory();
    private final Workers workers;
    private final Scratch scratch, single = new Scratch(1), gathered = new Scratch(1);
    private final Kernels kernels;
    private final Gradients gradients;

    /** {@code threads} includes the caller's. */
    public CpuBackend(int threads) {
        if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
            throw new UnsupportedOperationException("the cpu backend needs the vector module: start java with --add-modules=jdk.incubator.vector");
        }
        int bits = FloatVector.SPECIES_PREFERRED.vectorBitSize();
        if (bits < 128 || bits > 512) {
            throw new UnsupportedOperationException("the cpu backend needs vectors of 128 to 512 bits, this JVM prefers %d".formatted(bits));
        }
        workers = new Workers(threads);
        scratch = new Scratch(threads);
        var rope = new CpuRope(workers);
        kernels = new CpuKernels(workers, scratch, single, rope);
        gradients = new CpuGradients(workers, scratch, single, gathered, rope);
    }

    /** With {@link #defaultThreads}. */
    public CpuBackend() { this(defaultThreads()); }

    /** The processors this process may use, or the cores where Linux tells that two processors share one: the kernels keep a core busy with one thread. */
    public static int defaultThreads() {
        int processors = Runtime.getRuntime().availableProcessors();
        var cores = new HashSet<String>();
        try {
            for (int i = 0; ; i++) {
                var siblings = Path.of("/sys/devices/system/cpu/cpu" + i + "/topology/thread_siblings_list");
                if (!Files.exists(siblings)) break;
                cores.add(Files.readString(siblings));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return cores.isEmpty() ? processors : Math.min(processors, cores.size());
    }

    @Override public String name() { return "cpu"; }
    @Override public String device() { return "%d-bit vectors %s FMA".formatted(Lanes.F.vectorBitSize(), Lanes.FMA ? "with" : "without"); }
    @Override public int threads() { return workers.threads(); }
    @Override public Kernels kernels() { return kernels; }
    @Override public Gradients gradients() { return gradients; }
    @Override public MemorySegment allocate(long bytes) { return memory.allocate(bytes); }
    @Override public void free(MemorySegment segment) { memory.free(segment); }
    @Override public MemorySegment resident(MemorySegment host) { return host; }
    @Override public void upload(MemorySegment destination, MemorySegment host) { destination.copyFrom(host); }
    @Override public void download(MemorySegment host, MemorySegment source) { host.copyFrom(source); }
    @Override public void copy(MemorySegment destination, MemorySegment source) { destination.copyFrom(source); }
    @Override public void synchronize() { }

    @Override public void clear(MemorySegment segment) {
        int pieces = Math.toIntExact(Math.ceilDiv(segment.byteSize(), CLEARED));
        workers.run(pieces, (worker, piece) -> segment.asSlice(piece * CLEARED, Math.min(CLEARED, segment.byteSize() - piece * CLEARED)).fill((byte) 0));
    }

    @Override public void close() {
        workers.close();
        scratch.close();
        single.close();
        gathered.close();
        memory.close();
    }
}
