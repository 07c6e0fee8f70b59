package inkstone.transformer.llama;

import static inkstone.transformer.TestData.floats;
import static inkstone.transformer.TestData.folder;
import static inkstone.transformer.TestData.ints;
import static inkstone.transformer.TestData.largestDifference;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.reference.ReferenceBackend;
import inkstone.transformer.Models;
import inkstone.transformer.Packed;
import inkstone.transformer.TestData;
import java.io.IOException;
import java.nio.file.Files;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Logits of tiny random models as llama.cpp computed them (its commit, and the script that made the models, are named in the folder's SOURCE.txt). */
class GoldenLogitsTest {
    /** That engine is within 1.1e-5 of a float64 evaluation of these files; a forgotten feature moves logits by 9e-2 at least. */
    private static final double TOLERANCE = 5e-4;

    @ParameterizedTest
    @CsvSource({"llama-linear, reference", "llama3-rope, reference", "llama-linear, cpu", "llama3-rope, cpu"})
    void logitsMatchLlamaCpp(String name, String device) throws IOException {
        var folder = folder("golden-logits").resolve(name);
        try (var backend = TestData.backend(device); var model = Models.open(folder.resolve("model.gguf"), backend);
             var scope = Scope.inference(backend)) {
            int[] tokens = ints(folder.resolve("tokens.txt"));
            var hidden = model.model().forward(scope.ints(tokens), Packed.of(scope, tokens.length));
            double difference = largestDifference(floats(folder.resolve("logits.f32")), model.model().logits(hidden).toFloats());
            assertTrue(difference < TOLERANCE, "%s on %s: off by %s".formatted(name, device, difference));
        }
    }

    @Test void aMixtureOfExpertsIsRefusedByName() throws IOException {
        var file = folder("golden-logits").resolve("mixtral/model.gguf");
        try (var backend = new ReferenceBackend()) {
            var refusal = assertThrows(ModelException.class, () -> Models.open(file, backend).close());
            assertTrue(refusal.getMessage().contains("mixture of experts"), refusal.getMessage());
        }
    }

    @Test void otherArchitecturesAreRefusedWithTheKnownOnes() throws IOException {
        try (var backend = new ReferenceBackend(); var folders = Files.newDirectoryStream(folder("golden-logits"), Files::isDirectory)) {
            for (var folder : folders) {
                var name = folder.getFileName().toString();
                if (name.startsWith("llama") || name.equals("mixtral")) continue;
                var refusal = assertThrows(ModelException.class, () -> Models.open(folder.resolve("model.gguf"), backend).close(), name);
                assertTrue(refusal.getMessage().endsWith("supported are: llama"), refusal.getMessage());
            }
        }
    }
}
