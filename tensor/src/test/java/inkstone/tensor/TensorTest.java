package inkstone.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.reference.ReferenceBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Shapes, memory and checks: what operations refuse, and how they say it. */
class TensorTest {
    private final Backend backend = new CpuBackend(1);
    private final Scope scope = Scope.inference(backend);

    @AfterEach void close() {
        scope.close();
        backend.close();
    }

    private Tensor x(int... dims) { return scope.tensor(DType.F32, dims); }
    private static Tensor weight(DType dtype, int... dims) { return Tensor.of(dtype, Arena.ofAuto().allocate(dtype.bytes(new Shape(dims).elements())), dims); }
    private static void refused(String message, Runnable run) { assertEquals(message, assertThrows(IllegalArgumentException.class, run::run).getMessage()); }

    @Test void shapes() {
        int[] dims = {2, 3, 4};
        var shape = new Shape(dims);
        dims[0] = 9;
        assertEquals(new Shape(2, 3, 4), shape);
        assertEquals(new Shape(2, 3, 4).hashCode(), shape.hashCode());
        assertNotEquals(new Shape(2, 12), shape);
        assertEquals("[2, 3, 4]", shape.toString());
        assertEquals(24, shape.elements());
        assertEquals(6, shape.rows());
        assertEquals(4, shape.last());
        assertEquals(3, shape.dim(-2));
        assertEquals(0, new Shape(0, 5).rows());
        assertEquals(1L << 60, new Shape(1 << 30, 1 << 30).elements());
        for (int[] bad : new int[][] {{}, {-1}, {3, 0}, {1 << 30, 1 << 30, 1 << 30}}) assertThrows(IllegalArgumentException.class, () -> new Shape(bad));
    }

    @Test void formatsCountBytes() {
        assertEquals(34, DType.Q8_0.bytes(32));
        assertEquals(18 * 4, DType.Q4_0.bytes(128));
        refused("Q8_0 stores blocks of 32 elements, which do not divide 40", () -> DType.Q8_0.bytes(40));
    }

    @Test void localKeepsTheResultAndHandsTheRestOutAgain() {
        var x = scope.floats(new float[] {1, 2, 3}, 1, 3);
        var y = x.local(input -> {
            for (int i = 0; i < 10; i++) x(1 << 20);
            return input.add(input).add(input);
        });
        long held = scope.bytes();
        assertArrayEquals(new float[] {3, 6, 9}, y.toFloats());
        assertEquals(x.data().address() + 64, y.data().address());
        assertArrayEquals(new float[] {9, 18, 27}, y.local(a -> a.local(b -> b.add(b)).add(a)).toFloats());
        for (int i = 0; i < 10; i++) x(1 << 20);
        assertEquals(held, scope.bytes());
    }

