package inkstone.tensor.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.nio.charset.StandardCharsets;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.JCudaDriver;

/**
 * The part of CUDA's driver interface that Inkstone needs, by way of JCuda: addresses are longs and failures are exceptions that say what was being done. No other class
 * names a function of JCuda. Calls act on the context that is current on the calling thread; {@link #enter} makes it so.
 */
final class CudaDriver {
    /** The oldest driver interface that the natives were built for: CUDA 12.0, drivers from 525 on. */
    static final int OLDEST_VERSION = 12_000;

    private static final int OUT_OF_MEMORY = 2, NOT_FOUND = 500;

    private CudaDriver() {}

    /** Device memory is exhausted. */
    static final class OutOfMemory extends RuntimeException {
        OutOfMemory(String message) { super(message); }
    }

    /** Loads the driver. @throws CudaAbsent where there is none, or too old a one */
    static void start() {
        boolean windows = System.getProperty("os.name").startsWith("Windows");
        try (var arena = Arena.ofConfined()) {                                        // JCuda would unpack its library first, and fail at length
            SymbolLookup.libraryLookup(windows ? "nvcuda.dll" : "libcuda.so.1", arena);
        } catch (IllegalArgumentException e) {
            throw new CudaAbsent(false, "there is no NVIDIA driver (%s)".formatted(windows ? "nvcuda.dll" : "libcuda.so.1"));
        }
        try {
            JCudaDriver.setExceptionsEnabled(false);
            int result = JCudaDriver.cuInit(0);
            if (result == CUresult.CUDA_ERROR_NO_DEVICE) throw new CudaAbsent(true, "the NVIDIA driver finds no GPU");
            if (result != CUresult.CUDA_SUCCESS) throw new CudaAbsent(true, "the NVIDIA driver does not start (%s)".formatted(name(result)));
        } catch (UnsatisfiedLinkError | NoClassDefFoundError | ExceptionInInitializerError e) {
            throw new CudaAbsent(true, "the NVIDIA driver cannot be used from Java on %s, %s".formatted(System.getProperty("os.name"), System.getProperty("os.arch")));
        }
        int version = version();
        if (version < OLDEST_VERSION) {
            throw new CudaAbsent(true, "the NVIDIA driver speaks CUDA %d.%d, 12.0 or newer is needed: install driver 525 or newer".formatted(version / 1000, version % 1000 / 10));
        }
    }

    /** 1000 · major + 10 · minor of the newest CUDA that the driver speaks. */
    static int version() {
        var version = new int[1];
        check(JCudaDriver.cuDriverGetVersion(version), "asking for the driver's version");
        return version[0];
    }

    static int devices() {
        var count = new int[1];
        check(JCudaDriver.cuDeviceGetCount(count), "counting devices");
        return count[0];
    }

    static CUdevice device(int index) {
        var device = new CUdevice();
        check(JCudaDriver.cuDeviceGet(device, index), "finding device " + index);
        return device;
    }

    static String name(CUdevice device) {
        var name = new byte[256];
        check(JCudaDriver.cuDeviceGetName(name, name.length, device), "asking for the device's name");
        int length = 0;
        while (name[length] != 0) length++;
        return new String(name, 0, length, StandardCharsets.UTF_8);
    }

    static long totalMemory(CUdevice device) {
        var bytes = new long[1];
        check(JCudaDriver.cuDeviceTotalMem(bytes, device), "asking for the device's memory");
        return bytes[0];
    }

    /** @param attribute of {@link CUdevice_attribute} */
    static int attribute(CUdevice device, int attribute) {
        var value = new int[1];
        check(JCudaDriver.cuDeviceGetAttribute(value, attribute, device), "asking for the device's attribute " + attribute);
        return value[0];
    }

    // ---- contexts and streams ----------------------------------------------------------------------------------------------------------------------

    /** The context that all users of a device in this process share; given back by {@link #release}. */
    static CUcontext retain(CUdevice device) {
        var context = new CUcontext();
        check(JCudaDriver.cuDevicePrimaryCtxRetain(context, device), "opening the device");
        return context;
    }

    static void release(CUdevice device) { check(JCudaDriver.cuDevicePrimaryCtxRelease(device), "closing the device"); }

