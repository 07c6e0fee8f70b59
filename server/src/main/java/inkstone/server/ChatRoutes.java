package inkstone.server;

import inkstone.transformer.GenerationResult;
import io.javalin.http.Context;
import java.io.IOException;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/** {@code POST /v1/chat/completions}: a conversation in, the assistant's next message out. */
final class ChatRoutes {
    private final Served served;
    private final Answers answers;
    private final Limits limits;

    ChatRoutes(Served served, Answers answers, Limits limits) {
        this.served = served;
        this.answers = answers;
        this.limits = limits;
    }

    void complete(Context context) throws IOException, InterruptedException {
        var fields = Json.read(context.req(), limits.bodyBytes());
        ModelRoutes.requireModel(fields.string("model", Served.ANY_MODEL), served);
        var request = ChatRequest.of(fields, limits);
        var format = new ChatFormat(AnswerFormat.Head.of("chatcmpl-", "chat.completion", served.model().name()));
        answers.write(context, request.options().requests(prompt(request)), request.options(), format);
    }

    /** A conversation that ends with the assistant's words is to be continued: they follow the header of its next message as they are. */
    private int[] prompt(ChatRequest request) {
        var messages = request.messages();
        var begun = request.begun();
        try {
            var rendered = served.model().template().render(begun == null ? messages : messages.subList(0, messages.size() - 1), request.tools(), true);
            return served.model().tokenizer().encodePrompt(begun == null ? rendered : rendered.then(begun));
        } catch (IllegalArgumentException refused) {
            throw ApiException.invalid("messages", "the model's chat template refuses these messages: " + refused.getMessage());
        }
    }

    private record ChatFormat(AnswerFormat.Head head) implements AnswerFormat {
        @Override public ObjectNode opening(int choice) { return chunk(choice, Json.object().put("role", "assistant").put("content", ""), null); }

        @Override public ObjectNode text(int choice, String text) { return chunk(choice, Json.object().put("content", text), null); }

        @Override public ObjectNode finish(int choice, GenerationResult result) {
            var chunk = chunk(choice, Json.object(), AnswerFormat.reason(result));
            AnswerFormat.addTimings(chunk, result);
            return chunk;
        }

        @Override public ObjectNode counts() {
            var chunk = head.chunk();
            chunk.putArray("choices");
            return chunk;
        }

        private ObjectNode chunk(int choice, ObjectNode delta, String finishReason) {
            var chunk = head.chunk();
            var entry = chunk.putArray("choices").addObject().put("index", choice);
            entry.set("delta", delta);
            entry.putNull("logprobs").put("finish_reason", finishReason);
            return chunk;
        }

        @Override public ObjectNode whole(List<GenerationResult> results) {
            var document = head.document();
            var choices = document.putArray("choices");
            for (int choice = 0; choice < results.size(); choice++) {
                var entry = choices.addObject().put("index", choice);
                entry.putObject("message").put("role", "assistant").put("content", results.get(choice).text()).putNull("refusal");
                entry.putNull("logprobs").put("finish_reason", AnswerFormat.reason(results.get(choice)));
            }
            return document;
        }
    }
}
