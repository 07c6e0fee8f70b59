package inkstone.server;

import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.template.ChatTemplate;
import inkstone.transformer.GenerationResult;
import inkstone.transformer.Piece;
import inkstone.transformer.TokenLogprob;
import io.javalin.http.Context;
import java.io.IOException;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/** {@code POST /v1/chat/completions}: a conversation in, the assistant's next message out. */
final class ChatRoutes {
    private final Served served;
    private final Constraints constraints;
    private final Answers answers;
    private final AdapterRoutes adapters;
    private final Limits limits;

    ChatRoutes(Served served, Answers answers, Constraints constraints, AdapterRoutes adapters, Limits limits) {
        this.served = served;
        this.constraints = constraints;
        this.answers = answers;
        this.adapters = adapters;
        this.limits = limits;
    }

    void complete(Context context) throws IOException, InterruptedException {
        var fields = Json.read(context.req(), limits.bodyBytes());
        ModelRoutes.requireModel(fields.string("model", Served.ANY_MODEL), served);
        var model = served.language();
        var request = ChatRequest.of(fields, served, limits);
        var constraint = constraints.of(fields);
        var answering = adapters.answering(fields);
        var format = new ChatFormat(AnswerFormat.Head.of("chatcmpl-", "chat.completion", model.name()),
            request.options().topLogprobs() < 0 ? null : new TokenNames(model.tokenizer()));
        answers.write(context, request.options().requests(prompt(request, answering.template(), model.tokenizer()), constraint, answering.variant()), request.options(), format);
    }

    /** A conversation that ends with the assistant's words is to be continued: they follow the header of its next message as they are. */
    private static int[] prompt(ChatRequest request, ChatTemplate template, Tokenizer tokenizer) {
        var messages = request.messages();
        var begun = request.begun();
        try {
            var rendered = template.render(begun == null ? messages : messages.subList(0, messages.size() - 1), request.tools(), true);
            return tokenizer.encodePrompt(begun == null ? rendered : rendered.then(begun));
        } catch (IllegalArgumentException refused) {
            throw ApiException.invalid("messages", "the model's chat template refuses these messages: " + refused.getMessage());
        }
    }

    /** @param names null where no log-probabilities are wanted */
    private record ChatFormat(AnswerFormat.Head head, TokenNames names) implements AnswerFormat {
        @Override public ObjectNode opening(int choice) { return chunk(choice, Json.object().put("role", "assistant").put("content", ""), List.of(), null); }

        @Override public ObjectNode text(int choice, Piece piece) {
            return chunk(choice, Json.object().put("content", piece.text()), piece.logprobs(), null);
        }

        @Override public ObjectNode finish(int choice, GenerationResult result) {
            var chunk = chunk(choice, Json.object(), List.of(), AnswerFormat.reason(result));
            AnswerFormat.addTimings(chunk, result);
            return chunk;
        }

        @Override public ObjectNode counts() {
            var chunk = head.chunk();
            chunk.putArray("choices");
            return chunk;
        }

        private ObjectNode chunk(int choice, ObjectNode delta, List<TokenLogprob> logprobs, String finishReason) {
            var chunk = head.chunk();
            var entry = chunk.putArray("choices").addObject().put("index", choice);
            entry.set("delta", delta);
            if (logprobs.isEmpty()) entry.putNull("logprobs");
            else names.addToChat(entry, logprobs);
            entry.put("finish_reason", finishReason);
            return chunk;
        }

        @Override public ObjectNode whole(List<GenerationResult> results) {
            var document = head.document();
            var choices = document.putArray("choices");
            for (int choice = 0; choice < results.size(); choice++) {
                var result = results.get(choice);
                var entry = choices.addObject().put("index", choice);
                entry.putObject("message").put("role", "assistant").put("content", result.text()).putNull("refusal");
                if (names == null) entry.putNull("logprobs");
                else names.addToChat(entry, result.logprobs());
                entry.put("finish_reason", AnswerFormat.reason(result));
            }
            return document;
        }
    }
}
