package inkstone.transformer;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import inkstone.tensor.Backend;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.reference.ReferenceBackend;
import inkstone.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** Real weights outside the repository; tests that need them skip where they are absent. */
public final class TestData {
    private TestData() {}

    public static Path folder(String name) {
        var root = System.getProperty("inkstone.data");
        var folder = Path.of(root == null ? "data" : root, name);
        assumeTrue(Files.isDirectory(folder), () -> "skipped: no folder %s; set -Dinkstone.data to the folder with the test weights".formatted(folder));
        return folder;
    }

    /** stories260K (A. Karpathy, llama2.c): a Llama of five layers, 64 wide, 512 pieces, 512 tokens of context. */
    public static Path stories() { return folder("weights-llama-stories260K").resolve("stories260K-f32.gguf"); }

    /** What it tells, greedily, after nothing but the beginning token. */
    public static String storiesText() throws IOException {
        var lines = Files.readString(folder("weights-llama-stories260K").resolve("EXPECTED.txt"));
        return lines.substring(lines.indexOf('\n') + 1).strip();
    }

    /** The same weights as Hugging Face stores them, with a tokenizer.json made from the GGUF file's vocabulary. */
    public static Path storiesDirectory(Path directory) throws IOException {
        var source = folder("weights-llama-stories260K");
        for (var file : new String[] {"config.json", "model.safetensors"}) Files.copy(source.resolve(file), directory.resolve(file));
        try (var gguf = Gguf.open(stories())) {
            Files.writeString(directory.resolve("tokenizer.json"), Tokenizers.toJson(gguf.metadata()));
        }
        return directory;
    }

    /** By the name of {@code --device}; two threads, so that work is shared out. */
    public static Backend backend(String name) { return name.equals("cpu") ? new CpuBackend(2) : new ReferenceBackend(); }

    public static int[] ints(Path file) throws IOException {
        return Arrays.stream(Files.readString(file).strip().split("\\s+")).mapToInt(Integer::parseInt).toArray();
    }

    public static float[] floats(Path file) throws IOException {
        var buffer = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
        var values = new float[buffer.remaining()];
        buffer.get(values);
        return values;
    }

    /** Values to be written as a reader of the file gives them: integers as Long, floats as Double. */
    public static Map<String, Object> readBack(Map<String, Object> written) {
        var read = new HashMap<String, Object>();
        written.forEach((key, value) -> read.put(key, switch (value) {
            case Integer integer -> (long) integer;
            case Float number -> (double) number;
            default -> value;
        }));
        return read;
    }

    /** Largest absolute difference; NaN counts as infinite. */
    public static double largestDifference(float[] expected, float[] actual) {
        if (expected.length != actual.length) throw new AssertionError("expected %d values, got %d".formatted(expected.length, actual.length));
        double largest = 0;
        for (int i = 0; i < expected.length; i++) {
            double difference = Math.abs((double) expected[i] - actual[i]);
            if (!(difference <= largest)) largest = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : difference;
        }
        return largest;
    }

    /** Mean squared error as a fraction of the mean square of what is expected. */
    public static double normalisedError(float[] expected, float[] actual) {
        double error = 0, power = 0;
        for (int i = 0; i < expected.length; i++) {
            error += Math.pow((double) expected[i] - actual[i], 2);
            power += Math.pow(expected[i], 2);
        }
        return error / power;
    }
}
