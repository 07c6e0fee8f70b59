package inkstone.tensor.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jcuda.Pointer;
import jcuda.driver.CUmodule;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Kernels with a fault each (faulty.cu), and wrong uses of the driver: the stand-in must find them, else tests that pass on it would mean little. */
class HarnessTest {
    private static final int THREADS = 64;
    /* CUresult: what a device answers to these. */
    private static final int INVALID_VALUE = 1, LAUNCH_FAILED = 719, ILLEGAL_ADDRESS = 700, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901, CAPTURED_EVENT = 907;

    private Gpu gpu;
    private CUmodule module;

    @BeforeEach void open() {
        assumeTrue(!StandIn.isDevice(), "skipped: these kernels are for the stand-in; a device does not survive them");
        StandIn.require();
        StandIn.set("quiet", 1);
        gpu = new Gpu(0, false);
        var names = Stream.of("missing_barrier", "missing_warp_barrier", "divergent_barrier", "barrier_after_end", "divergent_warp", "unaligned_load", "index_out_of_bounds", "shift_too_far",
            "write_overrun", "read_overrun", "shared_overrun", "missing_wait", "unaligned_copy", "uninitialised_shared", "deep_stack", "increment");
        module = CudaDriver.module("faulty", (".version 7.0\n" + names.map(n -> ".entry " + n + "(\n").collect(Collectors.joining())).getBytes(StandardCharsets.UTF_8));
    }

    @AfterEach void close() {
        if (gpu == null) return;
        StandIn.reset();
        StandIn.order(0);
        StandIn.set("quiet", 0);
        CudaDriver.unload(module);
        gpu.close();
    }

    /** Arguments: a Float, an Integer or a Long (also an address), as the kernel has them. */
    private int launch(String kernel, int threads, int shared, Object... arguments) {
        try (var arena = Arena.ofConfined()) {
            var table = arena.allocate(8L * Math.max(1, arguments.length), 8);
            for (int i = 0; i < arguments.length; i++) {
                var value = arena.allocate(8, 8);
                switch (arguments[i]) {
                    case Integer number -> value.set(ValueLayout.JAVA_INT, 0, number);
                    case Float number -> value.set(ValueLayout.JAVA_FLOAT, 0, number);
                    case Long number -> value.set(ValueLayout.JAVA_LONG, 0, number);
                    default -> throw new IllegalArgumentException(arguments[i].toString());
                }
                table.setAtIndex(ValueLayout.ADDRESS, i, value);
            }
            return CudaDriver.launch(CudaDriver.function(module, "faulty", kernel), 1, 1, 1, threads, shared, gpu.stream, Pointer.to(table.asByteBuffer()));
        }
    }

    /** What the stand-in says of a launch, which fails when it is waited for, and so does every call after it. */
    private String faultOf(int result, String kernel, int threads, int shared, Object... arguments) {
        assertEquals(0, launch(kernel, threads, shared, arguments));
        assertEquals(result, assertThrows(CudaFailure.class, () -> gpu.synchronize("running " + kernel)).result());
        assertEquals(result, assertThrows(CudaFailure.class, () -> CudaDriver.allocate(256)).result());
        var fault = StandIn.fault();
        StandIn.reset();
        return fault;
    }

    private static void assertContains(String expected, String actual) { assertTrue(actual.contains(expected), () -> "expected '%s' in '%s'".formatted(expected, actual)); }

    private float[] floats(long address, int count) {
        var host = CudaDriver.allocateHost(4L * count);
        CudaDriver.download(host, address, gpu.stream);
        gpu.synchronize("reading");
        var floats = host.toArray(ValueLayout.JAVA_FLOAT);
        CudaDriver.freeHost(host);
        return floats;
    }

    /** The results of a kernel in an order of threads. */
    private float[] inOrder(int order, String kernel) {
        StandIn.order(order);
        long y = CudaDriver.allocate(4 * THREADS);
        assertEquals(0, launch(kernel, THREADS, 0, y));
        var results = floats(y, THREADS);
        CudaDriver.free(y);
        return results;
    }

    // ---- threads ---------------------------------------------------------------------------------------------------------------------------------------

    @Test void aMissingBarrierShowsAsResultsThatDependOnTheOrder() {
        for (var kernel : List.of("missing_barrier", "missing_warp_barrier")) {
            assertNotEquals(Arrays.toString(inOrder(0, kernel)), Arrays.toString(inOrder(1, kernel)), kernel);
        }
        assertArrayEquals(inOrder(0, "uninitialised_shared"), inOrder(2, "uninitialised_shared"));
    }

