package inkstone.tensor.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsTest {
    private static final Path DATA = Path.of(System.getProperty("inkstone.data", "data"));
    static final String VALID = """
        {"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2,3],"data_offsets":[16,28]},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},
         "scalar":{"dtype":"BF16","shape":[],"data_offsets":[28,30]},"ids":{"dtype":"I64","shape":[1,2],"data_offsets":[30,46]},
         "none":{"dtype":"F32","shape":[0,3],"data_offsets":[46,46]}} \
        """;
    static final int VALID_DATA = 46;

    @Test void tensorsAreReadInTheOrderOfTheirData() {
        try (var file = read(VALID, VALID_DATA)) {
            assertEquals(List.of(new TensorInfo("a", DType.F32, new Shape(4)), new TensorInfo("b", DType.F16, new Shape(2, 3)),
                new TensorInfo("scalar", DType.BF16, new Shape(1))), List.copyOf(file.tensors().values()));
            assertArrayEquals(new byte[] {16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27}, file.data("b").toArray(JAVA_BYTE));
            assertEquals("pt", file.metadata().string("format"));
            assertTrue(file.data("a").isReadOnly());
        }
    }

    @Test void tensorsOfOtherTypesAreListedApart() {
        try (var file = read(VALID, VALID_DATA)) {
            assertEquals(Map.of("ids", "I64", "none", "an empty F32"), file.unsupported());
            refused("tensor ids is I64, which has no kernel here", () -> file.data("ids"));
        }
    }

    @Test void aHeaderThatDoesNotFitIsRefused() {
        refused("it looks like a GGUF file", () -> Safetensors.read(MemorySegment.ofArray(GgufBytes.valid().toArray()), "test", Arena.ofConfined()));
        refused("it looks like an empty file", () -> Safetensors.read(MemorySegment.ofArray(new byte[0]), "test", Arena.ofConfined()));
        refused("a header of 1000 bytes does not fit", () -> Safetensors.read(MemorySegment.ofArray(file("{}", 10, 1_000)), "test", Arena.ofConfined()));
        refused("is not a safetensors file", () -> Safetensors.read(MemorySegment.ofArray(file("{}", 10, -1)), "test", Arena.ofConfined()));
        refused("is not a safetensors file", () -> Safetensors.read(MemorySegment.ofArray(file("{}", 10, 100_000_001)), "test", Arena.ofConfined()));
        refused("header is not JSON as expected", () -> read("{\"a\":", 0));
        refused("has text after its JSON", () -> read("{} {}", 0));
        refused("Duplicate Object property", () -> read("{\"a\":" + entry("F32", "[1]", "[0,4]") + ",\"a\":" + entry("F32", "[1]", "[4,8]") + "}", 8));
        refused("nesting depth", () -> read("{\"a\":{\"x\":" + "[".repeat(100_000), 0));
        refused("metadata__ k should be a string", () -> read("{\"__metadata__\":{\"k\":1}}", 0));
        var notUtf8 = file("{\"a\":0}", 0, 7);
        notUtf8[10] = (byte) 0xFF;
        refused("header is not UTF-8", () -> Safetensors.read(MemorySegment.ofArray(notUtf8), "test", Arena.ofConfined()));
    }

    @Test void anEntryThatContradictsItselfIsRefused() {
        refused("a is F32 [2, 3] of 24 bytes, but has 20", () -> one("F32", "[2,3]", "[0,20]", 20));
        refused("a ends at 0, before it begins at 4", () -> one("F32", "[1]", "[4,0]", 4));
        refused("more than any file holds", () -> one("F32", "[2147483647,2147483647,2147483647]", "[0,4]", 4));
        refused("more than any file holds", () -> one("F32", "[4294967296]", "[0,4]", 4));
        refused("should have whole numbers", () -> one("F32", "[-1]", "[0,4]", 4));
        refused("should have whole numbers", () -> one("F32", "[1.0]", "[0,4]", 4));
        refused("out of range", () -> one("F32", "[1]", "[0,99999999999999999999]", 4));
        refused("has more than 8 numbers", () -> one("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]", 4));
        refused("needs dtype, shape and two data_offsets", () -> read("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4));
        refused("a should be a JSON object", () -> read("{\"a\":3}", 0));
    }

    @Test void dataHasNeitherOverlapNorHole() {
        refused("tensor b begins at 4, but the one before ends at 8",
            () -> read("{\"a\":" + entry("F32", "[2]", "[0,8]") + ",\"b\":" + entry("F32", "[1]", "[4,8]") + "}", 8));
        refused("tensor a begins at 4, but the one before ends at 0", () -> one("F32", "[1]", "[4,8]", 8));
        refused("tensor a ends at 4 of the data, which has 3", () -> one("F32", "[1]", "[0,4]", 3));
        refused("1 bytes follow the last tensor", () -> one("F32", "[1]", "[0,4]", 5));
    }

    @Test void shardsAreReadThroughTheirIndex(@TempDir Path folder) throws IOException {
        Files.writeString(folder.resolve("model.safetensors.index.json"), index("a", "one.safetensors", "b", "two.safetensors"));
        Files.write(folder.resolve("one.safetensors"), file("{\"__metadata__\":{\"format\":\"pt\"},\"a\":" + entry("F32", "[1]", "[0,4]") + "}", 4));
        Files.write(folder.resolve("two.safetensors"), file("{\"b\":" + entry("I64", "[1]", "[0,8]") + ",\"c\":" + entry("F16", "[2]", "[8,12]") + "}", 12));
        try (var file = Safetensors.open(folder)) {
            assertEquals(Set.of("a", "c"), file.tensors().keySet());
            assertEquals(Set.of("b"), file.unsupported().keySet());
            assertArrayEquals(new byte[] {8, 9, 10, 11}, file.data("c").toArray(JAVA_BYTE));
            assertEquals("pt", file.metadata().string("format"));
        }
    }

    @Test void anIndexThatDoesNotFitItsShardsIsRefused(@TempDir Path folder) throws IOException {
        refused("has neither model.safetensors nor", () -> Safetensors.open(folder));
        var index = folder.resolve("model.safetensors.index.json");
        Files.write(folder.resolve("one.safetensors"), file("{\"a\":" + entry("F32", "[1]", "[0,4]") + "}", 4));
        Files.copy(folder.resolve("one.safetensors"), folder.resolve("two.safetensors"));
        for (var name : List.of("../one.safetensors", "/etc/one.safetensors", "..\\\\one.safetensors", "sub/one.safetensors", "one.gguf", "", ".safetensors",
            "one.safetensors\\u0000.safetensors")) {
            Files.writeString(index, index("a", name));
            refused("should name a .safetensors file in the same folder", () -> Safetensors.open(folder));
        }
        Files.writeString(index, index("x", "one.safetensors"));
        refused("says that one.safetensors holds tensor x, but it does not", () -> Safetensors.open(folder));
        Files.writeString(index, index("a", "one.safetensors", "A", "two.safetensors").replace("\"A\"", "\"\\u0061\""));
        refused("Duplicate Object property", () -> Safetensors.open(folder));
        Files.write(folder.resolve("two.safetensors"), file("{\"a\":" + entry("F32", "[1]", "[0,4]") + ",\"b\":" + entry("F32", "[1]", "[4,8]") + "}", 8));
        Files.writeString(index, index("a", "one.safetensors", "b", "two.safetensors"));
        refused("tensor a is in two.safetensors and in another shard", () -> Safetensors.open(folder));
        Files.writeString(index, index("a", "three.safetensors"));
        assertThrows(IOException.class, () -> Safetensors.open(folder));
        Files.writeString(index, "{}");
        refused("has no weight_map", () -> Safetensors.open(folder));
    }

    @Test void realFilesOpen() throws IOException {
        var folder = DATA.resolve("weights-taesd");
        assumeTrue(Files.isDirectory(folder), "skipped: the TAESD weights are not in " + folder);
        try (var files = Files.list(folder)) {
            for (var path : files.filter(f -> f.toString().endsWith(".safetensors")).toList()) {
                try (var file = Safetensors.open(path)) { assertTrue(file.tensors().size() > 60, path.toString()); }
            }
        }
    }

    /** A file whose data bytes count up from 0. */
    static byte[] file(String header, int data, long headerBytes) {
        var text = header.getBytes(StandardCharsets.UTF_8);
        var file = ByteBuffer.allocate(8 + text.length + data).order(ByteOrder.LITTLE_ENDIAN).putLong(headerBytes).put(text);
        for (int i = 0; i < data; i++) file.put((byte) i);
        return file.array();
    }

    static byte[] file(String header, int data) { return file(header, data, header.getBytes(StandardCharsets.UTF_8).length); }

    static String entry(String dtype, String shape, String offsets) {
        return "{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":%s}".formatted(dtype, shape, offsets);
    }

    static String index(String... namesAndShards) {
        var map = new StringBuilder();
        for (int i = 0; i < namesAndShards.length; i += 2) {
            map.append(i == 0 ? "" : ",").append("\"%s\":\"%s\"".formatted(namesAndShards[i], namesAndShards[i + 1]));
        }
        return "{\"metadata\":{\"total_size\":8},\"weight_map\":{%s}}".formatted(map);
    }

    private static Safetensors read(String header, int data) {
        return Safetensors.read(MemorySegment.ofArray(file(header, data)), "test.safetensors", Arena.ofConfined());
    }

    private static Safetensors one(String dtype, String shape, String offsets, int data) { return read("{\"a\":" + entry(dtype, shape, offsets) + "}", data); }

    private static void refused(String part, Executable read) {
        var message = assertThrows(ModelException.class, read).getMessage();
        assertTrue(message.contains(part), message);
    }
}
