package inkstone.server;

import inkstone.tokenizer.MarkedText;
import inkstone.tokenizer.Tokenizer;
import inkstone.transformer.Pooling;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;

/**
 * The body of an embeddings request.
 *
 * @param inputs     texts as tokens; special tokens in them are read as text
 * @param dimensions how many of a vector's numbers are wanted, counted from the first
 * @param base64     whether vectors come as little-endian float32 in base64, not as arrays of numbers
 */
record EmbeddingRequest(List<int[]> inputs, Pooling pooling, int dimensions, boolean base64) {
    private static final String INPUT = "a string, an array of strings, or an array of token ids";
    private static final String POOLINGS = Arrays.stream(Pooling.values()).map(EmbeddingRequest::name).collect(Collectors.joining(", "));

    static EmbeddingRequest of(Fields fields, Served served, Limits limits) {
        int dim = served.model().config().dim(), dimensions = (int) fields.integer("dimensions", 1, dim, dim);
        var format = fields.string("encoding_format", "float");
        if (!format.equals("float") && !format.equals("base64")) throw fields.wrong("encoding_format", "\"float\" or \"base64\"");
        return new EmbeddingRequest(inputs(fields, served, limits), pooling(fields, served.model().pooling()), dimensions, format.equals("base64"));
    }

    private static Pooling pooling(Fields fields, Pooling usual) {
        var name = fields.string("pooling", name(usual));
        for (var pooling : Pooling.values()) if (name(pooling).equals(name)) return pooling;
        throw fields.wrong("pooling", "one of " + POOLINGS);
    }

    static String name(Pooling pooling) { return pooling.name().toLowerCase(Locale.ROOT); }

    private static List<int[]> inputs(Fields fields, Served served, Limits limits) {
        var tokenizer = served.model().tokenizer();
        if (!fields.has("input")) throw fields.wrong("input", INPUT);
        var input = fields.get("input");
        if (input.isString()) return List.of(text(input, "input", tokenizer, served));
        if (!input.isArray()) throw fields.wrong("input", INPUT);
        if (input.isEmpty()) throw ApiException.invalid("input", "input is empty");
        if (input.get(0).isNumber()) return List.of(tokens(input, "input", tokenizer, served));
        var inputs = new ArrayList<int[]>();
        for (var element : fields.array("input", limits.inputs())) {
            var where = "input[%d]".formatted(inputs.size());
            inputs.add(element.isArray() ? tokens(element, where, tokenizer, served) : text(element, where, tokenizer, served));
        }
        return inputs;
    }

    private static int[] text(JsonNode node, String where, Tokenizer tokenizer, Served served) {
        var text = Fields.text(node, where);
        if (text.isEmpty()) throw ApiException.invalid(where, where + " is empty");
        return fitting(tokenizer.encodePrompt(MarkedText.untrusted(text)), where, served);
    }

    private static int[] tokens(JsonNode array, String where, Tokenizer tokenizer, Served served) {
        return fitting(Fields.tokens(array, where, tokenizer.vocabularySize()), where, served);
    }

    private static int[] fitting(int[] tokens, String where, Served served) {
        if (tokens.length == 0) throw ApiException.invalid(where, where + " has no tokens");
        if (tokens.length > served.contextLength()) {
            throw new ApiException(400, "invalid_request_error", where, "context_length_exceeded",
                "%s has %d tokens, this model reads up to %d; send it in parts".formatted(where, tokens.length, served.contextLength()));
        }
        return tokens;
    }
}
