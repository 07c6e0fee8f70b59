package inkstone.tensor.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Models over several files, as llama-gguf-split lays them out: metadata and perhaps no tensor in the first. */
class GgufPartsTest {
    @TempDir Path folder;

    private Path part(String name, int no, int count, int tensors, String... names) throws IOException {
        var writer = new GgufWriter();
        if (no == 0) writer.string("general.architecture", "llama");
        writer.u32("split.no", no).u32("split.count", count).u32("split.tensors.count", tensors);
        for (var tensor : names) writer.tensor(new TensorInfo(tensor, DType.F32, new Shape(1)), out -> out.write(MemorySegment.ofArray(new byte[] {(byte) tensor.charAt(0), 0, 0, 0})));
        writer.write(folder.resolve(name));
        return folder.resolve(name);
    }

    private void refused(String part, Path path) {
        var message = assertThrows(ModelException.class, () -> Gguf.open(path)).getMessage();
        assertTrue(message.contains(part), message);
    }

    @Test void theFirstPartOpensAll() throws IOException {
        var first = part("m-00001-of-00003.gguf", 0, 3, 3);
        part("m-00002-of-00003.gguf", 1, 3, 3, "a", "b");
        part("m-00003-of-00003.gguf", 2, 3, 3, "c");
        try (var file = Gguf.open(first)) {
            assertEquals(List.of("a", "b", "c"), List.copyOf(file.tensors().keySet()));
            assertEquals("llama", file.metadata().string("general.architecture"));
            for (var name : file.tensors().keySet()) assertArrayEquals(new byte[] {(byte) name.charAt(0), 0, 0, 0}, file.data(name).toArray(JAVA_BYTE));
        }
    }

    @Test void partsThatDoNotFitAreNamed() throws IOException {
        var first = part("m-00001-of-00002.gguf", 0, 2, 2, "a");
        refused("part 2 is missing: put m-00002-of-00002.gguf beside it", first);
        refused("is part 2 of 2 of a model; open the first part, m-00001-of-00002.gguf", part("m-00002-of-00002.gguf", 1, 2, 2, "b"));
        part("m-00002-of-00002.gguf", 0, 2, 2, "b");
        refused("m-00002-of-00002.gguf should be part 2 of 2", first);
        part("m-00002-of-00002.gguf", 1, 2, 2, "a");
        refused("tensor a is in another part of the model as well", first);
        part("m-00002-of-00002.gguf", 1, 2, 2, "b", "c");
        refused("should hold 2 tensors, and hold 3", first);
        refused("name it as it was, NAME-00001-of-00002.gguf", Files.copy(first, folder.resolve("renamed.gguf")));
    }
}
