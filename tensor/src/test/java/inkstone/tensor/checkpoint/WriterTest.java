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
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class WriterTest {
    private static final Path DATA = Path.of(System.getProperty("inkstone.data", "data"));

    @TempDir Path folder;

    @Test void ggufIsLaidOutAsTheFormatSays() throws IOException {
        var path = folder.resolve("a.gguf");
        new GgufWriter().string("general.architecture", "llama").u32("general.alignment", 64)
            .u32("u32", 4_000_000_000L).u64("u64", 5).f32("f32", 1.5f).bool("bool", true)
            .strings("tokens", List.of("a", "é")).i32s("types", 1, -1).f32s("scores", -1, 0.25f)
            .tensor(new TensorInfo("a", DType.F32, new Shape(2, 3)), TensorData.of(MemorySegment.ofArray(new float[] {0, 1, 2, 3, 4, 5})))
            .tensor(new TensorInfo("b", DType.Q8_0, new Shape(2, 32)), out -> { for (int row = 0; row < 2; row++) out.write(MemorySegment.ofArray(new byte[34])); })
            .write(path);
        var expected = GgufBytes.header(2, 9).key("general.architecture", GgufType.STRING).text("llama").key("general.alignment", GgufType.U32).u32(64)
            .key("u32", GgufType.U32).u32(4_000_000_000L).key("u64", GgufType.U64).u64(5)
            .key("f32", GgufType.F32).u32(Float.floatToIntBits(1.5f)).key("bool", GgufType.BOOL).raw(1)
            .array("tokens", GgufType.STRING, 2).text("a").text("é").array("types", GgufType.I32, 2).u32(1).u32(-1)
            .array("scores", GgufType.F32, 2).u32(Float.floatToIntBits(-1)).u32(Float.floatToIntBits(0.25f))
            .tensor("a", 0, 0, 3, 2).tensor("b", 8, 64, 32, 2).pad(64);
        for (int i = 0; i < 6; i++) expected.u32(Float.floatToIntBits(i));
        assertArrayEquals(expected.pad(64).zeros(68).pad(64).toArray(), Files.readAllBytes(path));
    }

    @Test void whatTheDiskHasNoRoomForIsNotBegun() throws IOException {
        var huge = new GgufWriter().tensor(new TensorInfo("a", DType.F32, new Shape(1 << 30, 1 << 30)), out -> { throw new AssertionError("nothing should be asked for"); });
        var refusal = assertThrows(IOException.class, () -> huge.write(folder.resolve("a.gguf")));
        assertTrue(refusal.getMessage().matches(".*a.gguf takes 4,611,686,018,427 MB, its disk has [\\d,]+ MB free; free some or write elsewhere"), refusal.getMessage());
        try (var files = Files.list(folder)) { assertEquals(0, files.count()); }
    }

    @Test void safetensorsAreLaidOutAsTheFormatSays() throws IOException {
        var path = folder.resolve("a.safetensors");
        new SafetensorsWriter().metadata("format", "pt")
            .tensor(new TensorInfo("half \"x\"", DType.F16, new Shape(3)), TensorData.of(MemorySegment.ofArray(new byte[] {1, 2, 3, 4, 5, 6})))
            .tensor(new TensorInfo("whole", DType.F32, new Shape(1, 2)), TensorData.of(MemorySegment.ofArray(new byte[] {7, 8, 9, 10, 11, 12, 13, 14})))
            .write(path);
        var bytes = Files.readAllBytes(path);
        int header = bytes[0] & 0xFF | (bytes[1] & 0xFF) << 8;
        assertEquals(0, header % 8);
        assertEquals("""
            {"__metadata__":{"format":"pt"},"whole":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"half \\"x\\"":{"dtype":"F16","shape":[3],"data_offsets":[8,14]}}""",
            new String(bytes, 8, header, StandardCharsets.UTF_8).stripTrailing());
        try (var file = Safetensors.open(path)) {
            assertArrayEquals(new byte[] {1, 2, 3, 4, 5, 6}, file.data("half \"x\"").toArray(JAVA_BYTE));
            assertArrayEquals(new byte[] {7, 8, 9, 10, 11, 12, 13, 14}, file.data("whole").toArray(JAVA_BYTE));
        }
    }

    @Test void copyingKeepsTypesAndBytesThatAreNotUtf8() throws IOException {
        var bytes = GgufBytes.header(0, 3).key("small", GgufType.I16).raw(0xFE, 0xFF).array("tokens", GgufType.STRING, 1).u64(1).raw(0xC3)
            .array("nested", GgufType.ARRAY, 1).u32(GgufType.U8.ordinal()).u64(1).raw(7).pad(32).toArray();
        var path = Files.write(folder.resolve("a.gguf"), bytes);
        assertArrayEquals(Files.readAllBytes(path), Files.readAllBytes(rewritten(path)));
    }

    @Test void realFilesAreRewrittenByteForByte() throws IOException {
        var path = DATA.resolve("weights-llama-stories260K/stories260K-f32.gguf");
        assumeTrue(Files.exists(path), "skipped: stories260K is not at " + path);
        assertEquals(-1, Files.mismatch(path, rewritten(path)));
        var safetensors = path.resolveSibling("model.safetensors");
        try (var file = Safetensors.open(safetensors)) {
            var writer = new SafetensorsWriter();
            file.metadata().values().forEach((key, value) -> writer.metadata(key, (String) value));
            file.tensors().values().forEach(info -> writer.tensor(info, TensorData.of(file.data(info.name()))));
            var copy = folder.resolve("copy.safetensors");
            writer.write(copy);
            try (var copied = Safetensors.open(copy)) {
                assertEquals(file.tensors(), copied.tensors());
                assertEquals(file.metadata().values(), copied.metadata().values());
                for (var name : file.tensors().keySet()) assertEquals(-1, file.data(name).mismatch(copied.data(name)), name);
            }
        }
    }

    @Test void aFileMayReplaceTheOneItIsMadeFrom() throws IOException {
        var path = folder.resolve("a.gguf");
        one(new float[] {1, 2}).write(path);
        try (var file = Gguf.open(path)) {
            new GgufWriter().tensor(file.tensors().get("x"), TensorData.of(file.data("x"))).bool("rewritten", true).write(path);
            assertEquals(2, file.data("x").byteSize() / 4);
        }
        try (var file = Gguf.open(path)) { assertTrue(file.metadata().bool("rewritten")); }
    }

    @Test void afterAFailureTheOldFileIsThereAndNothingElse() throws IOException {
        var path = folder.resolve("a.gguf");
        one(new float[] {1, 2}).write(path);
        var before = Files.readAllBytes(path);
        var info = new TensorInfo("x", DType.F32, new Shape(1_000_000));
        for (TensorData source : List.<TensorData>of(
            out -> { out.write(MemorySegment.ofArray(new byte[3_000_000])); throw new IOException("disk full"); },
            out -> out.write(MemorySegment.ofArray(new byte[3_999_999])),
            out -> { while (true) out.write(MemorySegment.ofArray(new byte[1_000_000])); })) {
            assertThrows(Exception.class, () -> new GgufWriter().tensor(info, source).write(path));
            assertThrows(Exception.class, () -> new SafetensorsWriter().tensor(info, source).write(path));
            assertArrayEquals(before, Files.readAllBytes(path));
            try (var files = Files.list(folder)) { assertEquals(List.of(path), files.toList()); }
        }
    }

    @Test void mistakesAreNamedBeforeAnythingIsWritten() {
        mistake("metadata key k is given twice", () -> new GgufWriter().bool("k", true).bool("k", true));
        mistake("metadata key 'ké' should be", () -> new GgufWriter().bool("ké", true));
        mistake("k: -1 is not an unsigned 32-bit integer", () -> new GgufWriter().u32("k", -1));
        mistake("general.alignment should be a power of two", () -> new GgufWriter().u32("general.alignment", 24));
        mistake("has 64 bytes, GGUF allows 63", () -> new GgufWriter().tensor(new TensorInfo("x".repeat(64), DType.F32, new Shape(1)), _ -> { }));
        mistake("GGUF has no shape [1, 1, 1, 1, 1]", () -> new GgufWriter().tensor(new TensorInfo("x", DType.F32, new Shape(1, 1, 1, 1, 1)), _ -> { }));
        mistake("are not whole blocks of Q4_0", () -> new GgufWriter().tensor(new TensorInfo("x", DType.Q4_0, new Shape(32, 172)), _ -> { }));
        mistake("tensor x is given twice", () -> one(new float[1]).tensor(new TensorInfo("x", DType.F32, new Shape(1)), _ -> { }));
        mistake("safetensors has no Q4_0", () -> new SafetensorsWriter().tensor(new TensorInfo("x", DType.Q4_0, new Shape(32)), _ -> { }));
        assertThrows(ModelException.class, () -> new GgufWriter().copy(GgufBytes.valid().read(), "absent"));
    }

    private static GgufWriter one(float[] values) {
        return new GgufWriter().tensor(new TensorInfo("x", DType.F32, new Shape(values.length)), TensorData.of(MemorySegment.ofArray(values)));
    }

    private Path rewritten(Path path) throws IOException {
        var copy = folder.resolve("copy.gguf");
        try (var file = Gguf.open(path)) {
            var writer = new GgufWriter();
            file.metadata().values().keySet().forEach(key -> writer.copy(file, key));
            file.tensors().values().forEach(info -> writer.tensor(info, TensorData.of(file.data(info.name()))));
            writer.write(copy);
        }
        return copy;
    }

    private static void mistake(String part, Executable call) {
        var message = assertThrows(IllegalArgumentException.class, call).getMessage();
        assertTrue(message.contains(part), message);
    }
}
