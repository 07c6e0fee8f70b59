package inkstone.transformer.grammar;

import static inkstone.transformer.grammar.JsonSchema.wrong;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.math.BigDecimal;
import java.net.URLDecoder;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Finds what {@code $ref} means in one schema. Only JSON pointers (RFC 6901) into the same document are followed. */
record SchemaReferences(JsonNode document) {
    private static final int LONGEST_CHAIN = 16, MOST_BRANCHES = 256;

    String text(ObjectNode schema) {
        var reference = schema.get("$ref");
        if (!reference.isString()) throw wrong("$ref should be a text such as #/$defs/name");
        return reference.stringValue();
    }

    JsonNode resolve(String reference) {
        if (!reference.startsWith("#")) throw wrong("$ref \"%s\" leads out of the schema; nothing is fetched, put what it names under $defs", SchemaKeywords.shown(reference));
        if (reference.length() > 1 && reference.charAt(1) != '/') {
            throw wrong("$ref \"%s\" is not a pointer such as #/$defs/name", SchemaKeywords.shown(reference));
        }
        var at = document;
        if (reference.length() > 1) {
            for (var step : reference.substring(2).split("/", -1)) {
                var name = decoded(step, reference);
                if (at.isArray()) at = name.matches("\\d{1,6}") ? at.path(Integer.parseInt(name)) : at.path(-1);
                else at = at.path(name);
            }
        }
        if (at.isMissingNode()) throw wrong("$ref \"%s\" leads nowhere", SchemaKeywords.shown(reference));
        return at;
    }

    private static String decoded(String step, String reference) {
        try {
            return URLDecoder.decode(step.replace("+", "%2B"), UTF_8).replace("~1", "/").replace("~0", "~");
        } catch (IllegalArgumentException _) {
            throw wrong("$ref \"%s\" is not a pointer such as #/$defs/name", SchemaKeywords.shown(reference));
        }
    }

    ObjectNode object(ObjectNode schema) {
        if (resolve(text(schema)) instanceof ObjectNode object) return object;
        throw wrong("$ref \"%s\" beside other keywords should name an object", SchemaKeywords.shown(text(schema)));
    }

    /** The schema with its own reference, and that of what it leads to, written out. */
    ObjectNode flattened(ObjectNode schema) {
        var flat = schema;
        for (int i = 0; flat.has("$ref"); i++) {
            if (i == LONGEST_CHAIN) throw wrong("$ref \"%s\" leads to more than %d others, or back to itself", SchemaKeywords.shown(text(schema)), LONGEST_CHAIN);
            flat = SchemaKeywords.merge(object(flat), SchemaKeywords.without(flat, "$ref"));
        }
        return flat;
    }

    // ---- oneOf -------------------------------------------------------------------------------------------------------------------------------------

    /** oneOf is anyOf where no value fits two branches. Where that cannot be seen from types, values or a property that tells them apart, it is refused. */
    void requireDisjoint(List<JsonNode> branches) {
        if (branches.size() > MOST_BRANCHES) throw wrong("oneOf has %d branches; at most %d are read", branches.size(), MOST_BRANCHES);
        var flat = branches.stream().map(branch -> branch instanceof ObjectNode object ? flattened(object) : branch).toList();
        for (int i = 0; i < flat.size(); i++) {
            for (int j = 0; j < i; j++) {
                if (!disjoint(flat.get(i), flat.get(j))) throw wrong("a value may fit branches %d and %d of oneOf; use anyOf, or a property with another const in each", j, i);
            }
        }
    }

    private boolean disjoint(JsonNode left, JsonNode right) {
        if (left.isBoolean() && !left.booleanValue() || right.isBoolean() && !right.booleanValue()) return true;
        if (!(left instanceof ObjectNode a) || !(right instanceof ObjectNode b)) return false;
        Set<JsonNode> leftValues = values(a), rightValues = values(b);
        if (leftValues != null && rightValues != null) return leftValues.stream().noneMatch(rightValues::contains);
        Set<String> leftTypes = types(a, leftValues), rightTypes = types(b, rightValues);
        if (leftTypes == null || rightTypes == null) return false;
        if (leftTypes.stream().noneMatch(rightTypes::contains)) return true;
        if (!leftTypes.equals(Set.of("object")) || !rightTypes.equals(Set.of("object"))) return false;
        return forbids(a, b) || forbids(b, a) || toldApart(a, b);
    }

    private static boolean forbids(ObjectNode a, ObjectNode b) {
        var additional = a.path("additionalProperties");
        return additional.isBoolean() && !additional.booleanValue() && SchemaKeywords.required(b).stream().anyMatch(name -> !a.path("properties").has(name));
    }

    private boolean toldApart(ObjectNode a, ObjectNode b) {
        var required = SchemaKeywords.required(b);
        for (var name : SchemaKeywords.required(a)) {
            if (!required.contains(name) || !a.path("properties").has(name) || !b.path("properties").has(name)) continue;
            if (a.get("properties").get(name) instanceof ObjectNode x && b.get("properties").get(name) instanceof ObjectNode y) {
                Set<JsonNode> left = values(flattened(x)), right = values(flattened(y));
                if (left != null && right != null && left.stream().noneMatch(right::contains)) return true;
            }
        }
        return false;
    }

    /** Null where the schema lists none. 1 and 1.0 are one value. */
    private static Set<JsonNode> values(ObjectNode schema) {
        if (!schema.has("const") && !schema.path("enum").isArray()) return null;
        var values = new HashSet<JsonNode>();
        for (var value : schema.has("const") ? List.of(schema.get("const")) : schema.get("enum").valueStream().toList()) {
            values.add(value.isNumber() && !value.isIntegralNumber() ? whole(value) : value.isNumber() ? canonical(value.decimalValue()) : value);
        }
        return values;
    }

    private static JsonNode whole(JsonNode number) { return canonical(BigDecimal.valueOf(number.doubleValue())); }

    private static JsonNode canonical(BigDecimal number) { return JsonNodeFactory.instance.numberNode(number.stripTrailingZeros()); }

    private static Set<String> types(ObjectNode schema, Set<JsonNode> values) {
        var types = SchemaKeywords.types(schema);
        if (types == null && values != null) {
            types = new HashSet<>();
            for (var value : values) types.addAll(SchemaKeywords.typesOf(value));
        }
        if (types != null && types.contains("integer")) types.add("number");
        if (types != null && types.contains("number")) types.add("integer");
        return types;
    }
}
