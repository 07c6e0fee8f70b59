package inkstone.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.completions.CompletionCreateParams;
import inkstone.TinyModel;
import inkstone.TinyStudio;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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
        ChatCompletion answer = client.chat().completions().create(ask("What is ink?").maxCompletionTokens(12).seed(1).build()).validate();
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
