package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.Shape;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.TensorInfo;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.reference.ReferenceBackend;
import inkstone.tokenizer.MarkedText;
import inkstone.transformer.Converter.Progress;
import inkstone.transformer.Converter.Quantization;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConverterTest {
    private static final Progress SILENT = (name, written, all) -> { };
    private static final int THREADS = 2;

    @TempDir Path directory;

    private static float[] logits(Path file) throws IOException {
        try (var backend = new ReferenceBackend(); var model = Models.open(file, backend); var scope = Scope.inference(backend)) {
            int[] tokens = model.tokenizer().encodePrompt(MarkedText.trusted(TestData.storiesText().substring(0, 300)));
            return model.model().logits(model.model().forward(scope.ints(tokens), Packed.of(scope, tokens.length))).toFloats();
        }
    }

    @Test void aHuggingFaceDirectoryBecomesAFileThatTellsTheSameStory() throws IOException {
        var target = directory.resolve("stories.gguf");
        var source = TestData.storiesDirectory(Files.createDirectory(directory.resolve("stories260K")));
        Files.writeString(source.resolve("chat_template.jinja"), "{{ messages[0].content }}");
        var told = new ArrayList<String>();
        var summary = Converter.convert(source, target, DType.F32, THREADS, (name, written, all) -> told.add(name + " " + written + "/" + all));
        assertEquals(47, summary.tensors());
        assertEquals(Map.of(DType.F32, 47), summary.formats());
        assertEquals(Files.size(target), summary.bytesWritten());
        assertEquals(summary.parameters() * 4, summary.bytesRead());
        assertTrue(told.getLast().endsWith(" " + summary.bytesRead() + "/" + summary.bytesRead()), told.getLast());
        try (var backend = new ReferenceBackend()) { StoriesTest.assertTellsTheStory(target, backend); }
        try (var written = Gguf.open(target); var original = Gguf.open(TestData.stories())) {
            assertEquals("stories260K", written.metadata().string("general.name"));
            assertEquals("{{ messages[0].content }}", written.metadata().string("tokenizer.chat_template"));
            assertEquals(original.tensors().keySet(), written.tensors().keySet());
            for (var name : original.tensors().keySet()) {
                assertEquals(-1, original.data(name).mismatch(written.data(name)), name + ": queries and keys are back where llama2.c had them");
            }
        }
    }

    /**
     * Mean squared error of the logits over their mean square, on the first 300 characters of the story, against the F32 file. Measured: F16 5.9e-8, BF16 4.2e-6,
     * Q8_0 3.9e-5, Q4_0 1.2e-2; allowed is about twice that. A wrong scale, nibble order or row is off by more than 1e-1. So small a model suffers more from
     * four bits than large ones do.
     */
    @ParameterizedTest
    @CsvSource({"F16, 1e-7", "BF16, 1e-5", "Q8_0, 1e-4", "Q4_0, 3e-2"})
    void otherFormatsAreAsGoodAsTheirBits(DType type, double tolerance) throws IOException {
        var target = directory.resolve(type + ".gguf");
        var summary = Converter.convert(TestData.stories(), target, type, THREADS, SILENT);
        double error = TestData.normalisedError(logits(TestData.stories()), logits(target));
        assertTrue(error > 0 && error < tolerance, type + ": " + error);
        assertEquals(type.isQuantized() ? 5 : 0, summary.keptF16().size(), "the rows of 172 of ffn_down are not whole blocks of 32");
        assertTrue(summary.keptF16().stream().allMatch(name -> name.endsWith("ffn_down.weight")));
        assertEquals(11, summary.formats().get(DType.F32), "norms stay F32");
        try (var backend = new ReferenceBackend(); var model = Models.open(target, backend)) {
            assertEquals(type.name(), model.format());
            assertEquals(summary.parameters(), model.parameters());
        }
    }

    @Test void everyRowOfTheEmbeddingsGetsAToken() {
        var keys = Map.<String, Object>of("tokenizer.ggml.tokens", List.of("a", "b"), "tokenizer.ggml.token_type", new long[] {1, 3},
            "tokenizer.ggml.add_bos_token", true);
        var padded = Converter.padded(keys, 4);
        assertEquals(List.of("a", "b", "[PAD2]", "[PAD3]"), padded.get("tokenizer.ggml.tokens"));
        assertArrayEquals(new long[] {1, 3, 5, 5}, (long[]) padded.get("tokenizer.ggml.token_type"));
        assertEquals(true, padded.get("tokenizer.ggml.add_bos_token"));
        assertEquals(List.of("a", "b"), Converter.padded(keys, 1).get("tokenizer.ggml.tokens"));
    }

    @Test void theSameFormatIsCopiedByteForByte() throws IOException {
        Path once = directory.resolve("once.gguf"), twice = directory.resolve("twice.gguf");
        Converter.convert(TestData.stories(), once, DType.Q8_0, THREADS, SILENT);
        Converter.convert(once, twice, DType.Q8_0, THREADS, SILENT);
        assertEquals(-1, Files.mismatch(once, twice));
    }

    @Test void aFileMayBeConvertedInPlace() throws IOException {
        var file = directory.resolve("stories.gguf");
        Files.copy(TestData.stories(), file);
        Converter.convert(file, file, DType.F16, THREADS, SILENT);
        try (var written = Gguf.open(file)) { assertEquals(DType.F16, written.tensors().get("token_embd.weight").dtype()); }
    }

    /* Rows of 64 and 172 are no whole blocks of 256: Q4_K_M falls back to Q5_0, Q8_0 and F16 here, as llama.cpp's quantizer does. */
    @Test void aMixtureGivesEachTensorItsFormat() throws IOException {
        var target = directory.resolve("stories-q4_k_m.gguf");
        var summary = Converter.quantize(TestData.stories(), target, new Quantization(QuantizationMixture.Q4_K_M), THREADS, SILENT);
        try (var original = Gguf.open(TestData.stories()); var written = Gguf.open(target)) {
            var formats = QuantizationMixture.Q4_K_M.formats(original.metadata(), original.tensors().values(), MixtureOverrides.NONE, false);
            written.tensors().forEach((name, info) -> assertEquals(formats.get(name), info.dtype(), name));
            assertEquals(15, written.metadata().integer("general.file_type"));
        }
        assertEquals(Files.size(target), summary.bytesWritten());
        try (var backend = new ReferenceBackend()) { Models.open(target, backend).close(); }
        assertThrows(ModelException.class, () -> Converter.quantize(directory, target, new Quantization(QuantizationMixture.Q4_K_M), THREADS, SILENT));
    }

    /** A llama file of one matrix of {@code rows} rows of 256 in F32, its parts of the split kind. */
    private static void write(Path path, float[] weights, int part, int parts, String name) throws IOException {
        var writer = new GgufWriter().string("general.architecture", "llama").u32("llama.block_count", 8);
        if (parts > 1) writer.u32("split.no", part).u32("split.count", parts).u32("split.tensors.count", parts);
        writer.tensor(new TensorInfo(name, DType.F32, new Shape(weights.length / 256, 256)), out -> out.write(MemorySegment.ofArray(weights)));
        writer.write(path);
    }

    private static float[] gaussian(int count, long seed) {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (float) random.nextGaussian();
        return values;
    }

    @ParameterizedTest @CsvSource({"Q4_K_M", "Q6_K", "Q4_0", "IQ4_XS"}) void theFileDoesNotDependOnThreads(QuantizationMixture mixture) throws IOException {
        Path source = directory.resolve("source.gguf"), one = directory.resolve("one.gguf"), many = directory.resolve("many.gguf");
        write(source, gaussian(2_000 * 256, 1), 0, 1, "blk.0.ffn_up.weight");
        Converter.quantize(source, one, new Quantization(mixture), 1, SILENT);
        Converter.quantize(source, many, new Quantization(mixture), 7, SILENT);
        assertEquals(-1, Files.mismatch(one, many));
    }

    @Test void aSplitModelBecomesOneFile() throws IOException {
        Path first = directory.resolve("m-00001-of-00002.gguf"), whole = directory.resolve("whole.gguf");
        float[] a = gaussian(512, 1), b = gaussian(768, 2);
        write(first, a, 0, 2, "blk.0.ffn_up.weight");
        write(directory.resolve("m-00002-of-00002.gguf"), b, 1, 2, "blk.1.ffn_up.weight");
        Converter.quantize(first, whole, new Quantization(QuantizationMixture.F32), THREADS, SILENT);
        try (var file = Gguf.open(whole)) {
            assertArrayEquals(a, file.data("blk.0.ffn_up.weight").toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
            assertArrayEquals(b, file.data("blk.1.ffn_up.weight").toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
            assertTrue(file.metadata().values().keySet().stream().noneMatch(key -> key.startsWith("split.")), "one file is no part");
        }
    }

    @Test void importanceIsThatOfEachExpertsColumns() throws IOException {
        Path source = directory.resolve("source.gguf"), plain = directory.resolve("plain.gguf"), weighted = directory.resolve("weighted.gguf");
        var weights = gaussian(2 * 32 * 256, 3);
        new GgufWriter().string("general.architecture", "llama").u32("llama.block_count", 8)
            .tensor(new TensorInfo("blk.0.ffn_up_exps.weight", DType.F32, new Shape(2, 32, 256)), out -> out.write(MemorySegment.ofArray(weights))).write(source);
        var sums = new float[512];
        for (int i = 0; i < 256; i++) {
            sums[i] = i % 2 == 0 ? 100 : 1;
            sums[256 + i] = i % 2 == 0 ? 1 : 100;
        }
        var importance = new ImportanceMatrix(new TreeMap<>(Map.of("blk.0.ffn_up_exps.weight", new ImportanceMatrix.Entry(sums, new float[] {1, 1}))), List.of(), 1, 512);
        Converter.quantize(source, plain, new Quantization(QuantizationMixture.Q4_K_S), THREADS, SILENT);
        var summary = Converter.quantize(source, weighted, new Quantization(QuantizationMixture.Q4_K_S, MixtureOverrides.NONE, importance, false), THREADS, SILENT);
        assertEquals(List.of(), summary.unweighted());
        for (int expert = 0; expert < 2; expert++) {
            double before = error(plain, weights, sums, expert), after = error(weighted, weights, sums, expert);
            assertTrue(after < 0.97 * before, "expert " + expert + ": weighted error " + after + " with importance, " + before + " without");
        }
    }

    private static double error(Path file, float[] weights, float[] importance, int expert) throws IOException {
        var read = new float[weights.length];
        try (var gguf = Gguf.open(file)) { Blocks.toFloats(DType.Q4_K, gguf.data("blk.0.ffn_up_exps.weight"), 0, read, read.length); }
        double error = 0;
        for (int i = expert * 32 * 256; i < (expert + 1) * 32 * 256; i++) error += importance[expert * 256 + i % 256] * Math.pow(weights[i] - read[i], 2);
        return error;
    }

    @Test void whatIsQuantizedIsNotQuantizedAgainUnasked() throws IOException {
        Path once = directory.resolve("once.gguf"), twice = directory.resolve("twice.gguf");
        Converter.quantize(TestData.stories(), once, new Quantization(QuantizationMixture.Q8_0), THREADS, SILENT);
        var refusal = assertThrows(ModelException.class, () -> Converter.quantize(once, twice, new Quantization(QuantizationMixture.Q4_0), THREADS, SILENT));
        assertTrue(refusal.getMessage().contains("blk.0.attn_q.weight is Q8_0 and would become Q4_0"), refusal.getMessage());
        assertTrue(refusal.getMessage().contains("--allow-requantize"), refusal.getMessage());
        var summary = Converter.quantize(once, twice, new Quantization(QuantizationMixture.Q4_0, MixtureOverrides.NONE, null, true), THREADS, SILENT);
        assertEquals(30, summary.requantized().size(), "six matrices of each layer; the rows of ffn_down are F16, the embeddings, which are the output matrix, stay Q8_0");
        Converter.quantize(once, directory.resolve("f16.gguf"), new Quantization(QuantizationMixture.F16), THREADS, SILENT);
    }

    @Test void whatIsNoNumberIsNamedByTensorAndPlace() throws IOException {
        Path source = directory.resolve("source.gguf"), target = directory.resolve("target.gguf");
        for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
            var weights = gaussian(1_000 * 256, 1);
            weights[700 * 256 + 13] = bad;
            write(source, weights, 0, 1, "blk.0.ffn_up.weight");
            var refusal = assertThrows(ModelException.class, () -> Converter.quantize(source, target, new Quantization(QuantizationMixture.Q4_K_S), THREADS, SILENT));
            assertEquals("tensor blk.0.ffn_up.weight, row 700: Q4_K cannot store %s (element 13)".formatted(bad), refusal.getMessage());
            try (var files = Files.list(directory)) { assertEquals(List.of(source), files.toList()); }
        }
    }

    /**
     * Perplexity of stories260K on 20,000 bytes of TinyStories, all matrices in one format but ffn_down, whose rows stay F16: what was measured, and half a percent:
     * other vector widths add in other orders.
     */
    @ParameterizedTest @CsvSource({"Q8_0, 3.8862", "Q5_1, 3.9339", "Q5_0, 3.9937", "Q4_1, 4.2564", "Q4_0, 4.3066", "IQ4_NL, 4.1967", "MXFP4_MOE, 4.8164"})
    void eachTypeCostsThePerplexityThatWasMeasured(QuantizationMixture mixture, double measured) throws IOException {
        var target = directory.resolve("quantized.gguf");
        Converter.quantize(TestData.stories(), target, new Quantization(mixture, new MixtureOverrides(true, false, null, null, Map.of()), null, false), THREADS, SILENT);
        try (var backend = new CpuBackend(2); var model = Models.open(target, backend)) {
            var bytes = Files.readAllBytes(TestData.folder("text-tinystories").resolve("tinystories-sample.txt"));
            int[] text = model.tokenizer().encode(MarkedText.untrusted(new String(bytes, 0, 20_000, StandardCharsets.UTF_8)));
            double perplexity = Perplexity.of(model, text, 512, DType.F16, done -> { }).value();
            assertTrue(perplexity < 1.005 * measured && perplexity > 0.995 * measured, mixture + ": " + perplexity);
        }
    }

    @Test void whatCannotBeConvertedSaysWhyAndLeavesNothing() throws IOException {
        var target = directory.resolve("out.gguf");
        var text = Files.writeString(directory.resolve("text.gguf"), "not a model");
        assertThrows(ModelException.class, () -> Converter.convert(text, target, DType.F16, THREADS, SILENT));
        assertThrows(ModelException.class, () -> Converter.convert(directory.resolve("absent"), target, DType.F16, THREADS, SILENT));
        assertThrows(ModelException.class, () -> Converter.convert(Files.createDirectory(directory.resolve("empty")), target, DType.F16, THREADS, SILENT));
        assertThrows(IllegalArgumentException.class, () -> Converter.convert(text, directory, DType.F16, THREADS, SILENT));

        var source = TestData.storiesDirectory(Files.createDirectory(directory.resolve("wrong")));
        var config = source.resolve("config.json");
        Files.writeString(config, Files.readString(config).replace("\"num_hidden_layers\": 5", "\"num_hidden_layers\": 6"));
        var refusal = assertThrows(ModelException.class, () -> Converter.convert(source, target, DType.F16, THREADS, SILENT));
        assertTrue(refusal.getMessage().contains("blk.5."), refusal.getMessage());
        assertFalse(Files.exists(target));
        try (var files = Files.list(directory)) {
            assertEquals(List.of("empty", "text.gguf", "wrong"), files.map(file -> file.getFileName().toString()).sorted().toList());
        }
    }
}
