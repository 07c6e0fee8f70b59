package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import inkstone.tensor.checkpoint.TensorInfo;
import inkstone.transformer.ImportanceMatrix.Entry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImportanceMatrixTest {
    @TempDir Path folder;

    private static ImportanceMatrix matrix(Map<String, Entry> entries) { return new ImportanceMatrix(new TreeMap<>(entries), List.of("text.txt"), 3, 512); }

    private static TensorInfo tensor(String name, int... dims) { return new TensorInfo(name, DType.F32, new Shape(dims)); }

    @Test void whatIsWrittenIsRead() throws IOException {
        var path = folder.resolve("m.gguf");
        matrix(Map.of("blk.0.ffn_up.weight", new Entry(new float[] {2, 4}, new float[] {2}), "blk.0.ffn_up_exps.weight", new Entry(new float[] {1, 3, 5, 7}, new float[] {1, 0}))).write(path);
        var read = ImportanceMatrix.read(path);
        assertEquals(List.of("text.txt"), read.texts());
        assertEquals(3, read.chunks());
        assertEquals(512, read.chunkSize());
        assertArrayEquals(new float[][] {{1, 2}}, read.of(tensor("blk.0.ffn_up.weight", 9, 2)));
        assertArrayEquals(new float[][] {{1, 3}, {1, 1}}, read.of(tensor("blk.0.ffn_up_exps.weight", 2, 9, 2)), "an expert that met nothing has all columns alike");
        assertNull(read.of(tensor("blk.1.ffn_up.weight", 9, 2)));
    }

    @Test void columnsThatATextDoesNotUseStillWeighSomething() {
        var of = matrix(Map.of("a", new Entry(new float[] {0, 2, 0, 2}, new float[] {1}))).of(tensor("a", 1, 4));
        assertArrayEquals(new float[][] {{1e-4f, 2, 1e-4f, 2}}, of);
    }

    @Test void oneOfAnotherModelIsRefused() {
        var matrix = matrix(Map.of("a", new Entry(new float[] {1, 1}, new float[] {1})));
        var wrong = assertThrows(ModelException.class, () -> matrix.requireOf(Map.of("a", tensor("a", 2, 3))));
        assertEquals("the importance matrix has 2 numbers for a, which has 3 columns in 1 matrix: it was measured on another model", wrong.getMessage());
        assertTrue(assertThrows(ModelException.class, () -> matrix.requireOf(Map.of("b", tensor("b", 2, 2)))).getMessage().contains("no entry for any tensor"));
    }

    /** As llama-imatrix --output-format dat writes it: means times calls. */
    private Path legacy(int calls, float... values) throws IOException {
        var name = "blk.0.ffn_up.weight".getBytes(StandardCharsets.UTF_8);
        var bytes = ByteBuffer.allocate(200).order(ByteOrder.LITTLE_ENDIAN).putInt(1).putInt(name.length).put(name).putInt(calls).putInt(values.length);
        for (float value : values) bytes.putFloat(value);
        bytes.putInt(5).putInt(1).put((byte) 't');
        return Files.write(folder.resolve("old.dat"), Arrays.copyOf(bytes.array(), bytes.position()));
    }

    @Test void theOlderFormatIsRead() throws IOException {
        var read = ImportanceMatrix.read(legacy(4, 8, 2));
        assertArrayEquals(new float[][] {{2, 0.5f}}, read.of(tensor("blk.0.ffn_up.weight", 7, 2)));
        assertEquals(5, read.chunks());
        assertEquals(List.of("t"), read.texts());
    }

    @Test void whatIsNoImportanceMatrixIsRefused() throws IOException {
        assertRefused("holds -1.0, no sum of squares", legacy(1, -1, 2));
        assertRefused("holds NaN, no sum of squares", legacy(1, Float.NaN));
        assertRefused("is no importance matrix", Files.writeString(folder.resolve("t"), "some text, long enough to be read as numbers"));
        assertRefused("is no importance matrix", Files.write(folder.resolve("e"), new byte[0]));
        var whole = Files.readAllBytes(legacy(1, 1, 2));
        for (int length = 0; length < whole.length; length++) {
            if (length == whole.length - 9 || length == whole.length - 5) continue;        // the chunks and the text may be left out
            assertRefused("", Files.write(folder.resolve("cut"), Arrays.copyOf(whole, length)));
        }
        assertRefused("is a GGUF file but no importance matrix", TestData.stories());
    }

    private static void assertRefused(String part, Path path) {
        var message = assertThrows(ModelException.class, () -> ImportanceMatrix.read(path)).getMessage();
        assertTrue(message.contains(part), message);
    }
}
