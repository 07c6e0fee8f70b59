package inkstone.tensor.reference;

import inkstone.tensor.Backend;
import inkstone.tensor.Gradients;
import inkstone.tensor.HostMemory;
import inkstone.tensor.Kernels;
import java.lang.foreign.MemorySegment;

/** Plain loops on one thread: defines every operation and is the oracle of every test. Slow on purpose. */
public final class ReferenceBackend implements Backend {
    private final HostMemory memory = new HostMemory();
    private final Kernels kernels = new ReferenceKernels();
    private final Gradients gradients = new ReferenceGradients();

    @Override public String name() { return "reference"; }
    @Override public String device() { return "plain loops"; }
    @Override public Kernels kernels() { return kernels; }
    @Override public Gradients gradients() { return gradients; }
    @Override public MemorySegment allocate(long bytes) { return memory.allocate(bytes); }
    @Override public void free(MemorySegment segment) { memory.free(segment); }
    @Override public MemorySegment resident(MemorySegment host) { return host; }
    @Override public void upload(MemorySegment destination, MemorySegment host) { destination.copyFrom(host); }
    @Override public void download(MemorySegment host, MemorySegment source) { host.copyFrom(source); }
    @Override public void copy(MemorySegment destination, MemorySegment source) { destination.copyFrom(source); }
    @Override public void clear(MemorySegment segment) { segment.fill((byte) 0); }
    @Override public void synchronize() { }
    @Override public void close() { memory.close(); }
}
