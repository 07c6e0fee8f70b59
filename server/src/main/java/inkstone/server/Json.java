package inkstone.server;

import io.javalin.http.Context;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.exc.MismatchedInputException;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** JSON in and out: bodies are read whole, up to a limit of bytes and of nesting, before anything looks at them. */
final class Json {
    private static final int MAX_DEPTH = 64, MAX_NUMBER_LENGTH = 64, MAX_NAME_LENGTH = 1_024;
    private static final Pattern WHOLE = Pattern.compile("-?[0-9]{1,18}"), DECIMAL = Pattern.compile("-?[0-9]{1,18}(\\.[0-9]{1,18})?");
    private static final JsonMapper MAPPER = JsonMapper.builder(JsonFactory.builder().streamReadConstraints(
        StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).maxNumberLength(MAX_NUMBER_LENGTH).maxNameLength(MAX_NAME_LENGTH).build()).build()).build();

    private Json() {}

    static ArrayNode array() { return MAPPER.createArrayNode(); }

    static ObjectNode object() { return MAPPER.createObjectNode(); }

    /** As text first: a lone surrogate in an echoed prompt becomes '?' instead of breaking the UTF-8 writer. */
    static byte[] bytes(JsonNode node) { return MAPPER.writeValueAsString(node).getBytes(StandardCharsets.UTF_8); }

    static void answer(Context context, JsonNode node) { context.contentType("application/json").result(bytes(node)); }

    /** The request's body as a JSON object of at most {@code maxBytes} bytes. */
    static Fields read(HttpServletRequest request, int maxBytes) throws IOException { return parse(body(request, maxBytes)); }

    /** The elements of a body that is a JSON array. */
    static List<JsonNode> readArray(HttpServletRequest request, int maxBytes) throws IOException {
        var node = tree(body(request, maxBytes));
        if (!node.isArray()) throw ApiException.invalid(null, "the body must be a JSON array, got " + Fields.shown(node));
        var elements = new ArrayList<JsonNode>();
        node.forEach(elements::add);
        return elements;
    }

    private static byte[] body(HttpServletRequest request, int maxBytes) throws IOException {
        var type = request.getContentType();
        if (type == null || !type.split(";", 2)[0].strip().equalsIgnoreCase("application/json")) {
            throw new ApiException(415, "invalid_request_error", null, "unsupported_media_type",
                "expected content-type application/json, got %s".formatted(type == null ? "none" : type));
        }
        byte[] body = request.getContentLengthLong() > maxBytes ? null : request.getInputStream().readNBytes(maxBytes + 1);
        if (body == null || body.length > maxBytes) {
            throw new ApiException(413, "invalid_request_error", null, "request_too_large",
                "the body may have %,d bytes, this one has more".formatted(maxBytes));
        }
        return body;
    }

    private static JsonNode tree(byte[] body) {
        try {
            return MAPPER.readTree(body);
        } catch (JacksonException problem) {
            throw ApiException.invalid(null, "the body is not JSON that can be read here%s: %s".formatted(place(problem.getLocation()), complaint(problem)));
        }
    }

    /** A field of a form as the number that it is; as text where it is none, which then is refused by name. */
    static JsonNode number(String text) {
        if (WHOLE.matcher(text).matches()) return JsonNodeFactory.instance.numberNode(Long.parseLong(text));
        if (DECIMAL.matcher(text).matches()) return JsonNodeFactory.instance.numberNode(Double.parseDouble(text));
        return JsonNodeFactory.instance.stringNode(text);
    }

    static Fields parse(byte[] body) {
        var node = tree(body);
        if (!(node instanceof ObjectNode object)) throw ApiException.invalid(null, "the body must be a JSON object, got " + Fields.shown(node));
        return new Fields(object, "");
    }

    private static String place(TokenStreamLocation at) {
        return at == null || at.getLineNr() < 1 ? "" : " (line %d, column %d)".formatted(at.getLineNr(), at.getColumnNr());
    }

    /** The parser's complaint without its own vocabulary. */
    private static String complaint(JacksonException problem) {
        return switch (problem) {
            case StreamConstraintsException large -> "it is nested deeper than %d, or has a number or name too long".formatted(MAX_DEPTH);
            case MismatchedInputException more -> "something follows the object";
            default -> problem.getOriginalMessage().split(" \\((start marker|for |in )", 2)[0];
        };
    }

    /** The node as maps, lists, strings, longs, doubles, booleans and nulls. */
    static Object plain(JsonNode node) {
        if (node instanceof ObjectNode object) {
            var map = new LinkedHashMap<String, Object>();
            object.properties().forEach(entry -> map.put(entry.getKey(), plain(entry.getValue())));
            return map;
        }
        if (node.isArray()) {
            var list = new ArrayList<Object>(node.size());
            node.forEach(element -> list.add(plain(element)));
            return list;
        }
        if (node.isNull()) return null;
        if (node.isBoolean()) return node.booleanValue();
        if (node.isString()) return node.stringValue();
        return node.isIntegralNumber() && node.canConvertToLong() ? (Object) node.longValue() : (Object) node.doubleValue();
    }
}
