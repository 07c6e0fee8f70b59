package inkstone.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.completions.CompletionCreateParams;
import com.openai.models.embeddings.Embedding;
import com.openai.models.embeddings.EmbeddingCreateParams;
import com.openai.models.images.ImageEditParams;
import com.openai.models.images.ImageGenerateParams;
import inkstone.PretendPainter;
import inkstone.TinyModel;
import inkstone.TinyStudio;
import inkstone.diffusion.picture.PictureFile;
import inkstone.diffusion.picture.Png;
import inkstone.server.images.Paintings;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** OpenAI's own Java client against the running server: what it reads must be what was written. */
class OpenAiJavaTest {
    @TempDir private static Path folder;
    private static TinyStudio studio;
    private static OpenAIClient client;

    @BeforeAll static void start() throws IOException {
        studio = TinyStudio.start(TinyModel.write(folder));
        client = clientOf(studio);
    }

    @AfterAll static void stop() {
        client.close();
        studio.close();
    }

    private static OpenAIClient clientOf(TinyStudio studio) {
        return OpenAIOkHttpClient.builder().baseUrl(studio.url() + "/v1").apiKey("none is asked for").maxRetries(0).build();
    }

    private static ChatCompletionCreateParams.Builder ask(String text) {
        return ChatCompletionCreateParams.builder().model(TinyModel.NAME).addSystemMessage("Be brief.").addUserMessage(text);
    }

    @Test void aChatIsAnswered() {
        ChatCompletion answer = client.chat().completions().create(ask("What is ink?").maxCompletionTokens(12).build()).validate();
        assertEquals(TinyModel.TEXT.substring(0, TinyModel.TEXT.indexOf(".\n")), answer.choices().getFirst().message().content().orElseThrow());
        assertEquals(ChatCompletion.Choice.FinishReason.LENGTH, answer.choices().getFirst().finishReason());
        assertEquals(12, answer.usage().orElseThrow().completionTokens());
    }

    @Test void aStopTextEndsTheAnswerAndStaysOut() {
        var answer = client.chat().completions().create(ask("What is ink?").stop("soot").build());
        assertEquals("Ink is **", answer.choices().getFirst().message().content().orElseThrow());
        assertEquals(ChatCompletion.Choice.FinishReason.STOP, answer.choices().getFirst().finishReason());
    }

    @Test void severalAnswersCome() {
        var answer = client.chat().completions().create(ask("What is ink?").n(3).maxCompletionTokens(3).build());
        assertEquals(List.of(0L, 1L, 2L), answer.choices().stream().map(ChatCompletion.Choice::index).toList());
        answer.choices().forEach(choice -> assertEquals("Ink is **soot**", choice.message().content().orElseThrow()));
    }

    @Test void aChatIsStreamed() {
        var params = ask("What is ink?").maxCompletionTokens(60).streamOptions(ChatCompletionStreamOptions.builder().includeUsage(true).build()).build();
        var text = new StringBuilder();
        List<ChatCompletionChunk> chunks;
        try (var stream = client.chat().completions().createStreaming(params)) { chunks = stream.stream().toList(); }
        for (var chunk : chunks) {
            chunk.validate();
            chunk.choices().forEach(choice -> text.append(choice.delta().content().orElse("")));
        }
        assertEquals((TinyModel.TEXT + TinyModel.TEXT + TinyModel.TEXT).substring(0, text.length()), text.toString());
        assertTrue(text.length() > 2 * TinyModel.TEXT.length());
        assertEquals(60, chunks.getLast().usage().orElseThrow().completionTokens());
        assertEquals(ChatCompletionChunk.Choice.FinishReason.LENGTH, chunks.get(chunks.size() - 2).choices().getFirst().finishReason().orElseThrow());
    }

