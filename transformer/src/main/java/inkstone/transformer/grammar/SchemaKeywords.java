package inkstone.transformer.grammar;

import static inkstone.transformer.grammar.JsonSchema.wrong;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** What the keywords of one schema say, which are kept and which refused, and one schema that says what two say. */
final class SchemaKeywords {
    /* In the order in which a schema without a type is taken for one that has it. */
    private static final Map<String, List<String>> OF_TYPE = new TreeMap<>(Map.of(
            "object", List.of("properties", "required", "additionalProperties"),
            "array", List.of("items", "prefixItems", "minItems", "maxItems"),
            "string", List.of("minLength", "maxLength", "pattern", "format"),
            "number", List.of("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")));
    private static final Set<String> GENERAL = Set.of("type", "enum", "const", "$ref", "allOf", "anyOf", "oneOf", "nullable");
    private static final Set<String> REFUSED = Set.of("not", "if", "then", "else", "patternProperties", "propertyNames", "minProperties", "maxProperties", "dependencies",
            "dependentRequired", "dependentSchemas", "contains", "minContains", "maxContains", "uniqueItems", "multipleOf", "unevaluatedProperties", "unevaluatedItems",
            "additionalItems", "$dynamicRef", "$recursiveRef");
    private static final Set<String> TYPES = Set.of("object", "array", "string", "integer", "number", "boolean", "null");
    private static final int LONGEST_COUNT = 1_000_000;

    private SchemaKeywords() {}

    static void check(ObjectNode schema) {
        for (var entry : schema.properties()) {
            if (!REFUSED.contains(entry.getKey())) continue;
            var value = entry.getValue();
            boolean saysNothing = switch (entry.getKey()) {
                case "uniqueItems" -> value.isBoolean() && !value.booleanValue();
                case "minProperties" -> value.isNumber() && value.doubleValue() <= 0;
                case "unevaluatedProperties", "unevaluatedItems", "additionalItems" -> value.isBoolean() && value.booleanValue();
                case "patternProperties" -> value.isObject() && value.isEmpty();
                case "then", "else" -> !schema.has("if");
                default -> false;
            };
            if (!saysNothing) throw wrong("keyword \"%s\" is not supported; leave it out and check the answer, or say the same with other keywords", entry.getKey());
        }
        if (schema.has("properties") && !schema.get("properties").isObject()) throw wrong("properties should be an object of schemas");
        if (schema.has("additionalProperties") && !schema.get("additionalProperties").isObject() && !schema.get("additionalProperties").isBoolean()) {
            throw wrong("additionalProperties should be a schema");
        }
    }

    /** Whether a keyword is there that says something about a value; titles, descriptions, definitions and unknown words do not. */
    static boolean asserts(ObjectNode schema) {
        return schema.propertyNames().stream().anyMatch(SchemaKeywords::asserts);
    }

    private static boolean asserts(String keyword) {
        return GENERAL.contains(keyword) || REFUSED.contains(keyword) || OF_TYPE.values().stream().anyMatch(words -> words.contains(keyword)) && !keyword.equals("format");
    }

    static void refuseBeside(ObjectNode schema, String keyword) {
        for (var name : schema.propertyNames()) {
            boolean harmless = name.equals(keyword) || name.equals("type") || name.equals("nullable") || !asserts(name);
            if (!harmless) throw wrong("\"%s\" beside %s is not supported; leave it out, the values say it all", name, keyword);
        }
    }

    /** As named by {@code type} and {@code nullable}; null where nothing is said. */
    static Set<String> types(ObjectNode schema) {
        var type = schema.path("type");
        if (type.isMissingNode()) return null;
        var types = new LinkedHashSet<String>();
        for (var name : type.isArray() ? type.valueStream().toList() : List.of(type)) {
            if (!name.isString() || !TYPES.contains(name.stringValue())) throw wrong("type %s is not known; known are %s", shown(name), new TreeSet<>(TYPES));
            types.add(name.stringValue());
        }
        if (types.isEmpty()) throw wrong("type is an empty list, which allows nothing");
        if (schema.path("nullable").isBoolean() && schema.get("nullable").booleanValue()) types.add("null");
        return types;
    }

    static Set<String> impliedTypes(ObjectNode schema) {
        var types = new LinkedHashSet<String>();
        OF_TYPE.forEach((type, words) -> { if (words.stream().anyMatch(word -> schema.has(word) && asserts(word))) types.add(type); });
        return types.isEmpty() ? null : types;
    }

    static Set<String> typesOf(JsonNode value) {
        if (value.isObject()) return Set.of("object");
        if (value.isArray()) return Set.of("array");
        if (value.isString()) return Set.of("string");
        if (value.isBoolean()) return Set.of("boolean");
        if (value.isNull()) return Set.of("null");
        return value.isIntegralNumber() ? Set.of("integer", "number") : Set.of("number");
    }

    static Set<String> required(ObjectNode schema) {
        var names = new LinkedHashSet<String>();
        var required = schema.path("required");
        if (required.isMissingNode()) return names;
        if (!required.isArray()) throw wrong("required should be a list of names");
        for (var name : required) {
            if (!name.isString()) throw wrong("required should be a list of names, found %s", shown(name));
            names.add(name.stringValue());
        }
        return names;
    }

