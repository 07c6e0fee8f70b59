package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import inkstone.tensor.DType;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tokenizer.MarkedText;
import inkstone.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * importance.txt holds what llama-imatrix (llama.cpp commit d32676d77, -c 128 -b 128 -fa off -ctk f32 -ctv f32) measured on the first 8,000 bytes of the TinyStories
 * sample: model, tensor, and for each of its matrices the rows, the sum of all columns and the largest of them.
 */
class ImportanceMeasureTest {
    private static final int TEXT = 8_000, WINDOW = 128;

    private static int[] tokens(Tokenizer tokenizer) throws IOException {
        var bytes = Files.readAllBytes(TestData.folder("text-tinystories").resolve("tinystories-sample.txt"));
        int[] text = tokenizer.encode(MarkedText.untrusted(new String(bytes, 0, TEXT, StandardCharsets.UTF_8)));
        return IntStream.concat(IntStream.of(tokenizer.bos()), IntStream.of(text)).toArray();
    }

    private static List<String[]> expected(String model) throws IOException {
        try (var in = ImportanceMeasureTest.class.getResourceAsStream("importance.txt")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().map(line -> line.split(" ")).filter(line -> line[0].equals(model)).toList();
        }
    }

    /* Sums of a few thousand squares in other orders: 1e-4 of each. Counts are exact. */
    @ParameterizedTest @ValueSource(strings = {"stories", "mixtral"}) void everyMatrixIsMeasuredAsLlamaImatrixDoes(String name) throws IOException {
        Path file = name.equals("stories") ? TestData.stories() : TestData.folder("golden-logits").resolve(name).resolve("model.gguf");
        var measure = new ImportanceMeasure(new CpuBackend(2), false);
        try (var backend = measure.backend(); var model = Models.open(file, backend)) {
            var matrix = measure.measure(model, tokens(model.tokenizer()), WINDOW, DType.F32, "text", done -> { });
            var lines = expected(name);
            assertEquals(lines.stream().map(line -> line[1]).toList(), List.copyOf(matrix.entries().keySet()));
            for (var line : lines) {
                var entry = matrix.entries().get(line[1]);
                int matrices = (line.length - 2) / 3, columns = entry.sums().length / matrices;
                assertEquals(matrices, entry.counts().length, line[1]);
                for (int m = 0; m < matrices; m++) {
                    double sum = 0, largest = 0;
                    for (int i = m * columns; i < (m + 1) * columns; i++) {
                        sum += entry.sums()[i];
                        largest = Math.max(largest, entry.sums()[i]);
                    }
                    assertEquals(Float.parseFloat(line[2 + 3 * m]), entry.counts()[m], line[1]);
                    assertEquals(Double.parseDouble(line[3 + 3 * m]), sum, 1e-4 * sum, line[1]);
                    assertEquals(Double.parseDouble(line[4 + 3 * m]), largest, 1e-4 * largest, line[1]);
                }
            }
        }
    }
}
