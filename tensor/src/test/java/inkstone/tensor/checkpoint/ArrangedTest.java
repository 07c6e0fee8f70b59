package inkstone.tensor.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

class ArrangedTest {
    /** The numbers 0, 1, 2, .. in F32, as a [2, 3, 4] and b [3]. */
    private static final String TWO = """
        {"a":{"dtype":"F32","shape":[2,3,4],"data_offsets":[0,96]},"b":{"dtype":"F32","shape":[3],"data_offsets":[96,108]}}""";

    private static Safetensors file(String header, int bytes, Consumer<ByteBuffer> data) {
        var file = SafetensorsTest.file(header, bytes);
        data.accept(ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).position(file.length - bytes));
        return Safetensors.read(MemorySegment.ofArray(file), "model.safetensors", Arena.ofConfined());
    }

    private static Safetensors two() { return file(TWO, 108, data -> { for (int i = 0; i < 27; i++) data.putFloat(i); }); }

    private static Arranged seen(Safetensors file, Map<String, Arrangement> arrangements) {
        return Arranged.of(file, new Arranged.View(Map.of(), UnaryOperator.identity(), name -> false, held -> arrangements, Map.of(), 0, 0));
    }

    private static float[] floats(Arranged file, String name) {
        var info = file.tensors().get(name);
        var floats = new float[(int) info.shape().elements()];
        Blocks.toFloats(info.dtype(), file.data(name), 0, floats, floats.length);
        return floats;
    }

    @Test void axesChangePlaces() {
        try (var file = seen(two(), Map.of("a", Arrangement.of("a", 2, 3, 4).axes(1, 2, 0), "c", Arrangement.of("b", 3).as(3, 1)))) {
            assertEquals(new Shape(3, 4, 2), file.tensors().get("a").shape());
            assertArrayEquals(new float[] {0, 12, 1, 13, 2, 14, 3, 15, 4, 16, 5, 17, 6, 18, 7, 19, 8, 20, 9, 21, 10, 22, 11, 23}, floats(file, "a"));
            assertEquals(new Shape(3, 1), file.tensors().get("c").shape());
            assertArrayEquals(new float[] {24, 25, 26}, floats(file, "c"));
        }
    }

    @Test void partsAreTakenAndPutTogether() {
        var rows = Arrangement.of("a", 2, 3, 4);
        var every = Map.of("even", Arrangement.of("a", 6, 2, 2).at(1, 0), "joined", Arrangement.joined(rows.at(0, 1), rows.at(0, 0).slice(0, 0, 1)),
            "stacked", Arrangement.stacked(2, i -> rows.at(1, i)));
        try (var file = seen(two(), every)) {
            assertArrayEquals(new float[] {0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21}, floats(file, "even"));
            assertArrayEquals(new float[] {12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 0, 1, 2, 3}, floats(file, "joined"));
            assertEquals(new Shape(2, 2, 4), file.tensors().get("stacked").shape());
            assertArrayEquals(new float[] {0, 1, 2, 3, 12, 13, 14, 15, 4, 5, 6, 7, 16, 17, 18, 19}, floats(file, "stacked"));
            assertTrue(file.isMapped("b") && !file.isMapped("even") && !file.tensors().containsKey("a"));
            assertEquals((12 + 16 + 16) * 4, file.madeBytes());
            var some = MemorySegment.ofArray(new byte[20]);
            file.read("joined", 10, 5, some);                                            // across the seam of the two parts
            for (int i = 0; i < 5; i++) assertEquals(new float[] {22, 23, 0, 1, 2}[i], some.get(JAVA_FLOAT_UNALIGNED, 4 * i));
        }
    }

    @Test void numbersAreWhatTheModelMultipliesBy() {
        try (var file = seen(two(), Map.of("norm", Arrangement.of("b", 3).changed(Arrangement.Change.PLUS_ONE), "decay", Arrangement.of("a", 24).changed(Arrangement.Change.NEGATIVE_EXP)))) {
            assertArrayEquals(new float[] {25, 26, 27}, floats(file, "norm"));
            assertEquals(-Math.exp(2), floats(file, "decay")[2], 1e-6);
        }
    }

    @Test void partsOfTwoFormatsBecomeFloats() {
        var header = """
            {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]}}""";
        try (var file = seen(file(header, 6, data -> data.putFloat(3).putShort((short) 0x4080)), Map.of("c", Arrangement.joined(Arrangement.of("a", 1), Arrangement.of("b", 1))))) {
            assertArrayEquals(new float[] {3, 4}, floats(file, "c"));
        }
    }

    /** Blocks of gpt-oss: byte j holds elements 2j and 2j + 1; here element i is i % 8. Scale 128 doubles. */
    @Test void blocksAndScalesAreMxfp4() {
        var header = """
            {"w_blocks":{"dtype":"U8","shape":[2,1,16],"data_offsets":[0,32]},"w_scales":{"dtype":"U8","shape":[2,1],"data_offsets":[32,34]}}""";
        Consumer<ByteBuffer> data = bytes -> {
            for (int j = 0; j < 32; j++) bytes.put((byte) (2 * j % 8 | (2 * j + 1) % 8 << 4));
            bytes.put((byte) 127).put((byte) 128);
        };
        float[] values = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
        try (var file = seen(file(header, 34, data), Map.of("second", Arrangement.of("w", 2, 32).at(0, 1).as(1, 32)))) {
            assertEquals(new TensorInfo("second", DType.MXFP4, new Shape(1, 32)), file.tensors().get("second"));
            for (int i = 0; i < 32; i++) assertEquals(2 * values[i % 8], floats(file, "second")[i]);
        }
        try (var file = seen(file(header, 34, data), Map.of())) {
            assertEquals(DType.MXFP4, file.tensors().get("w").dtype());
            for (int i = 0; i < 64; i++) assertEquals(values[i % 8] * (1 + i / 32), floats(file, "w")[i]);
        }
        assertThrows(ModelException.class, () -> seen(file(header, 34, data), Map.of("half", Arrangement.of("w", 2, 32).slice(1, 0, 16))));
    }

    @Test void eightBitsWithAScaleForEachTileAreBfloats() {
        var header = """
            {"w":{"dtype":"F8_E4M3","shape":[3,2],"data_offsets":[0,6]},"w_scale_inv":{"dtype":"F32","shape":[2,1],"data_offsets":[6,14]}}""";
        Consumer<ByteBuffer> data = bytes -> bytes.put(new byte[] {0x38, (byte) 0xB8, 0x01, 0x7E, 0x3C, 0x08}).putFloat(2).putFloat(4);
        var view = new Arranged.View(Map.of(), UnaryOperator.identity(), name -> false, held -> Map.of(), Map.of(), 2, 128);
        try (var file = Arranged.of(file(header, 14, data), view)) {
            assertEquals(new TensorInfo("w", DType.BF16, new Shape(3, 2)), file.tensors().get("w"));
            assertEquals(1, file.tensors().size());
            assertArrayEquals(new float[] {2, -2, 2 * 0.001953125f, 2 * 448, 4 * 1.5f, 4 * 0.015625f}, floats(file, "w"), "Micikevicius et al. 2022, table 1");
            assertEquals(2, Float.intBitsToFloat(file.data("w").get(JAVA_SHORT_UNALIGNED, 0) << 16));
        }
        try (var file = seen(file(header, 14, data), Map.of())) { assertEquals(Map.of("w", "F8_E4M3"), file.unsupported()); }
        var other = new Arranged.View(Map.of(), UnaryOperator.identity(), name -> false, held -> Map.of(), Map.of(), 1, 128);
        assertTrue(assertThrows(ModelException.class, () -> Arranged.of(file(header, 14, data), other)).getMessage().contains("needs a scale for each tile of 1 by 128"));
    }

    @Test void whatDoesNotFitSaysSo() {
        assertTrue(assertThrows(ModelException.class, () -> seen(two(), Map.of("c", Arrangement.joined(Arrangement.of("b", 3), Arrangement.of("absent", 3)))))
            .getMessage().contains("tensor absent is missing, of which c is made"));
        assertTrue(assertThrows(ModelException.class, () -> seen(two(), Map.of("c", Arrangement.of("a", 2, 3)))).getMessage().contains("a should have 6 elements, found [2, 3, 4]"));
        try (var file = seen(two(), Map.of("c", Arrangement.of("absent", 3)))) { assertEquals(2, file.tensors().size()); }
        var view = new Arranged.View(Map.of(), name -> "same", name -> false, held -> Map.of(), Map.of(), 0, 0);
        assertEquals("model.safetensors: tensors a and b both become same", assertThrows(ModelException.class, () -> Arranged.of(two(), view)).getMessage());
    }
}
