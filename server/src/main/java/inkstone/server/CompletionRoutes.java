package inkstone.server;

import inkstone.transformer.GenerationRequest;
import inkstone.transformer.GenerationResult;
import inkstone.transformer.Piece;
import inkstone.transformer.TokenLogprob;
import io.javalin.http.Context;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/** {@code POST /v1/completions}: texts in, their continuations out, no chat template between. */
final class CompletionRoutes {
    private final Served served;
    private final Constraints constraints;
    private final Answers answers;
    private final AdapterRoutes adapters;
    private final Limits limits;

    CompletionRoutes(Served served, Answers answers, Constraints constraints, AdapterRoutes adapters, Limits limits) {
        this.served = served;
        this.constraints = constraints;
        this.answers = answers;
        this.adapters = adapters;
        this.limits = limits;
    }

    void complete(Context context) throws IOException, InterruptedException {
        var fields = Json.read(context.req(), limits.bodyBytes());
        ModelRoutes.requireModel(fields.string("model", Served.ANY_MODEL), served);
        var tokenizer = served.language().tokenizer();
        var request = CompletionRequest.of(fields, served, limits);
        var constraint = constraints.of(fields);
        var variant = adapters.answering(fields).variant();
        var requests = new ArrayList<GenerationRequest>();
        var echoes = new ArrayList<String>();
        for (var prompt : request.prompts()) {
            requests.addAll(request.options().requests(prompt.tokens(), constraint, variant));
            echoes.add(!request.echo() ? "" : prompt.text() != null ? prompt.text() : tokenizer.decode(prompt.tokens()));
        }
        var format = new TextFormat(AnswerFormat.Head.of("cmpl-", "text_completion", served.model().name()), echoes, request.options().choices(),
            request.options().topLogprobs() < 0 ? null : new TokenNames(tokenizer));
        answers.write(context, requests, request.options(), format);
    }

    /**
     * @param echoes for each prompt, what its answers begin with; empty where the client wants only what is new
     * @param names  null where no log-probabilities are wanted
     */
    private record TextFormat(AnswerFormat.Head head, List<String> echoes, int answersPerPrompt, TokenNames names) implements AnswerFormat {
        private String echo(int choice) { return echoes.get(choice / answersPerPrompt); }

        @Override public ObjectNode opening(int choice) { return echo(choice).isEmpty() ? null : chunk(choice, echo(choice), List.of(), null); }

        @Override public ObjectNode text(int choice, Piece piece) { return chunk(choice, piece.text(), piece.logprobs(), null); }

        @Override public ObjectNode finish(int choice, GenerationResult result) {
            var chunk = chunk(choice, "", List.of(), AnswerFormat.reason(result));
            AnswerFormat.addTimings(chunk, result);
            return chunk;
        }

        @Override public ObjectNode counts() {
            var chunk = head.document();
            chunk.putArray("choices");
            return chunk;
        }

        /** Unlike those of chats, chunks of completions carry the same object name as whole answers. */
        private ObjectNode chunk(int choice, String text, List<TokenLogprob> logprobs, String finishReason) {
            var chunk = head.document();
            entry(chunk.putArray("choices").addObject(), choice, text, logprobs.isEmpty() ? null : logprobs, finishReason);
            return chunk;
        }

        private void entry(ObjectNode entry, int choice, String text, List<TokenLogprob> logprobs, String finishReason) {
            entry.put("text", text).put("index", choice);
            if (logprobs == null) entry.putNull("logprobs");
            else names.addToCompletion(entry, logprobs);
            entry.put("finish_reason", finishReason);
        }

        @Override public ObjectNode whole(List<GenerationResult> results) {
            var document = head.document();
            var choices = document.putArray("choices");
            for (int choice = 0; choice < results.size(); choice++) {
                entry(choices.addObject(), choice, echo(choice) + results.get(choice).text(), names == null ? null : results.get(choice).logprobs(),
                    AnswerFormat.reason(results.get(choice)));
            }
            return document;
        }
    }
}
