package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tokenizer.MarkedText;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A real model from its file to its text: the greedy story that llama2.c tells from the same weights. */
class StoriesTest {
    @ParameterizedTest
    @ValueSource(strings = {"reference", "cpu"})
    void theGgufFileTellsTheExpectedStory(String device) throws IOException {
        try (var backend = TestData.backend(device)) { assertTellsTheStory(TestData.stories(), backend); }
    }

    @ParameterizedTest
    @ValueSource(strings = {"reference", "cpu"})
    void theSafetensorsDirectoryTellsTheExpectedStory(String device, @TempDir Path directory) throws IOException {
        try (var backend = TestData.backend(device)) { assertTellsTheStory(TestData.storiesDirectory(directory), backend); }
    }

    static void assertTellsTheStory(Path file, Backend backend) throws IOException {
        try (var model = Models.open(file, backend); var session = Session.open(model, 256, DType.F32)) {
            var request = new GenerationRequest(model.tokenizer().encodePrompt(MarkedText.trusted("")), SamplerSettings.GREEDY, 200, List.of());
            var streamed = new StringBuilder();
            var result = session.generate(request, piece -> streamed.append(piece.text()));
            assertEquals(TestData.storiesText(), result.text().strip());
            assertEquals(result.text(), streamed.toString());
        }
    }
}
