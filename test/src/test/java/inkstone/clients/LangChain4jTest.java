package inkstone.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import dev.langchain4j.model.output.FinishReason;
import inkstone.TinyModel;
import inkstone.TinyStudio;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** LangChain4j against the running server. */
class LangChain4jTest {
    @TempDir private static Path folder;
    private static TinyStudio studio;

    @BeforeAll static void start() throws IOException { studio = TinyStudio.start(TinyModel.write(folder)); }
    @AfterAll static void stop() { studio.close(); }

    private static OpenAiChatModel.OpenAiChatModelBuilder chat() {
        return OpenAiChatModel.builder().baseUrl(studio.url() + "/v1").apiKey("none is asked for").modelName(TinyModel.NAME).maxTokens(12).maxRetries(0).timeout(Duration.ofSeconds(60));
    }

    @Test void aConversationIsAnswered() {
        var answer = chat().build().chat(SystemMessage.from("Be brief."), UserMessage.from("hi"), AiMessage.from("Good day."), UserMessage.from("What is ink?"));
        assertEquals(TinyModel.TEXT.substring(0, TinyModel.TEXT.indexOf(".\n")), answer.aiMessage().text());
        assertEquals(FinishReason.LENGTH, answer.finishReason());
        assertEquals(12, answer.tokenUsage().outputTokenCount());
        assertTrue(answer.tokenUsage().inputTokenCount() > 20);
    }

    @Test void anAnswerIsStreamed() throws Exception {
        var model = OpenAiStreamingChatModel.builder().baseUrl(studio.url() + "/v1").apiKey("none is asked for").modelName(TinyModel.NAME).maxTokens(40).timeout(Duration.ofSeconds(60)).build();
        var text = new StringBuffer();
        var whole = new CompletableFuture<ChatResponse>();
        model.chat("What is ink?", new StreamingChatResponseHandler() {
            @Override public void onPartialResponse(String part) { text.append(part); }
            @Override public void onCompleteResponse(ChatResponse response) { whole.complete(response); }
            @Override public void onError(Throwable error) { whole.completeExceptionally(error); }
        });
        var response = whole.get(60, TimeUnit.SECONDS);
        assertEquals(text.toString(), response.aiMessage().text());
        assertTrue(text.toString().startsWith(TinyModel.TEXT), text.toString());
        assertEquals(40, response.tokenUsage().outputTokenCount());
    }

    @Test void anUnknownModelIsTheClientsOwnError() {
        assertThrows(ModelNotFoundException.class, () -> chat().modelName("gpt-4o").build().chat("hi"));
    }
}
