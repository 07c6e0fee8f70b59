package inkstone.tensor.cuda;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;

/**
 * One opened device: its context, the stream that kernels run on in order, the kernels by file and name, and scratch memory that kernels share. One thread at a time, which may
 * change.
 */
final class Gpu implements AutoCloseable {
    /** Threads that step together. */
    static final int WARP = 32;

    /** The context current on each thread: contexts belong to threads of the system, so virtual threads, which change theirs, enter at every call. */
    private static final ThreadLocal<CUcontext> CURRENT = new ThreadLocal<>();

    final String name;
    final int major, minor, multiprocessors;
    /** Bytes of shared memory that a block may ask for. */
    final int sharedMemory;
    /** Whether the host may touch managed memory while the device is at work: under Linux, not under Windows. */
    final boolean managed;
    final CUstream stream;

    private final CUdevice device;
    private final CUcontext context;
    private final PtxFiles ptx = new PtxFiles();
    private final Map<String, CUmodule> modules = new HashMap<>();
    /** One object for each, whoever asks: what shared memory the driver allows a function is known there. */
    private final Map<String, Kernel> kernels = new HashMap<>();
    private final List<Scratch> scratches = new ArrayList<>();
    /** Grows when scratch memory moves, so that recorded steps, which hold its address, are known to be stale. */
    private int moves;
    private final boolean careful;

    /** @param careful whether every launch is waited for, so that an error names the kernel that made it; slow */
    Gpu(int index, boolean careful) {
        this.careful = careful;
        CudaDriver.start();
        int count = CudaDriver.devices();
        if (index >= count) throw new CudaAbsent(true, "there is no GPU %d, the last is %d".formatted(index, count - 1));
        device = CudaDriver.device(index);
        name = CudaDriver.name(device);
        major = CudaDriver.attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
        minor = CudaDriver.attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
        if (major < 8) throw new CudaAbsent(true, "%s has compute capability %d.%d, 8.0 (Ampere, 2020) or newer is needed".formatted(name, major, minor));
        multiprocessors = CudaDriver.attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
        sharedMemory = CudaDriver.attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
        managed = CudaDriver.attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS) != 0;
        context = CudaDriver.retain(device);
        enter();
        stream = CudaDriver.stream();
    }

    /** Makes the device current on this thread: every entry from outside begins with it. */
    void enter() {
        if (Thread.currentThread().isVirtual()) {
            CudaDriver.enter(context);
        } else if (CURRENT.get() != context) {
            CudaDriver.enter(context);
            CURRENT.set(context);
        }
    }

    /** A kernel of {@code file}.cu, loaded when it is first launched. */
    Kernel kernel(String file, String name) { return kernels.computeIfAbsent(file + " " + name, _ -> new Kernel(this, file, name)); }

    CUmodule module(String file) { return modules.computeIfAbsent(file, f -> CudaDriver.module(f, ptx.read(f))); }

    /** Memory for what a kernel makes between two launches, which grows to the most that was asked for. */
    Scratch scratch() {
        var scratch = new Scratch();
        scratches.add(scratch);
        return scratch;
    }

    int moves() { return moves; }

    boolean careful() { return careful; }

    void synchronize(String what) { CudaDriver.synchronize(stream, what); }

    /** Device memory that keeps its address until more is asked for. Kernels of one stream may use it one after the other. */
    final class Scratch {
        private long address, bytes;

        /** At least so many bytes, aligned to 256, with unspecified contents. */
        long address(long wanted) {
            if (wanted > bytes) {
                if (bytes > 0) {
                    synchronize("waiting for kernels that use scratch memory");
                    CudaDriver.free(address);
                    bytes = 0;
                }
                long size = Math.max(1 << 16, Math.ceilDiv(wanted, 1 << 16) << 16);
                address = CudaDriver.allocate(size);
                bytes = size;
                moves++;
            }
            return address;
        }
    }

    @Override public void close() {
        enter();
        synchronize("closing the device");
        for (var scratch : scratches) if (scratch.bytes > 0) CudaDriver.free(scratch.address);
        scratches.clear();
        modules.values().forEach(CudaDriver::unload);
        modules.clear();
        CudaDriver.destroy(stream);
        CURRENT.remove();
        CudaDriver.release(device);
    }
}
