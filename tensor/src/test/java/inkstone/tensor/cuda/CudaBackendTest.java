package inkstone.tensor.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.cpu.CpuBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Memory and recorded steps of a GPU, or of the stand-in for one. */
class CudaBackendTest {
    private static CudaBackend backend;

    @BeforeAll static void open() {
        StandIn.require();
        backend = new CudaBackend(0, false);
    }

    @AfterAll static void close() { if (backend != null) backend.close(); }

    private static MemorySegment host(float... values) { return MemorySegment.ofArray(values); }

    private static float[] read(MemorySegment memory) {
        var host = new float[Math.toIntExact(memory.byteSize() / 4)];
        backend.download(MemorySegment.ofArray(host), memory);
        return host;
    }

    @Test void theHostCannotReadTensors() {
        try (var scope = Scope.inference(backend)) {
            var x = scope.floats(new float[] {1, 2}, 2);
            assertThrows(IllegalStateException.class, () -> x.data().get(JAVA_FLOAT_UNALIGNED, 0));
            assertThrows(IllegalStateException.class, () -> x.rows(1, 2).data().get(JAVA_FLOAT_UNALIGNED, 0));
            assertArrayEquals(new float[] {1, 2}, x.toFloats());
        }
    }

    @Test void copiesMayOverlap() {
        var memory = backend.allocate(4 * 6);
        backend.upload(memory, host(1, 2, 3, 4, 5, 6));
        backend.copy(memory.asSlice(0, 16), memory.asSlice(4, 16));
        assertArrayEquals(new float[] {2, 3, 4, 5, 5, 6}, read(memory));
        backend.copy(memory.asSlice(8, 16), memory.asSlice(0, 16));
        assertArrayEquals(new float[] {2, 3, 2, 3, 4, 5}, read(memory));
        backend.free(memory);
        assertThrows(IllegalStateException.class, () -> backend.free(memory));
    }

    @Test void parametersShareABlockWhichIsFreedWithTheLast() {
        long before = backend.memory().orElseThrow().free();
        backend.expect(3, 3 * 1000);
        var all = new ArrayList<MemorySegment>();
        for (int i = 0; i < 3; i++) all.add(backend.resident("parameter " + i, MemorySegment.ofArray(new float[] {i, 250}).asSlice(0, 8)));
        long block = before - backend.memory().orElseThrow().free();
        assertTrue(block >= 3000 && block < 5000, block + " bytes");
        assertEquals(256, all.get(1).address() - all.get(0).address());
        assertArrayEquals(new float[] {2, 250}, read(all.get(2)));
        backend.free(all.get(0));
        backend.free(all.get(2));
        assertEquals(block, before - backend.memory().orElseThrow().free());
        backend.free(all.get(1));
        assertEquals(before, backend.memory().orElseThrow().free());
    }

    @Test void whatNobodyHoldsIsGivenBack() throws InterruptedException {
        long before = backend.memory().orElseThrow().free();
        backend.resident(MemorySegment.ofArray(new byte[1 << 20]));
        long held = backend.memory().orElseThrow().free();
        assertTrue(held <= before - (1 << 20));
        for (int i = 0; i < 100 && backend.memory().orElseThrow().free() <= held; i++) {
            System.gc();
            Thread.sleep(20);
            backend.free(backend.allocate(4));                                        // which is when it looks for what was left
        }
        assertEquals(before, backend.memory().orElseThrow().free());
    }

    @Test void memoryThatIsNotThereIsRefusedInWords() {
        assumeTrue(!StandIn.isDevice(), "skipped: this needs a device whose memory can be made small");
        StandIn.memory((4L << 30) - backend.memory().orElseThrow().free() + (1 << 20));
        try {
            assertEquals(1 << 20, backend.memory().orElseThrow().free());
            var problem = assertThrows(CudaDriver.OutOfMemory.class, () -> backend.allocate(2 << 20));
            assertTrue(problem.getMessage().startsWith("the GPU has no block of 2,097,152 bytes: 1,048,576 of "), problem.getMessage());
        } finally {
            StandIn.memory(4L << 30);
        }
    }

    /** A step that uses kernels, a copy within the device and memory that is cleared. */
    private static Tensor step(Tensor x) {
        return x.local(y -> {
            var z = y.scale(3).mul(y).local(each -> each.add(y));
            backend.clear(y.data().asSlice(0, 4));
            return z.mul(y);
        });
    }

    private static float[] plain(float... values) {
        try (var scope = Scope.inference(backend)) { return step(scope.floats(values, 4)).toFloats(); }
    }

    @Test void aRecordedStepEqualsAPlainOne() {
        try (var scope = Scope.inference(backend)) {
            int before = backend.recorded();
            for (int token = 0; token < 5; token++) {
                scope.reset();
                float[] values = {token, 1 - token, 0.5f * token, -0.25f};
                var x = scope.floats(values, 4);
                assertArrayEquals(plain(values), backend.replay("step", () -> step(x)).toFloats(), "token " + token);
                assertEquals(before + (token > 0 ? 1 : 0), backend.recorded());
            }
        }
    }

    @Test void aStepIsNotRecordedWithWhatHappensOnce() {
        try (var scope = Scope.inference(backend)) {
            var x = scope.floats(new float[] {1, 2, 3, 4}, 4);
            backend.replay("reads", () -> x.scale(2));
            assertThrows(IllegalStateException.class, () -> backend.replay("reads", () -> { x.scale(2).toFloats(); return x; }));
            assertThrows(IllegalStateException.class, () -> backend.replay("reads", () -> scope.floats(new float[] {5}, 1).scale(1)));
            assertArrayEquals(new float[] {2, 4, 6, 8}, backend.replay("reads", () -> x.scale(2)).toFloats());
        }
    }

    @Test void aPartOnEachSideComputesTheSame() {
        float[] matrix = new float[32], numbers = {1, -2, 3, 0.5f, -1, 2, 0, 4};
        for (int i = 0; i < matrix.length; i++) matrix[i] = (i % 7 - 3) / 2f;
        var weight = Arena.ofAuto().allocateFrom(JAVA_FLOAT, matrix);
        try (var split = new SplitBackend(new CpuBackend(2), new CudaBackend(0, false), layer -> layer == 1, name -> name.startsWith("gpu"), 256); var scope = Scope.inference(split);
             var cpu = new CpuBackend(2); var expected = Scope.inference(cpu)) {
            split.expect(2, 512);
            Tensor here = Tensor.of(DType.F32, split.resident("cpu.weight", weight), 4, 8), there = Tensor.of(DType.F32, split.resident("gpu.weight", weight), 4, 8);
            assertEquals(weight.address(), here.data().address());
            assertNotEquals(weight.address(), there.data().address());
            var factors = Tensor.of(DType.F32, split.resident(host(1, 2, 3, 4)), 4);
            for (int round = 0; round < 3; round++) {
                scope.reset();
                expected.reset();
                var x = scope.floats(numbers, 1, 8);
                var y = x.mul(there.rows(0, 1)).add(x).linear(here, null).mul(factors.view(1, 4)).scale(0.5f);
                var e = expected.floats(numbers, 1, 8);
                var f = e.mul(here.rows(0, 1)).add(e).linear(here, null).mul(expected.floats(new float[] {1, 2, 3, 4}, 1, 4)).scale(0.5f);
                assertArrayEquals(f.toFloats(), y.toFloats(), 1e-5f);
            }
            assertEquals("cuda", split.ofLayer(1).name());
            assertEquals("cpu", split.ofLayer(0).name());
        }
    }
}
