package inkstone.tensor.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class GgufTest {
    private static final Path DATA = Path.of(System.getProperty("inkstone.data", "data"));

    @Test void everyValueTypeIsRead() {
        try (var file = GgufBytes.valid().read()) {
            var metadata = file.metadata();
            assertEquals("llama", metadata.string("general.architecture"));
            assertEquals(List.of(255L, -1L, 65_535L, -2L, 4_000_000_000L, -3L, Long.MAX_VALUE, -4L),
                List.of("u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64").stream().map(metadata.values()::get).toList());
            assertEquals(1.5, metadata.values().get("f32"));
            assertEquals(Math.PI, metadata.values().get("f64"));
            assertTrue(metadata.bool("bool"));
            assertEquals(List.of("a", "é", ""), metadata.strings("tokens"));
            assertArrayEquals(new double[] {-1, 0.25}, metadata.floats("scores"));
            assertArrayEquals(new long[] {1, -1, 6}, metadata.integers("types"));
            var nested = (List<?>) metadata.values().get("nested");
            assertArrayEquals(new boolean[] {true, false}, (boolean[]) nested.get(0));
            assertArrayEquals(new long[] {7}, (long[]) nested.get(1));
        }
    }

    @Test void tensorsHaveTheirShapesOutermostFirstAndTheirBytes() {
        try (var file = GgufBytes.valid().read()) {
            assertEquals(List.of(new TensorInfo("a", DType.F32, new Shape(2, 3)), new TensorInfo("b", DType.Q8_0, new Shape(2, 32))),
                List.copyOf(file.tensors().values()));
            assertEquals(5, file.data("a").get(JAVA_FLOAT_UNALIGNED, 20));
            assertEquals(68, file.data("b").byteSize());
            assertTrue(file.data("a").isReadOnly());
        }
    }

    @Test void aTensorWithoutKernelIsNamedWhenItIsAskedFor() {
        try (var file = GgufBytes.valid().read()) {
            assertEquals(Map.of("c", "IQ2_XXS"), file.unsupported());
            refused("tensor c is IQ2_XXS, which has no kernel here; use a file of the same model in one of F32, F16, BF16, Q8_0, Q4_0, Q4_1, ", () -> file.data("c"));
            refused("has no tensor d", () -> file.data("d"));
        }
    }

    @Test void textThatIsNotUtf8IsReadWithReplacementCharacters() {
        try (var file = GgufBytes.header(0, 1).array("tokens", GgufType.STRING, 1).u64(2).raw(0xC3, 'x').read()) {
            assertEquals(List.of("\uFFFDx"), file.metadata().strings("tokens"));
        }
    }

    @Test void aVocabularyWithoutTensorsOpens() {
        try (var file = GgufBytes.header(0, 1).key("x", GgufType.BOOL).raw(0).read()) { assertEquals(Map.of(), file.tensors()); }
    }

    @Test void otherFilesAreNamedForWhatTheyAre() {
        refused("a zip archive, perhaps a PyTorch checkpoint", () -> new GgufBytes().raw("PK\3\4....").read());
        refused("a safetensors file", () -> new GgufBytes().u64(20).raw("{\"a\":0}").read());
        refused("a git-lfs pointer", () -> new GgufBytes().raw("version https://git-lfs.github.com/spec/v1\n").read());
        refused("a web page", () -> new GgufBytes().raw("<!doctype html>").read());
        refused("an empty file", () -> new GgufBytes().read());
        refused("it looks like text", () -> new GgufBytes().raw("hello there").read());
        refused("neither GGUF nor safetensors", () -> new GgufBytes().zeros(100).read());
    }

    @Test void otherVersionsAndByteOrdersAreRefused() {
        refused("is GGUF version 1", () -> new GgufBytes().raw("GGUF").u32(1).zeros(16).read());
        refused("is GGUF version 4; versions 2 and 3", () -> new GgufBytes().raw("GGUF").u32(4).zeros(16).read());
        refused("is a big-endian GGUF file", () -> new GgufBytes().raw("GGUF").raw(0, 0, 0, 3).zeros(16).read());
        try (var file = new GgufBytes().raw("GGUF").u32(2).zeros(16).read()) { assertEquals(Map.of(), file.metadata().values()); }
    }

    @Test void sizesThatDoNotFitTheFileAreRefusedBeforeTheyAreUsed() {
        refused("tensor count of 18446744073709551615 does not fit", () -> GgufBytes.header(-1, 0).read());
        refused("metadata count of 4611686018427387904 does not fit", () -> GgufBytes.header(0, 1L << 62).zeros(100).read());
        refused("metadata entry 0 has text of 9223372036854775807 bytes", () -> GgufBytes.header(0, 1).u64(Long.MAX_VALUE).zeros(100).read());
        refused("metadata key k array of 1000000000000 does not fit", () -> GgufBytes.header(0, 1).array("k", GgufType.U8, 1_000_000_000_000L).zeros(100).read());
        refused("promises 0 tensors and 70000 metadata entries", () -> GgufBytes.header(0, 70_000).zeros(1_000_000).read());
        refused("metadata key k does not fit: the file ends after 41 bytes", () -> GgufBytes.header(0, 1).key("k", GgufType.U64).u32(0).read());
        refused("metadata key k is 18446744073709551615, larger than", () -> GgufBytes.header(0, 1).key("k", GgufType.U64).u64(-1).read());
    }

    @Test void contradictionsInMetadataAreRefused() {
        refused("metadata key k appears twice", () -> GgufBytes.header(0, 2).key("k", GgufType.BOOL).raw(0).key("k", GgufType.BOOL).raw(0).read());
        refused("has unknown value type 13", () -> GgufBytes.header(0, 1).text("k").u32(13).zeros(8).read());
        refused("should be a boolean, 0 or 1, found 2", () -> GgufBytes.header(0, 1).key("k", GgufType.BOOL).raw(2).read());
        for (long alignment : new long[] {0, 3, 1L << 31}) {
            refused("general.alignment should be a power of two, found " + alignment,
                () -> GgufBytes.header(0, 1).key("general.alignment", GgufType.U32).u32(alignment).read());
        }
        refused("general.alignment should be a power of two, found String",
            () -> GgufBytes.header(0, 1).key("general.alignment", GgufType.STRING).text("32").read());
        var deep = GgufBytes.header(0, 1).key("k", GgufType.ARRAY);
        for (int i = 0; i < 10_000; i++) deep.u32(GgufType.ARRAY.ordinal()).u64(1);
        refused("nests arrays deeper than 4", deep::read);
    }

    @Test void contradictionsInTensorsAreRefused() {
        refused("tensor t appears twice", () -> GgufBytes.header(2, 0).tensor("t", 0, 0, 8).tensor("t", 0, 32, 8).pad(32).zeros(64).read());
        refused("should have 1 to 4 dimensions, has 5", () -> GgufBytes.header(1, 0).tensor("t", 0, 0, 1, 1, 1, 1, 1).pad(32).zeros(64).read());
        refused("should have 1 to 4 dimensions, has 0", () -> GgufBytes.header(1, 0).tensor("t", 0, 0).pad(32).zeros(64).read());
        refused("tensor t has a dimension of 0", () -> GgufBytes.header(1, 0).tensor("t", 0, 0, 0).pad(32).zeros(64).read());
        refused("tensor t has a dimension of 18446744073709551615", () -> GgufBytes.header(1, 0).tensor("t", 0, 0, -1).pad(32).zeros(64).read());
        refused("has more elements than any file holds", () -> GgufBytes.header(1, 0).tensor("t", 0, 0, 1 << 30, 1 << 30, 1 << 30).pad(32).zeros(64).read());
        refused("more than the whole file", () -> GgufBytes.header(1, 0).tensor("t", 0, 0, 1 << 30, 1 << 30).pad(32).zeros(64).read());
        refused("rows of 33 elements are not whole blocks of 32", () -> GgufBytes.header(1, 0).tensor("t", 8, 0, 33).pad(32).zeros(64).read());
        refused("should begin at a multiple of 32, begins at 4", () -> GgufBytes.header(1, 0).tensor("t", 0, 4, 8).pad(32).zeros(64).read());
        refused("needs 32 bytes at 64 of the data, which has 64", () -> GgufBytes.header(1, 0).tensor("t", 0, 64, 8).pad(32).zeros(64).read());
        refused("needs 32 bytes at 0 of the data, which has 31", () -> GgufBytes.header(1, 0).tensor("t", 0, 0, 8).pad(32).zeros(31).read());
    }

    @Test void messagesShowHostileNamesOnOneShortLine() {
        var name = "x\n\u001B[2J\u202E" + "y".repeat(1_000);
        var message = assertThrows(ModelException.class, () -> GgufBytes.header(1, 0).tensor(name, 0, 4, 8).pad(32).zeros(64).read()).getMessage();
        assertTrue(message.contains("x??[2J?yyy") && message.length() < 250, message);
    }

    @Test void emptyFilesFoldersAndAbsentFilesAreNamed(@TempDir Path folder) throws IOException {
        refused("is empty", () -> open(Files.createFile(folder.resolve("empty.gguf"))));
        refused("is a folder", () -> open(folder));
        assertThrows(IOException.class, () -> Gguf.open(folder.resolve("absent.gguf")));
    }

    @Test void tensorsBeyondTwoGigabytesAreReached(@TempDir Path folder) throws IOException {
        var path = folder.resolve("sparse.gguf");
        long rows = 1L << 20, row = 1024, far = rows * row * 4;                                       // 4 GiB of a file that takes no disk
        var head = GgufBytes.header(2, 0).tensor("near", 0, 0, row, rows).tensor("far", 0, far, 8).pad(32).toArray();
        try (var file = new RandomAccessFile(path.toFile(), "rw")) {
            file.write(head);
            file.seek(head.length + far);
            file.write(new byte[] {0, 0, (byte) 0x80, 0x3F});
            file.setLength(head.length + far + 32);
        }
        try (var file = open(path)) {
            assertEquals(far, file.data("near").byteSize());
            assertEquals(1, file.data("far").get(JAVA_FLOAT_UNALIGNED, 0));
        }
    }

    @Test void dataIsGoneAfterClose(@TempDir Path folder) throws IOException {
        var file = open(Files.write(folder.resolve("valid.gguf"), GgufBytes.valid().toArray()));
        var data = file.data("a");
        file.close();
        file.close();
        assertThrows(IllegalStateException.class, () -> data.get(JAVA_FLOAT_UNALIGNED, 0));
    }

    @Test void aVocabularyOfManyStringsLoadsInLinearTime() {
        var file = GgufBytes.header(0, 1).array("tokens", GgufType.STRING, 150_000);
        for (int i = 0; i < 150_000; i++) file.text("token" + i);
        var bytes = MemorySegment.ofArray(file.toArray());
        long start = System.nanoTime();
        assertEquals("token149999", Gguf.read(bytes, "test", Arena.ofConfined()).metadata().strings("tokens").getLast());
        long millis = (System.nanoTime() - start) / 1_000_000;
        assertTrue(millis < 2_000, millis + " ms: 20 are usual, and ten times that on a cold machine");
    }

    @Test void realVocabulariesOpen() throws IOException {
        var folder = DATA.resolve("tokenizers");
        assumeTrue(Files.isDirectory(folder), "skipped: the vocabularies are not in " + folder);
        try (var files = Files.list(folder)) {
            for (var path : files.filter(f -> f.toString().endsWith(".gguf")).toList()) {
                try (var file = open(path)) { assertTrue(file.metadata().strings("tokenizer.ggml.tokens").size() > 30_000, path.toString()); }
            }
        }
    }

    private static Gguf open(Path path) {
        try {
            return Gguf.open(path);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void refused(String part, Executable read) {
        var message = assertThrows(ModelException.class, read).getMessage();
        assertTrue(message.contains(part), message);
    }
}