    static int count(ObjectNode schema, String keyword, int absent) {
        var value = schema.path(keyword);
        if (value.isMissingNode()) return absent;
        if (!value.isNumber() || !value.canConvertToLong() || value.doubleValue() != Math.rint(value.doubleValue()) || value.longValue() < 0) {
            throw wrong("%s should be a count, found %s", keyword, shown(value));
        }
        if (value.longValue() > LONGEST_COUNT) throw wrong("%s is %d; at most %d can be kept", keyword, value.longValue(), LONGEST_COUNT);
        return (int) value.longValue();
    }

    static BigDecimal number(ObjectNode schema, String keyword) {
        var value = schema.path(keyword);
        if (value.isMissingNode()) return null;
        if (!value.isNumber() || value.isFloatingPointNumber() && !value.isBigDecimal() && !Double.isFinite(value.doubleValue())) {
            throw wrong("%s should be a number, found %s", keyword, shown(value));
        }
        return value.decimalValue();
    }

    // ---- two schemas as one ------------------------------------------------------------------------------------------------------------------------

    static ObjectNode without(ObjectNode schema, String... keywords) {
        var rest = JsonNodeFactory.instance.objectNode();
        for (var entry : schema.properties()) if (!List.of(keywords).contains(entry.getKey())) rest.set(entry.getKey(), entry.getValue());
        return rest;
    }

    /** Values that fit both. What cannot be said in one schema is refused by the name of the keyword. */
    static ObjectNode merge(ObjectNode a, ObjectNode b) {
        refuseForbidden(a, b);
        refuseForbidden(b, a);
        var both = without(a);
        for (var entry : b.properties()) {
            var keyword = entry.getKey();
            JsonNode left = a.get(keyword), right = entry.getValue();
            both.set(keyword, left == null || left.equals(right) ? right : asserts(keyword) ? merge(keyword, left, right) : left);
        }
        return both;
    }

    private static JsonNode merge(String keyword, JsonNode left, JsonNode right) {
        return switch (keyword) {
            case "properties" -> properties(left, right);
            case "required", "allOf" -> {
                var all = new LinkedHashSet<>(left.valueStream().toList());
                all.addAll(right.valueStream().toList());
                yield JsonNodeFactory.instance.arrayNode().addAll(all);
            }
            case "type" -> common(types(JsonNodeFactory.instance.objectNode().set("type", left)), types(JsonNodeFactory.instance.objectNode().set("type", right)));
            case "enum" -> {
                var values = left.valueStream().filter(value -> right.valueStream().anyMatch(value::equals)).toList();
                if (values.isEmpty()) throw wrong("two lists of enum that must both hold have no value in common");
                yield JsonNodeFactory.instance.arrayNode().addAll(values);
            }
            case "minimum", "exclusiveMinimum", "minLength", "minItems" -> number(keyword, left).compareTo(number(keyword, right)) >= 0 ? left : right;
            case "maximum", "exclusiveMaximum", "maxLength", "maxItems" -> number(keyword, left).compareTo(number(keyword, right)) <= 0 ? left : right;
            case "additionalProperties" -> left.isBoolean() && left.booleanValue() ? right : right.isBoolean() && right.booleanValue() ? left : either(left, right);
            default -> throw wrong("keyword \"%s\" stands in two schemas that must both hold, and differs", keyword);
        };
    }

    /* A schema and false: false. */
    private static JsonNode either(JsonNode left, JsonNode right) {
        if (left.isBoolean()) return left;
        if (right.isBoolean()) return right;
        return JsonNodeFactory.instance.objectNode().set("allOf", JsonNodeFactory.instance.arrayNode().add(left).add(right));
    }

    private static BigDecimal number(String keyword, JsonNode value) {
        return number(JsonNodeFactory.instance.objectNode().set(keyword, value), keyword);
    }

    private static JsonNode properties(JsonNode left, JsonNode right) {
        if (!(left instanceof ObjectNode a) || !(right instanceof ObjectNode b)) throw wrong("properties should be an object of schemas");
        var both = without(a);
        for (var entry : b.properties()) {
            var name = entry.getKey();
            both.set(name, !a.has(name) || a.get(name).equals(entry.getValue()) ? entry.getValue()
                    : JsonNodeFactory.instance.objectNode().set("allOf", JsonNodeFactory.instance.arrayNode().add(a.get(name)).add(entry.getValue())));
        }
        return both;
    }

    private static JsonNode common(Set<String> left, Set<String> right) {
        var both = new ArrayList<String>();
        for (var type : left) {
            if (right.contains(type)) both.add(type);
            else if (type.equals("integer") && right.contains("number")) both.add(type);
            else if (type.equals("number") && right.contains("integer")) both.add("integer");
        }
        if (both.isEmpty()) throw wrong("types %s and %s must both hold, and no value has both", left, right);
        var list = JsonNodeFactory.instance.arrayNode();
        both.forEach(list::add);
        return list;
    }

    /** additionalProperties speaks of the properties beside it only, so what forbids or restricts others cannot be joined with a schema that has others. */
    private static void refuseForbidden(ObjectNode a, ObjectNode b) {
        var additional = a.path("additionalProperties");
        if (additional.isMissingNode() || additional.isBoolean() && additional.booleanValue()) return;
        for (var name : b.path("properties").propertyNames()) {
            if (!a.path("properties").has(name)) throw wrong("additionalProperties beside allOf would rule out property \"%s\" of another part; leave it out", shown(name));
        }
    }

    static String shown(Object value) {
        var text = value.toString();
        return text.length() <= 60 ? text : text.substring(0, 60) + "...";
    }
}