    @Test void barriersThatNotAllThreadsReach() {
        long y = CudaDriver.allocate(4 * THREADS);
        var divergent = faultOf(LAUNCH_FAILED, "divergent_barrier", THREADS, 0, y);
        assertContains("divergent_barrier: block (0, 0, 0), thread (32, 0, 0) waits for its block at faulty.cu:", divergent);
        assertContains("but others of it at faulty.cu:", divergent);
        assertContains("5 of its threads never come", faultOf(LAUNCH_FAILED, "barrier_after_end", THREADS, 0, y));
        assertContains("waits for its warp at faulty.cu:", faultOf(LAUNCH_FAILED, "divergent_warp", THREADS, 0, y));
    }

    // ---- memory ----------------------------------------------------------------------------------------------------------------------------------------

    @Test void overrunsOfDeviceMemory() {
        long y = CudaDriver.allocate(4 * (THREADS - 1));                                // the last thread writes behind it, into what is left of 256 bytes
        assertContains("write_overrun wrote 0 bytes behind the end of a block of 252 bytes", faultOf(ILLEGAL_ADDRESS, "write_overrun", THREADS, 0, y));
        long full = CudaDriver.allocate(4 * THREADS);
        assertContains("wrote to an address 0 bytes behind the end of a block of 256", faultOf(LAUNCH_FAILED, "write_overrun", THREADS + 32, 0, full));
        assertContains("read_overrun: block (0, 0, 0), thread (3, 0, 0) read from an address", faultOf(LAUNCH_FAILED, "read_overrun", THREADS, 0, full, y, 128L));
        assertContains("read from an address", faultOf(LAUNCH_FAILED, "read_overrun", THREADS, 0, full, full, -1024L));
        long freed = CudaDriver.allocate(4 * THREADS);
        CudaDriver.free(freed);
        assertContains("read from", faultOf(LAUNCH_FAILED, "read_overrun", THREADS, 0, full, freed, 0L));
        assertContains("a null pointer", faultOf(LAUNCH_FAILED, "read_overrun", THREADS, 0, full, 0L, 0L));
    }

    @Test void overrunsOfCopiesAreRefused() {
        long y = CudaDriver.allocate(100);
        var host = CudaDriver.allocateHost(101);
        assertEquals(INVALID_VALUE, assertThrows(CudaFailure.class, () -> CudaDriver.upload(y, host, gpu.stream)).result());
        assertEquals(INVALID_VALUE, assertThrows(CudaFailure.class, () -> CudaDriver.download(host, y, gpu.stream)).result());
        assertEquals(INVALID_VALUE, assertThrows(CudaFailure.class, () -> CudaDriver.clear(y + 1, 100, gpu.stream)).result());
        assertEquals(INVALID_VALUE, assertThrows(CudaFailure.class, () -> CudaDriver.copy(y, y + 8, 16, gpu.stream)).result());
        CudaDriver.freeHost(host);
    }

    @Test void sharedMemory() {
        long y = CudaDriver.allocate(4 * THREADS);
        assertContains("shared_overrun: block (0, 0, 0), thread (63, 0, 0) wrote to", faultOf(LAUNCH_FAILED, "shared_overrun", THREADS, 4 * THREADS, y, 1));
        assertTrue(Float.isNaN(inOrder(0, "uninitialised_shared")[7]), "shared memory that nobody wrote is NaN");
        assertEquals(INVALID_VALUE, launch("shared_overrun", THREADS, 49 << 10, y, 0));   // more than was asked for
    }

    @Test void copiesToSharedMemory() {
        long x = CudaDriver.allocate(4 * THREADS), y = CudaDriver.allocate(4 * THREADS);
        CudaDriver.clear(x, 4 * THREADS, gpu.stream);
        assertEquals(0, launch("missing_wait", 16, 0, y, x));
        for (float value : floats(y, THREADS)) assertTrue(Float.isNaN(value), "what a copy brings is there once it was waited for");
        assertContains("not multiples of 16", faultOf(LAUNCH_FAILED, "unaligned_copy", 1, 0, x));
    }

    @Test void undefinedBehaviour() {
        long x = CudaDriver.allocate(34 * THREADS + 6), y = CudaDriver.allocate(4 * THREADS);
        assertContains("used an address that is 2 more than a multiple of 4 (faulty.cu:", faultOf(LAUNCH_FAILED, "unaligned_load", THREADS, 0, y, x));
        assertContains("outside of the array's bounds (faulty.cu:", faultOf(LAUNCH_FAILED, "index_out_of_bounds", THREADS, 0, y, 5));
        assertContains("shifted by too many bits", faultOf(LAUNCH_FAILED, "shift_too_far", THREADS, 0, y, 32));
        assertContains("deep_stack: block (0, 0, 0)", faultOf(LAUNCH_FAILED, "deep_stack", 1, 0, y, 0));
    }