    /** Makes a context the current one of this thread. */
    static void enter(CUcontext context) { check(JCudaDriver.cuCtxSetCurrent(context), "entering the device's context"); }

    static CUstream stream() {
        var stream = new CUstream();
        check(JCudaDriver.cuStreamCreate(stream, 1), "making a stream");              // 1: does not wait for the default stream
        return stream;
    }

    static void destroy(CUstream stream) { check(JCudaDriver.cuStreamDestroy(stream), "closing a stream"); }

    static void synchronize(CUstream stream, String what) { check(JCudaDriver.cuStreamSynchronize(stream), what); }

    static CUevent event() {
        var event = new CUevent();
        check(JCudaDriver.cuEventCreate(event, 0), "making an event");
        return event;
    }

    static void destroy(CUevent event) { check(JCudaDriver.cuEventDestroy(event), "closing an event"); }
    static void record(CUevent event, CUstream stream) { check(JCudaDriver.cuEventRecord(event, stream), "recording an event"); }
    static void await(CUevent event) { check(JCudaDriver.cuEventSynchronize(event), "waiting for an event"); }
    static void await(CUstream stream, CUevent event) { check(JCudaDriver.cuStreamWaitEvent(stream, event, 0), "waiting for an event"); }

    /** Milliseconds between two events that have happened. */
    static float milliseconds(CUevent from, CUevent to) {
        var milliseconds = new float[1];
        check(JCudaDriver.cuEventElapsedTime(milliseconds, from, to), "measuring time");
        return milliseconds[0];
    }

    // ---- memory ------------------------------------------------------------------------------------------------------------------------------------

    /** Free and total bytes of the current device. */
    static long[] memory() {
        long[] free = new long[1], total = new long[1];
        check(JCudaDriver.cuMemGetInfo(free, total), "asking for free memory");
        return new long[] {free[0], total[0]};
    }

    /** @throws OutOfMemory where the device has no such block */
    static long allocate(long bytes) {
        var pointer = new DeviceAddress();
        int result = JCudaDriver.cuMemAlloc(pointer, bytes);
        if (result == OUT_OF_MEMORY) throw new OutOfMemory("the GPU has no block of %,d bytes: %,d of %,d are free".formatted(bytes, memory()[0], memory()[1]));
        check(result, "allocating %,d bytes".formatted(bytes));
        return pointer.value();
    }

    /** Memory with one address for the host and the device, whose pages go to whoever touches them. @throws OutOfMemory where there is none */
    static long allocateManaged(long bytes) {
        var pointer = new DeviceAddress();
        int result = JCudaDriver.cuMemAllocManaged(pointer, bytes, 1);                 // 1: for all streams
        if (result == OUT_OF_MEMORY) throw new OutOfMemory("there is no block of %,d bytes that host and GPU share".formatted(bytes));
        check(result, "allocating %,d bytes for host and GPU".formatted(bytes));
        return pointer.value();
    }

    static void free(long address) { check(JCudaDriver.cuMemFree(pointer(address)), "freeing memory"); }

    /** Host memory that the device copies from and to directly. */
    static MemorySegment allocateHost(long bytes) {
        var pointer = new HostAddress();
        check(JCudaDriver.cuMemHostAlloc(pointer, bytes, 0), "allocating %,d bytes of pinned host memory".formatted(bytes));
        return MemorySegment.ofAddress(pointer.value()).reinterpret(bytes);
    }

    static void freeHost(MemorySegment memory) { check(JCudaDriver.cuMemFreeHost(host(memory.address())), "freeing pinned host memory"); }

    /** Pinned host memory to the device, behind everything on the stream. */
    static void upload(long destination, MemorySegment pinned, CUstream stream) {
        check(JCudaDriver.cuMemcpyHtoDAsync(pointer(destination), host(pinned.address()), pinned.byteSize(), stream), "copying %,d bytes to the GPU".formatted(pinned.byteSize()));
    }

    static void download(MemorySegment pinned, long source, CUstream stream) {
        check(JCudaDriver.cuMemcpyDtoHAsync(host(pinned.address()), pointer(source), pinned.byteSize(), stream), "copying %,d bytes from the GPU".formatted(pinned.byteSize()));
    }

