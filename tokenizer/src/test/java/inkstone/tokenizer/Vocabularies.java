package inkstone.tokenizer;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.Metadata;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** The vocabularies and expected ids of llama.cpp (models/ggml-vocab-*), where the data folder has them. */
final class Vocabularies {
    static final List<String> WITH_VECTORS = List.of("gpt-2", "falcon", "llama-spm", "phi-3", "bert-bge");

    private Vocabularies() {}

    static Path folder() { return Path.of(System.getProperty("inkstone.data", "data"), "tokenizers"); }

    static Metadata metadata(String name) {
        var file = folder().resolve("ggml-vocab-" + name + ".gguf");
        assumeTrue(Files.exists(file), "skipped: " + file.getFileName() + " is not in the data folder (system property inkstone.data)");
        try (var gguf = Gguf.open(file)) {
            return gguf.metadata();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static List<String> texts(String name) {
        var texts = read("ggml-vocab-" + name + ".gguf.inp").split("\n__ggml_vocab_test__\n", -1);
        return Arrays.asList(texts).subList(0, texts.length - 1);                  // the separator ends the last one too
    }

    static List<int[]> ids(String name) {
        return read("ggml-vocab-" + name + ".gguf.out").lines()
                .map(line -> line.isBlank() ? new int[0] : Arrays.stream(line.strip().split(" ")).mapToInt(Integer::parseInt).toArray()).toList();
    }

    static String read(String name) {
        var file = folder().resolve(name);
        assumeTrue(Files.exists(file), "skipped: " + name + " is not in the data folder (system property inkstone.data)");
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