    @Test void logprobsAreTold() {
        var answer = client.chat().completions().create(ask("What is ink?").maxCompletionTokens(7).logprobs(true).topLogprobs(2).build()).validate().choices().getFirst();
        var told = answer.logprobs().orElseThrow().content().orElseThrow();
        assertEquals(List.of("Ink", " is", " **soot**", " and", " *glue*", ",", " ground"), told.stream().map(token -> token.token()).toList());
        assertEquals(answer.message().content().orElseThrow(), String.join("", told.stream().map(token -> token.token()).toList()));
        for (var token : told) {
            assertEquals(0, token.logprob(), 1e-3, "the model is certain");
            assertEquals(2, token.topLogprobs().size());
            assertEquals(token.token(), token.topLogprobs().getFirst().token());
            assertTrue(token.topLogprobs().get(1).logprob() < -5);
            assertEquals(token.token(), new String(bytes(token.bytes().orElseThrow()), StandardCharsets.UTF_8));
        }
        var text = new StringBuilder();
        var params = ask("What is ink?").maxCompletionTokens(30).logprobs(true).build();
        try (var stream = client.chat().completions().createStreaming(params)) {
            stream.stream().flatMap(chunk -> chunk.validate().choices().stream()).forEach(choice -> {
                var tokens = choice.logprobs().flatMap(ChatCompletionChunk.Choice.Logprobs::content).orElse(List.of());
                assertEquals(choice.delta().content().orElse(""), String.join("", tokens.stream().map(token -> token.token()).toList()), "each with its text");
                tokens.forEach(token -> text.append(token.token()));
            });
        }
        assertEquals((TinyModel.TEXT + TinyModel.TEXT).substring(0, text.length()), text.toString());
        var completion = client.completions().create(CompletionCreateParams.builder().model(TinyModel.NAME).prompt("About ink: ").maxTokens(3).logprobs(1).build());
        var old = completion.validate().choices().getFirst().logprobs().orElseThrow();
        assertEquals(List.of("Ink", " is", " **soot**"), old.tokens().orElseThrow());
        assertEquals(List.of(0L, 3L, 6L), old.textOffset().orElseThrow());
    }

    private static byte[] bytes(List<Long> values) {
        var bytes = new byte[values.size()];
        for (int i = 0; i < bytes.length; i++) bytes[i] = values.get(i).byteValue();
        return bytes;
    }

    @Test void biasForbidsAndForces() {
        int ink = studio.model().tokenizer().id("Ink");
        var forced = ask("What is ink?").maxCompletionTokens(3).logitBias(bias(ink, 100)).build();
        assertEquals("InkInkInk", client.chat().completions().create(forced).choices().getFirst().message().content().orElseThrow());
        var forbidden = ask("What is ink?").maxCompletionTokens(1).logitBias(bias(ink, -100)).build();
        assertNotEquals("Ink", client.chat().completions().create(forbidden).choices().getFirst().message().content().orElseThrow());
    }

    private static ChatCompletionCreateParams.LogitBias bias(int token, int value) {
        return ChatCompletionCreateParams.LogitBias.builder().putAdditionalProperty(Integer.toString(token), JsonValue.from(value)).build();
    }

    /** What the client makes a JSON schema of, and reads the answer into. */
    public record Pigment(Colour colour, boolean waterproof) {
        public enum Colour { BLACK, SEPIA }
    }

    @Test void anAnswerKeepsToItsSchema() {
        var params = ask("Describe a pigment.").maxCompletionTokens(200).responseFormat(Pigment.class).build();
        var choice = client.chat().completions().create(params).choices().getFirst();
        assertEquals(ChatCompletion.Choice.FinishReason.STOP, choice.finishReason());
        var pigment = choice.message().content().orElseThrow();
        assertTrue(List.of(Pigment.Colour.values()).contains(pigment.colour()), pigment.toString());
        var unknown = ask("hi").putAdditionalBodyProperty("grammar", JsonValue.from("root ::= missing")).build();
        assertTrue(assertThrows(BadRequestException.class, () -> client.chat().completions().create(unknown)).getMessage().contains("grammar"));
        var chosen = ask("Soot or glue?").maxCompletionTokens(50).putAdditionalBodyProperty("grammar", JsonValue.from("root ::= \"soot\" | \"glue\"")).build();
        assertTrue(List.of("soot", "glue").contains(client.chat().completions().create(chosen).choices().getFirst().message().content().orElseThrow()));
    }

    @Test void textsBecomeVectors() {
        var texts = List.of("Ink is soot.", "Ink is glue.", "Ink is soot.");
        var answer = client.embeddings().create(EmbeddingCreateParams.builder().model(TinyModel.NAME).inputOfArrayOfStrings(texts).build()).validate();
        var vectors = answer.data().stream().map(Embedding::embedding).toList();
        assertEquals(3, vectors.size());
        assertEquals(vectors.get(0), vectors.get(2));
        assertNotEquals(vectors.get(0), vectors.get(1));
        assertEquals(1, vectors.getFirst().stream().mapToDouble(x -> x * x).sum(), 1e-5);
        assertTrue(answer.usage().promptTokens() > 0);
        var alone = EmbeddingCreateParams.builder().model(TinyModel.NAME).input("Ink is glue.").encodingFormat(EmbeddingCreateParams.EncodingFormat.FLOAT).build();
        var asNumbers = client.embeddings().create(alone).validate().data().getFirst().embedding();
        for (int i = 0; i < asNumbers.size(); i++) assertEquals(vectors.get(1).get(i), asNumbers.get(i), 2e-6f, "as numbers or base64, alone or with others");
        var narrow = EmbeddingCreateParams.builder().model(TinyModel.NAME).input("Ink").dimensions(8).build();
        var first = client.embeddings().create(narrow).validate().data().getFirst().embedding();
        assertEquals(8, first.size());
        assertEquals(1, first.stream().mapToDouble(x -> x * x).sum(), 1e-5);
        var wide = EmbeddingCreateParams.builder().model(TinyModel.NAME).input("Ink").dimensions(100_000).build();
        assertTrue(assertThrows(BadRequestException.class, () -> client.embeddings().create(wide)).getMessage().contains("dimensions"));
    }