    static void copy(long destination, long source, long bytes, CUstream stream) {
        check(JCudaDriver.cuMemcpyDtoDAsync(pointer(destination), pointer(source), bytes, stream), "copying %,d bytes within the GPU".formatted(bytes));
    }

    static void clear(long address, long bytes, CUstream stream) {
        check(JCudaDriver.cuMemsetD8Async(pointer(address), (byte) 0, bytes, stream), "clearing %,d bytes".formatted(bytes));
    }

    // ---- code --------------------------------------------------------------------------------------------------------------------------------------

    /** @param ptx text, which the driver compiles for the device */
    static CUmodule module(String file, byte[] ptx) {
        var module = new CUmodule();
        var terminated = new byte[ptx.length + 1];                                    // JCuda adds the NUL to strings only
        System.arraycopy(ptx, 0, terminated, 0, ptx.length);
        check(JCudaDriver.cuModuleLoadData(module, terminated), "loading the kernels of " + file);
        return module;
    }

    static void unload(CUmodule module) { check(JCudaDriver.cuModuleUnload(module), "unloading kernels"); }

    static CUfunction function(CUmodule module, String file, String name) {
        var function = new CUfunction();
        int result = JCudaDriver.cuModuleGetFunction(function, module, name);
        if (result == NOT_FOUND) throw new IllegalStateException("%s.cu has no kernel %s; was its PTX made from other sources?".formatted(file, name));
        check(result, "finding the kernel " + name);
        return function;
    }

    /** Allows blocks of this function more dynamic shared memory than the 48 KB that all have. */
    static void allowShared(CUfunction function, int bytes) {
        check(JCudaDriver.cuFuncSetAttribute(function, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes),
            "asking for %,d bytes of shared memory".formatted(bytes));
    }

    /** @param arguments an array of addresses of the arguments, in native memory */
    static int launch(CUfunction function, int gridX, int gridY, int gridZ, int block, int shared, CUstream stream, Pointer arguments) {
        return JCudaDriver.cuLaunchKernel(function, gridX, gridY, gridZ, block, 1, 1, shared, stream, arguments, null);
    }

    // ---- graphs ------------------------------------------------------------------------------------------------------------------------------------

    static void beginCapture(CUstream stream) {
        check(JCudaDriver.cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED), "beginning to record a graph");
    }

    static CUgraph endCapture(CUstream stream) {
        var graph = new CUgraph();
        check(JCudaDriver.cuStreamEndCapture(stream, graph), "recording a graph");
        return graph;
    }

    /** Ends a recording that failed; what it holds is worth nothing. */
    static void abandonCapture(CUstream stream) {
        var graph = new CUgraph();
        if (JCudaDriver.cuStreamEndCapture(stream, graph) == CUresult.CUDA_SUCCESS) destroy(graph);
    }

    static CUgraphExec instantiate(CUgraph graph) {
        var executable = new CUgraphExec();
        check(JCudaDriver.cuGraphInstantiate(executable, graph, 0), "preparing a graph");
        return executable;
    }

    static void launch(CUgraphExec graph, CUstream stream) { check(JCudaDriver.cuGraphLaunch(graph, stream), "running a recorded step"); }
    static void destroy(CUgraph graph) { check(JCudaDriver.cuGraphDestroy(graph), "forgetting a graph"); }
    static void destroy(CUgraphExec graph) { check(JCudaDriver.cuGraphExecDestroy(graph), "forgetting a graph"); }

    // ---- results and addresses -----------------------------------------------------------------------------------------------------------------------

    /** @param what was being done, in words that follow "CUDA failed while" */
    static void check(int result, String what) {
        if (result != CUresult.CUDA_SUCCESS) throw new CudaFailure(result, "CUDA failed while %s: %s".formatted(what, name(result)));
    }

    static String name(int result) { return CUresult.stringFor(result); }

    private static CUdeviceptr pointer(long address) { return new CUdeviceptr().withByteOffset(address); }

    private static Pointer host(long address) { return new Pointer().withByteOffset(address); }

    /** Tells the address that JCuda keeps to itself. */
    private static final class DeviceAddress extends CUdeviceptr {
        long value() { return getNativePointer(); }
    }

    private static final class HostAddress extends Pointer {
        long value() { return getNativePointer(); }
    }
}
