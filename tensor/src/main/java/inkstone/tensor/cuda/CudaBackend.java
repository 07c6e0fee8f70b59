package inkstone.tensor.cuda;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Gradients;
import inkstone.tensor.Kernels;
import inkstone.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import jcuda.driver.CUstream;

/**
 * An NVIDIA GPU through our own kernels, by the driver alone. Memory is the device's: a tensor's segment has the device's address and throws where the host reads it.
 * Results of sums may differ from the CPU's in the last digits; products take their factors as bfloat16, or weights as they are and activations in eight bits.
 * One thread at a time computes; another may allocate, upload and free meanwhile.
 */
public final class CudaBackend implements Backend {
    /** Told how much of a model is on the device. */
    public interface Loading {
        Loading SILENT = (_, _) -> {};

        void at(long bytes, long all);
    }

    private final Gpu gpu;
    private final DeviceMemory memory;
    private final Graphs graphs;
    private final Gpu.Scratch overlapping;
    private final CUstream copies;
    /** For what is used on the stream of the kernels, and for the parameters of models, which other copies and kernels need not wait for. */
    private final Staging staging, loader;
    private final Kernels kernels;
    private final Gradients gradients;
    private final Loading loading;
    private long loaded, expected;
    private boolean closed;

    /**
     * @param careful whether every launch is waited for, so that an error names the kernel that made it; slow
     * @throws CudaAbsent where the machine has no such device, or it cannot be used
     */
    public CudaBackend(int device, boolean careful, Loading loading) {
        this.loading = loading;
        gpu = new Gpu(device, careful);
        memory = new DeviceMemory(gpu);
        graphs = new Graphs(gpu);
        overlapping = gpu.scratch();
        copies = CudaDriver.stream();
        staging = new Staging(gpu.stream);
        loader = new Staging(copies);
        kernels = new CudaKernels(gpu);
        gradients = new CudaGradients(gpu);
        try {
            test();
        } catch (CudaFailure problem) {
            close();
            throw new CudaAbsent(true, "%s cannot be used: %s".formatted(gpu.name, problem.getMessage()));
        } catch (RuntimeException problem) {
            close();
            throw problem;
        }
    }

    public CudaBackend(int device, boolean careful) { this(device, careful, Loading.SILENT); }

    /** The names of the GPUs here. @throws CudaAbsent where there is no driver, or too old a one */
    public static List<String> devices() {
        CudaDriver.start();
        return IntStream.range(0, CudaDriver.devices()).mapToObj(index -> CudaDriver.name(CudaDriver.device(index))).toList();
    }

    /** A driver may refuse kernels, and a device be broken: better known now than at the first token. */
    private void test() {
        float[] numbers = {1, -2, 3.5f, 0}, doubled = new float[4];
        MemorySegment x = allocate(16), y = allocate(16);
        upload(x, MemorySegment.ofArray(numbers));
        kernels.scale(Tensor.of(DType.F32, y, 4), Tensor.of(DType.F32, x, 4), 2);
        download(MemorySegment.ofArray(doubled), y);
        free(x);
        free(y);
        if (!Arrays.equals(doubled, new float[] {2, -4, 7, 0})) throw new CudaAbsent(true, "%s computes wrongly: twice 1, -2, 3.5 is not %s".formatted(gpu.name, Arrays.toString(doubled)));
    }

    @Override public String name() { return "cuda"; }
    @Override public String device() { return gpu.name; }

    /** What kernels run on, for who measures them. */
    CUstream stream() { return gpu.stream; }
    @Override public Kernels kernels() { return kernels; }
    @Override public Gradients gradients() { return gradients; }

    @Override public synchronized Optional<Memory> memory() {
        gpu.enter();
        long[] bytes = CudaDriver.memory();
        return Optional.of(new Memory(bytes[0], bytes[1]));
    }

    // ---- memory ------------------------------------------------------------------------------------------------------------------------------------

    @Override public synchronized MemorySegment allocate(long bytes) {
        gpu.enter();
        graphs.forbid("allocate memory");
        var fresh = memory.allocate(bytes);
        if (bytes > 0) clear(fresh);
        return fresh;
    }

    @Override public synchronized void free(MemorySegment segment) {
        gpu.enter();
        memory.free(segment.address());
    }

    @Override public synchronized MemorySegment resident(MemorySegment host) {
        gpu.enter();
        graphs.forbid("upload");
        return uploaded(memory.held(host.byteSize()), host);
    }

    @Override public synchronized MemorySegment resident(String name, MemorySegment host) {
        gpu.enter();
        graphs.forbid("upload");
        return uploaded(memory.parameter(host.byteSize()), host);
    }

    /** Memory that host and device may touch, its contents unspecified; {@link #free} gives it back. */
    synchronized MemorySegment managed(long bytes) {
        gpu.enter();
        return memory.managed(bytes);
    }

    /** The bytes of {@code host} where host and device may read them, until nobody holds the segment or a part of it. */
    synchronized MemorySegment managed(MemorySegment host) {
        gpu.enter();
        return memory.heldManaged(host.byteSize()).copyFrom(host);
    }

    /** Whether {@link #managed} memory can be had. */
    boolean managed() { return gpu.managed; }

    synchronized DeviceMemory.Place place(MemorySegment segment) { return memory.place(segment.address()); }

    private MemorySegment uploaded(MemorySegment device, MemorySegment host) {
        loader.upload(device.address(), host, bytes -> {
            loaded += bytes;
            if (loaded <= expected) loading.at(loaded, expected);
        });
        loader.before(gpu.stream);
        return device;
    }

    @Override public synchronized void expect(int parameters, long bytes) {
        gpu.enter();
        memory.expect(parameters, bytes);
        loaded = 0;
        expected = bytes;
    }

    @Override public synchronized void upload(MemorySegment destination, MemorySegment host) {
        gpu.enter();
        graphs.forbid("upload");
        staging.upload(destination.address(), host);
    }

    @Override public synchronized void download(MemorySegment host, MemorySegment source) {
        gpu.enter();
        graphs.forbid("read results");
        staging.download(host, source.address());
    }

    @Override public synchronized void copy(MemorySegment destination, MemorySegment source) {
        gpu.enter();
        long to = destination.address(), from = source.address(), bytes = source.byteSize();
        if (bytes == 0 || to == from) return;
        if (to < from + bytes && from < to + bytes) {                                 // which a device copies in no order
            long between = overlapping.address(bytes);
            CudaDriver.copy(between, from, bytes, gpu.stream);
            from = between;
        }
        CudaDriver.copy(to, from, bytes, gpu.stream);
    }

    @Override public synchronized void clear(MemorySegment segment) {
        gpu.enter();
        if (segment.byteSize() > 0) CudaDriver.clear(segment.address(), segment.byteSize(), gpu.stream);
    }

    // ---- steps -------------------------------------------------------------------------------------------------------------------------------------

    @Override public synchronized Tensor replay(Object key, Supplier<Tensor> step) {
        gpu.enter();
        return graphs.run(key, step);
    }

    /** How many steps are recorded. */
    int recorded() { return graphs.recorded(); }

    @Override public synchronized void synchronize() {
        gpu.enter();
        graphs.forbid("wait");
        gpu.synchronize("running kernels");
    }

    @Override public synchronized void close() {
        if (closed) return;
        closed = true;
        gpu.enter();
        gpu.synchronize("closing the backend");
        graphs.close();
        staging.close();
        loader.close();
        CudaDriver.destroy(copies);
        memory.close();
        gpu.close();
    }
}