    @Test void viewsAreTheSameMemory() {
        var rows = x(3, 4).set(0f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
        assertArrayEquals(new float[] {4, 5, 6, 7}, rows.rows(1, 2).toFloats());
        assertEquals(new Shape(6, 2), rows.view(6, 2).shape());
        assertArrayEquals(new float[] {2, 3}, rows.view(6, 2).rows(1, 2).toFloats());
        assertEquals(18L * 2, weight(DType.Q4_0, 2, 3, 32).rows(1, 2).view(3, 32).rows(0, 2).data().byteSize());
        refused("view: F32 [3, 4] cannot be seen as [5, 2]", () -> rows.view(5, 2));
        refused("view: Q8_0 [2, 32] cannot be seen as [4, 16]", () -> weight(DType.Q8_0, 2, 32).view(4, 16));
        refused("rows: F32 [3, 4] has no part 2 to 4", () -> rows.rows(2, 4));
        var fused = new Linear.Dense(weight(DType.F32, 5, 4), weight(DType.F32, 5));
        assertEquals(new Shape(3, 2), fused.rows(3, 5).forward(rows).shape());
    }

    @Test void resetGivesTheSameAddressesAgain() {
        var first = new long[50];
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < first.length; i++) {
                long address = x(1 + i * 4001).data().address();
                assertEquals(0, address % 64);
                if (round == 0) first[i] = address; else assertEquals(first[i], address);
            }
            scope.reset();
        }
        long held = scope.bytes();
        x(100);
        assertEquals(held, scope.bytes());
    }

    @Test void tensorsDoNotOverlap() {
        var a = x(3).set(1f, 2f, 3f);
        x(5).set(9f, 9f, 9f, 9f, 9f);
        assertArrayEquals(new float[] {1, 2, 3}, a.toFloats());
        assertArrayEquals(new float[0], x(0, 7).toFloats());
    }

    @Test void hostMemoryIsGivenBackOnce() {
        try (var memory = new HostMemory()) {
            var segment = memory.allocate(100);
            assertEquals(100, segment.byteSize());
            assertEquals(0, segment.address() % 64);
            assertEquals(0, memory.allocate(0).byteSize());
            memory.free(segment);
            assertThrows(IllegalStateException.class, () -> memory.free(segment));
            assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_BYTE, 0));
        }
    }

    @Test void weightsFitTheirBytes() {
        refused("F32 [2, 2] takes 16 bytes, got 12", () -> Tensor.of(DType.F32, Arena.ofAuto().allocate(12), 2, 2));
        refused("Q8_0 needs rows of whole blocks of 32, got [32, 16]", () -> Tensor.of(DType.Q8_0, Arena.ofAuto().allocate(34 * 16), 32, 16));
    }

    @Test void operationsNameWhatDoesNotFit() {
        refused("linear: x [2, 3] does not fit weight [5, 4]", () -> x(2, 3).linear(weight(DType.F32, 5, 4), null));
        refused("linear: weight [5, 3] does not fit bias F32 [4]", () -> x(2, 3).linear(weight(DType.F32, 5, 3), weight(DType.F32, 4)));
        refused("linear: I32 is no weight format", () -> x(2, 3).linear(weight(DType.I32, 5, 3), null));
        refused("add: F32 [2, 3] does not fit F32 [3, 2]", () -> x(2, 3).add(x(3, 2)));
        refused("rmsNorm: x has 3 features, weight is F32 [4]", () -> x(2, 3).rmsNorm(weight(DType.F32, 4), 1e-5f));
        refused("swiglu: gate F32 [2, 3] does not fit up F32 [2, 4]", () -> x(2, 3).swiglu(x(2, 4)));
        refused("embedding: expected I32 [n] and a table [vocabulary, dim], got F32 [2] and F32 [5, 4]", () -> x(2).embedding(weight(DType.F32, 5, 4)));
        refused("rope: rows of 6 are not whole heads of 4", () -> x(2, 6).rope(scope.ints(0, 1), new Rope(weight(DType.F32, 2), 1, Rope.Pairs.HALVES, 4)));
        refused("rope: expected positions I32 [2], got I32 [3]", () -> x(2, 8).rope(scope.ints(0, 1, 2), new Rope(weight(DType.F32, 2), 1, Rope.Pairs.HALVES, 4)));
        refused("attention: queries [2, 7] are not 2 heads of 4", () -> x(2, 7).attention(x(2, 4), x(2, 4), scope.ints(0, 0), new AttentionShape(2, 1, 4, 1)));
        refused("scatterRows: rows [2, 3] do not fit cache [4, 1, 5]", () -> x(2, 3).scatterRows(weight(DType.F16, 4, 1, 5), scope.ints(0, 1)));
        refused("attention needs heads divisible by kvHeads, got 3 heads, 2 kvHeads of 4 and 4", () -> new AttentionShape(3, 2, 4, 1));
        refused("add: an operation starts from data, not from a weight", () -> weight(DType.F32, 2, 3).add(weight(DType.F32, 2, 3)));
    }

    /** Unchecked loads follow these numbers, so they are checked before. */
    @Test void indicesOutsideTheirTableAreRefused() {
        try (var reference = new ReferenceBackend(); var plain = Scope.inference(reference)) {
            for (var s : new Scope[] {scope, plain}) {
                refused("embedding: token 5 at row 1, expected 0 to 4", () -> s.ints(4, 5).embedding(weight(DType.F32, 5, 4)));
                refused("gatherRows: row -1 at row 0, expected 0 to 2", () -> s.tensor(DType.F32, 3, 2).gatherRows(s.ints(-1)));
                refused("scatterRows: slot 4 at row 1, expected 0 to 3", () -> s.tensor(DType.F32, 2, 3).scatterRows(weight(DType.F16, 2, 2, 3), s.ints(3, 4)));
                refused("attention: start 1 at row 0, expected 0 to 0", () -> attention(s, 1, 0));
                refused("pagedAttention: position 8 at row 0, expected 0 to 7", () -> paged(s, 8, 0, 0, 1));
                refused("pagedAttention: sequence 1 at row 0, expected 0 to 0", () -> paged(s, 7, 1, 0, 1));
                refused("pagedAttention: page 3 of sequence 0, expected 0 to 2", () -> paged(s, 7, 0, 0, 3));
                paged(s, 3, 0, 0, 3);
            }
        }
    }

    private static Tensor attention(Scope s, int... starts) {
        var x = s.tensor(DType.F32, 2, 4).set(new float[8]);
        return x.attention(x, x, s.ints(starts), new AttentionShape(1, 1, 4, 1));
    }

    /** Three pages of four positions, of which the one sequence has two. */
    private static Tensor paged(Scope s, int position, int sequence, int... pages) {
        var table = s.tensor(DType.I32, 1, 2).set(pages);
        var cache = weight(DType.F32, 3, 4, 4);
        return s.tensor(DType.F32, 1, 4).set(new float[4]).pagedAttention(cache, cache, s.ints(position), s.ints(sequence), table, new AttentionShape(1, 1, 4, 1));
    }

    @Test void arraysAndClosedMemoryAreRefused() {
        var heap = Tensor.of(DType.F32, MemorySegment.ofArray(new float[6]), 2, 3);
        refused("cpu: F32 [2, 3] lies in a Java array; kernels need native memory", () -> x(1, 3).linear(heap, null));
        var arena = Arena.ofShared();
        var closed = Tensor.of(DType.F32, arena.allocate(24), 2, 3);
        arena.close();
        var e = assertThrows(IllegalStateException.class, () -> x(1, 3).linear(closed, null));
        assertTrue(e.getMessage().startsWith("cpu: the memory of F32 [2, 3] was closed"), e.getMessage());
    }
}
