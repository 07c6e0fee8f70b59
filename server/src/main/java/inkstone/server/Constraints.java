package inkstone.server;

import inkstone.tokenizer.Tokenizer;
import inkstone.transformer.Constraint;
import inkstone.transformer.grammar.Grammars;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * What requests hold their answers to: {@code response_format} of OpenAI's API, {@code grammar} and {@code json_schema} of llama.cpp's. Grammars are compiled when
 * the request is read, so that what cannot be kept is refused before anything is written, and kept for the next request. Any thread.
 */
final class Constraints {
    private static final String FORMATS = "\"text\", \"json_object\" or \"json_schema\"";

    /** What clients send for no grammar. */
    private static final JsonNode EMPTY = JsonNodeFactory.instance.stringNode("");

    private final Tokenizer tokenizer;
    /** Made for the first request that wants one: most servers never do. */
    private Grammars grammars;

    Constraints(Tokenizer tokenizer) { this.tokenizer = tokenizer; }

    private synchronized Grammars grammars() {
        if (grammars == null) grammars = new Grammars(tokenizer);
        return grammars;
    }

    /** Makes the constraint of one answer, each its own; null where answers may say anything. */
    Supplier<Constraint> of(Fields fields) {
        var asked = new ArrayList<Supplier<Constraint>>();
        var names = new ArrayList<String>();
        for (var name : List.of("response_format", "json_schema", "grammar")) {
            if (!fields.has(name) || fields.get(name).equals(EMPTY)) continue;
            var constraint = switch (name) {
                case "response_format" -> responseFormat(fields.object(name));
                case "json_schema" -> schema(fields.get(name), name);
                default -> compiled(name, () -> grammars().gbnf(fields.string(name, null)));
            };
            if (constraint == null) continue;
            asked.add(constraint);
            names.add(name);
        }
        if (asked.size() > 1) throw ApiException.invalid(names.get(1), "%s and %s cannot both rule one answer; leave one of them away".formatted(names.get(0), names.get(1)));
        return asked.isEmpty() ? null : asked.getFirst();
    }

    /** OpenAI puts the schema into an object of its own; llama.cpp reads it beside the type, and for json_object too. */
    private Supplier<Constraint> responseFormat(Fields format) {
        var type = format.string("type", null);
        return switch (type) {
            case null -> throw format.wrong("type", FORMATS);
            case "text" -> null;
            case "json_object" -> format.has("schema") ? schema(format.get("schema"), "response_format.schema") : compiled("response_format", () -> grammars().json());
            case "json_schema" -> {
                var wrapper = format.object("json_schema");
                if (wrapper != null && wrapper.has("schema")) yield schema(wrapper.get("schema"), "response_format.json_schema.schema");
                if (format.has("schema")) yield schema(format.get("schema"), "response_format.schema");
                throw format.wrong("json_schema", "an object with a schema");
            }
            default -> throw format.wrong("type", FORMATS);
        };
    }

    private Supplier<Constraint> schema(JsonNode schema, String where) {
        if (!schema.isObject() && !schema.isBoolean()) throw Fields.wrong(schema, where, "a JSON schema");
        return compiled(where, () -> grammars().jsonSchema(schema));
    }

    /** Compiles once to see whether it can be done; later answers find it compiled. */
    private static Supplier<Constraint> compiled(String where, Supplier<Constraint> constraint) {
        try {
            constraint.get();
            return constraint;
        } catch (IllegalArgumentException refused) {
            throw ApiException.invalid(where, "%s cannot be kept: %s".formatted(where, refused.getMessage()));
        }
    }
}
