package inkstone.server;

import inkstone.tokenizer.MarkedText;
import inkstone.tokenizer.Tokenizer;
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

    static CompletionRequest of(Fields fields, Tokenizer tokenizer, Limits limits) {
        AnswerOptions.refuse(fields, "suffix", value -> !value.isString() || !value.stringValue().isEmpty(),
            "suffix is not supported: texts are only continued at their end");
        var options = AnswerOptions.of(fields, limits);
        return new CompletionRequest(prompts(fields, tokenizer, limits), fields.bool("echo", false), options);
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
        var tokens = new int[array.size()];
        for (int i = 0; i < tokens.length; i++) {
            tokens[i] = (int) Fields.integer(array.get(i), 0, tokenizer.vocabularySize() - 1L, "%s[%d]".formatted(where, i));
        }
        return new Prompt(null, nonEmpty(tokens, where));
    }

    private static int[] nonEmpty(int[] tokens, String where) {
        if (tokens.length == 0) throw ApiException.invalid(where, where + " has no tokens");
        return tokens;
    }
}