    @Test void picturesArePaintedStreamedAndChanged() throws IOException {
        var painter = new PretendPainter();
        painter.permits.release(1_000);
        try (var paintings = Paintings.open(folder.resolve("images"), painter.easel(), 4); var painting = TinyStudio.start(TinyModel.write(folder), 0, null, paintings)) {
            var artist = clientOf(painting);
            var answer = artist.images().generate(ImageGenerateParams.builder().prompt("a red apple").model(PretendPainter.NAME).n(2L).size(ImageGenerateParams.Size.of("64x96")).quality(ImageGenerateParams.Quality.HIGH).build()).validate();
            var pictures = answer.data().orElseThrow().stream().map(image -> PictureFile.read(Base64.getDecoder().decode(image.b64Json().orElseThrow())).picture()).toList();
            assertEquals(2, pictures.size());
            assertEquals(96, pictures.getFirst().height());
            assertNotEquals(pictures.get(0), pictures.get(1));
            try (var stream = artist.images().generateStreaming(ImageGenerateParams.builder().prompt("a red apple").partialImages(2L).build())) {
                assertEquals(List.of("partial", "partial", "completed"), stream.stream().map(event -> event.isGenerationCompleted() ? "completed" : "partial").toList());
            }
            var changed = artist.images().edit(ImageEditParams.builder().prompt("a blue moon").image(new ByteArrayInputStream(Png.write(pictures.getFirst(), Map.of()))).build()).validate();
            assertEquals(1, changed.data().orElseThrow().size());
            assertThrows(BadRequestException.class, () -> artist.images().generate(ImageGenerateParams.builder().prompt("x").background(ImageGenerateParams.Background.TRANSPARENT).build()));
            assertTrue(artist.models().list().data().stream().anyMatch(model -> model.id().equals(PretendPainter.NAME)));
            artist.close();
        }
    }

    @Test void textsAreCompleted() {
        var completion = client.completions().create(CompletionCreateParams.builder().model(TinyModel.NAME).prompt("About ink: ").maxTokens(2).echo(true).build()).validate();
        assertEquals("About ink: Ink is", completion.choices().getFirst().text());
        var text = new StringBuilder();
        try (var stream = client.completions().createStreaming(CompletionCreateParams.builder().model(TinyModel.NAME).prompt("About ink: ").maxTokens(3).build())) {
            stream.stream().forEach(chunk -> chunk.choices().forEach(choice -> text.append(choice.text())));
        }
        assertEquals("Ink is **soot**", text.toString());
    }

    @Test void modelsAreListed() {
        assertEquals(List.of(TinyModel.NAME), client.models().list().data().stream().map(model -> model.validate().id()).toList());
        assertEquals(TinyModel.NAME, client.models().retrieve(TinyModel.NAME).id());
    }

    @Test void errorsArriveAsTheClientsOwn() {
        assertThrows(NotFoundException.class, () -> client.chat().completions().create(ask("hi").model("gpt-4o").build()));
        var refused = assertThrows(BadRequestException.class, () -> client.chat().completions().create(ask("hi").temperature(-1.0).build()));
        assertTrue(refused.getMessage().contains("temperature"), refused.getMessage());
        var tooLong = assertThrows(BadRequestException.class, () -> client.chat().completions().create(ask("x".repeat(2 * TinyModel.CONTEXT)).build()));
        assertEquals("context_length_exceeded", tooLong.code().orElseThrow());
    }

    @Test void aRealModelTellsItsStory() throws IOException {
        var file = Path.of(System.getProperty("inkstone.data", "")).resolve("weights-llama-stories260K/stories260K-f32.gguf");
        assumeTrue(Files.exists(file), "skipped: the model stories260K is not in the folder of the system property inkstone.data");
        try (var stories = TinyStudio.start(file)) {
            var real = clientOf(stories);
            var completion = real.completions().create(CompletionCreateParams.builder().model("stories260K-f32").prompt("Once upon a time").temperature(0.0).maxTokens(30).build());
            assertEquals(", there was a little girl named Lily. She loved to play outside in the park. One day,", completion.choices().getFirst().text());
            real.close();
        }
    }
}