    // ---- the driver -------------------------------------------------------------------------------------------------------------------------------------

    @Test void workIsDoneWhenItIsWaitedFor() {
        long y = CudaDriver.allocate(4 * THREADS);
        CudaDriver.clear(y, 4 * THREADS, gpu.stream);
        var host = CudaDriver.allocateHost(4 * THREADS);
        host.fill((byte) 0);
        assertEquals(0, launch("increment", THREADS, 0, y));
        CudaDriver.download(host, y, gpu.stream);
        assertEquals(0, host.get(ValueLayout.JAVA_FLOAT, 0), "not copied before it was waited for");
        gpu.synchronize("reading");
        assertEquals(1, host.get(ValueLayout.JAVA_FLOAT, 0));
        CudaDriver.freeHost(host);
    }

    @Test void graphsRepeatLaunchesCopiesAndFills() {
        long x = CudaDriver.allocate(4 * THREADS), y = CudaDriver.allocate(4 * THREADS);
        CudaDriver.clear(x, 4 * THREADS, gpu.stream);
        gpu.synchronize("clearing");
        CudaDriver.beginCapture(gpu.stream);
        assertEquals(0, launch("increment", THREADS, 0, x));
        CudaDriver.clear(y, 4 * THREADS, gpu.stream);
        CudaDriver.copy(y, x, 4 * THREADS / 2, gpu.stream);
        var graph = CudaDriver.endCapture(gpu.stream);
        var executable = CudaDriver.instantiate(graph);
        CudaDriver.destroy(graph);
        assertEquals(0, floats(x, THREADS)[0], "recorded, not run");
        for (int i = 0; i < 3; i++) CudaDriver.launch(executable, gpu.stream);
        var copied = floats(y, THREADS);
        assertEquals(3, copied[0]);
        assertEquals(0, copied[THREADS - 1]);
        CudaDriver.destroy(executable);
    }

    @Test void whatAGraphCannotHoldSpoilsIt() {
        long y = CudaDriver.allocate(4 * THREADS);
        var event = CudaDriver.event();
        for (Runnable call : List.<Runnable>of(() -> CudaDriver.allocate(256), () -> CudaDriver.free(y), () -> gpu.synchronize("waiting"), () -> CudaDriver.allocateHost(64))) {
            CudaDriver.beginCapture(gpu.stream);
            assertEquals(CAPTURE_UNSUPPORTED, assertThrows(CudaFailure.class, call::run).result());
            assertEquals(CAPTURE_INVALIDATED, assertThrows(CudaFailure.class, () -> CudaDriver.endCapture(gpu.stream)).result());
        }
        CudaDriver.beginCapture(gpu.stream);
        CudaDriver.record(event, gpu.stream);
        assertEquals(CAPTURED_EVENT, assertThrows(CudaFailure.class, () -> CudaDriver.await(event)).result());
        assertEquals(CAPTURE_INVALIDATED, assertThrows(CudaFailure.class, () -> CudaDriver.endCapture(gpu.stream)).result());
        CudaDriver.beginCapture(gpu.stream);
        assertEquals(0, launch("increment", THREADS, 0, y));
        CudaDriver.destroy(CudaDriver.endCapture(gpu.stream));
        gpu.synchronize("a stream goes on after a capture");
        CudaDriver.destroy(event);
    }

    @Test void memoryEnds() {
        StandIn.memory(1 << 20);
        try {
            var failure = assertThrows(RuntimeException.class, () -> CudaDriver.allocate(2 << 20));
            assertContains("2,097,152 bytes", failure.getMessage());
        } finally {
            StandIn.memory(4L << 30);
        }
    }

    /** What users read where a GPU cannot be used. */
    @Test void machinesThatCannotCompute() {
        assertContains("there is no GPU 1, the last is 0", whyNot(1));
        assertContains("the NVIDIA driver", whyNot("devices", 0, 0, 1));
        assertContains("there is no GPU 2, the last is 1", whyNot("devices", 2, 2, 1));
        assertEquals("the NVIDIA driver speaks CUDA 11.8, 12.0 or newer is needed: install driver 525 or newer", whyNot("version", 11_080, 0, 13_000));
        assertContains("has compute capability 7.5, 8.0 (Ampere, 2020) or newer is needed", whyNot("capability", 75, 0, 90));
    }

    private static String whyNot(String setting, long value, int device, long usual) {
        StandIn.set(setting, value);
        try {
            return whyNot(device);
        } finally {
            StandIn.set(setting, usual);
        }
    }

    private static String whyNot(int device) { return assertThrows(RuntimeException.class, () -> new CudaBackend(device, false)).getMessage(); }
}
