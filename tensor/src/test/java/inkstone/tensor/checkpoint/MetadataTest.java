package inkstone.tensor.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import inkstone.tensor.ModelException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class MetadataTest {
    private final Metadata metadata = new Metadata("a.gguf",
        Map.of("long", 3L, "large", 1L << 40, "double", 0.5, "text", "x", "texts", List.of("x"), "longs", new long[] {1}, "none", List.of()));

    @Test void absentValuesHaveTheirDefault() {
        assertEquals(7, metadata.integer("absent", 7));
        assertEquals(3, metadata.integer("long", 7));
        assertEquals(3f, metadata.floating("long"));
        assertEquals(0.5f, metadata.floating("double", 1));
        assertEquals(List.of(), metadata.strings("none"));
    }

    @Test void messagesSayWhatWasExpectedAndWhatCame() {
        refused("a.gguf: absent is missing (expected an integer)", () -> metadata.integer("absent"));
        refused("a.gguf: text should be an integer, found a string", () -> metadata.integer("text", 1));
        refused("a.gguf: texts should be a number, found an array of strings", () -> metadata.floating("texts"));
        refused("a.gguf: longs should be an array of strings, found an array of integers", () -> metadata.strings("longs"));
        refused("a.gguf: large is 1099511627776, which no reader expects", () -> metadata.integer("large"));
    }

    private static void refused(String expected, Executable read) { assertEquals(expected, assertThrows(ModelException.class, read).getMessage()); }
}
