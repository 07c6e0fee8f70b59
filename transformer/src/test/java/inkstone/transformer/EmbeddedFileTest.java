package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.ModelException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedFileTest {
    private static final EmbeddedFile FILE = new EmbeddedFile(EmbeddedFileTest.class, "Blot.gguf");

    @TempDir private Path folder;

    @Test void aBuildWithoutItSaysSo() {
        assertFalse(FILE.present());
        assertTrue(assertThrows(ModelException.class, () -> FILE.file(folder)).getMessage().contains("Blot.gguf"));
    }

    @Test void itIsUnpackedOnceAndMendedWhereDamaged() throws IOException {
        var bytes = "the model".getBytes();
        var file = FILE.unpacked(bytes, folder.resolve("not/there/before"));
        assertTrue(file.startsWith(folder) && file.endsWith("Blot.gguf"), file.toString());
        assertArrayEquals(bytes, Files.readAllBytes(file));
        var key = Files.readAttributes(file, "fileKey,lastModifiedTime");
        assertEquals(file, FILE.unpacked(bytes, folder.resolve("not/there/before")));
        assertEquals(key, Files.readAttributes(file, "fileKey,lastModifiedTime"), "written once");
        Files.writeString(file, "the mode!");
        assertEquals(file, FILE.unpacked(bytes, folder.resolve("not/there/before")));
        assertArrayEquals(bytes, Files.readAllBytes(file));
        assertNotEquals(file, FILE.unpacked("another".getBytes(), folder.resolve("not/there/before")));
        try (var left = Files.list(file.getParent())) { assertEquals(List.of(file), left.toList()); }
    }

    @Test void whereNothingCanBeWrittenItIsUnpackedForThisRun() throws IOException {
        var occupied = Files.writeString(folder.resolve("occupied"), "a file where the folder should be");
        var file = FILE.unpacked("the model".getBytes(), occupied);
        assertFalse(file.startsWith(folder), file.toString());
        assertEquals("the model", Files.readString(file));
    }
}
