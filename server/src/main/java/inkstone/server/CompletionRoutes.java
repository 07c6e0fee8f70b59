package inkstone.server;

import inkstone.transformer.GenerationRequest;
import inkstone.transformer.GenerationResult;
import io.javalin.http.Context;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/** {@code POST /v1/completions}: texts in, their continuations out, no chat template between. */
final class CompletionRoutes {
    private final Served served;
    private final Answers answers;
    private final Limits limits;

    CompletionRoutes(Served served, Answers answers, Limits limits) {
        this.served = served;
        this.answers = answers;
        this.limits = limits;
    }

    void complete(Context context) throws IOException, InterruptedException {
        var fields = Json.read(context.req(), limits.bodyBytes());
        ModelRoutes.requireModel(fields.string("model", Served.ANY_MODEL), served);
        var request = CompletionRequest.of(fields, served.model().tokenizer(), limits);
        var requests = new ArrayList<GenerationRequest>();
        var echoes = new ArrayList<String>();
        for (var prompt : request.prompts()) {
            requests.addAll(request.options().requests(prompt.tokens()));
            echoes.add(!request.echo() ? "" : prompt.text() != null ? prompt.text() : served.model().tokenizer().decode(prompt.tokens()));
        }
        var format = new TextFormat(AnswerFormat.Head.of("cmpl-", "text_completion", served.model().name()), echoes, request.options().choices());
        answers.write(context, requests, request.options(), format);
    }

    /** @param echoes for each prompt, what its answers begin with; empty where the client wants only what is new */
    private record TextFormat(AnswerFormat.Head head, List<String> echoes, int answersPerPrompt) implements AnswerFormat {
        private String echo(int choice) { return echoes.get(choice / answersPerPrompt); }

        @Override public ObjectNode opening(int choice) { return echo(choice).isEmpty() ? null : chunk(choice, echo(choice), null); }

        @Override public ObjectNode text(int choice, String text) { return chunk(choice, text, null); }

        @Override public ObjectNode finish(int choice, GenerationResult result) {
            var chunk = chunk(choice, "", AnswerFormat.reason(result));
            AnswerFormat.addTimings(chunk, result);
            return chunk;
        }

        @Override public ObjectNode counts() {
            var chunk = head.document();
            chunk.putArray("choices");
            return chunk;
        }

        /** Unlike those of chats, chunks of completions carry the same object name as whole answers. */
        private ObjectNode chunk(int choice, String text, String finishReason) {
            var chunk = head.document();
            entry(chunk.putArray("choices").addObject(), choice, text, finishReason);
            return chunk;
        }

        private static void entry(ObjectNode entry, int choice, String text, String finishReason) {
            entry.put("text", text).put("index", choice).putNull("logprobs").put("finish_reason", finishReason);
        }

        @Override public ObjectNode whole(List<GenerationResult> results) {
            var document = head.document();
            var choices = document.putArray("choices");
            for (int choice = 0; choice < results.size(); choice++) {
                entry(choices.addObject(), choice, echo(choice) + results.get(choice).text(), AnswerFormat.reason(results.get(choice)));
            }
            return document;
        }
    }
}
