package inkstone.server;

import inkstone.tokenizer.MarkedText;
import inkstone.tokenizer.Tokenizer;
import inkstone.transformer.GenerationRequest;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/**
 * The body of a completion request: prompts to be continued as they are, special tokens in them read as such.
 *
 * @param prompts texts or lists of tokens
 * @param echo    whether an answer begins with its prompt
 */
record CompletionRequest(List<Prompt> prompts, boolean echo, AnswerOptions options) {
    /** @param text null where the client sent tokens */
    record Prompt(String text, int[] tokens) {}

    static CompletionRequest of(Fields fields, Served served, Limits limits) {
        AnswerOptions.refuse(fields, "suffix", value -> !value.isString() || !value.stringValue().isEmpty(),
            "suffix is not supported: texts are only continued at their end");
        var options = AnswerOptions.of(fields, served, limits, topLogprobs(fields));
        return new CompletionRequest(prompts(fields, served.model().tokenizer(), limits), fields.bool("echo", false), options);
    }

    /** How many of the likeliest tokens are to be told at each place; -1 where nothing is. */
    private static int topLogprobs(Fields fields) {
        if (fields.has("logprobs") && fields.bool("echo", false)) {
            throw ApiException.unsupported("logprobs", "logprobs with echo would need those of the prompt, which are not given out; leave one of them away");
        }
        return (int) fields.integer("logprobs", 0, GenerationRequest.MAX_TOP_LOGPROBS, -1);
    }

    /** A string, an array of strings, an array of token ids, or an array of such arrays. */
    private static List<Prompt> prompts(Fields fields, Tokenizer tokenizer, Limits limits) {
        if (!fields.has("prompt")) throw fields.wrong("prompt", "a string, an array of strings, or an array of token ids");
        var prompt = fields.get("prompt");
        if (prompt.isString()) return List.of(text(prompt, "prompt", tokenizer));
        if (!prompt.isArray()) throw fields.wrong("prompt", "a string, an array of strings, or an array of token ids");
        if (prompt.isEmpty()) throw ApiException.invalid("prompt", "prompt is empty");
        if (prompt.get(0).isNumber()) return List.of(tokens(prompt, "prompt", tokenizer));
        var prompts = new ArrayList<Prompt>();
        for (var element : fields.array("prompt", limits.prompts())) {
            var where = "prompt[%d]".formatted(prompts.size());
            prompts.add(element.isArray() ? tokens(element, where, tokenizer) : text(element, where, tokenizer));
        }
        return prompts;
    }

    private static Prompt text(JsonNode node, String where, Tokenizer tokenizer) {
        var text = Fields.text(node, where);
        return new Prompt(text, nonEmpty(tokenizer.encodePrompt(MarkedText.trusted(text)), where));
    }

    private static Prompt tokens(JsonNode array, String where, Tokenizer tokenizer) {
        return new Prompt(null, nonEmpty(Fields.tokens(array, where, tokenizer.vocabularySize()), where));
    }

    private static int[] nonEmpty(int[] tokens, String where) {
        if (tokens.length == 0) throw ApiException.invalid(where, where + " has no tokens");
        return tokens;
    }
}
