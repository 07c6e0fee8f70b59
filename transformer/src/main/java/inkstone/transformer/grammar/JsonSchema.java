package inkstone.transformer.grammar;

import static inkstone.transformer.grammar.Expression.any;
import static inkstone.transformer.grammar.Expression.optional;
import static inkstone.transformer.grammar.Expression.repeat;
import static inkstone.transformer.grammar.Expression.sequence;
import static inkstone.transformer.grammar.Expression.text;
import static inkstone.transformer.grammar.JsonRules.COLON;
import static inkstone.transformer.grammar.JsonRules.COMMA;
import static inkstone.transformer.grammar.JsonRules.GAP;

import inkstone.transformer.grammar.Expression.Call;
import inkstone.transformer.grammar.Expression.Choice;
import inkstone.transformer.grammar.Expression.OneOf;
import inkstone.transformer.grammar.Expression.Repeat;
import inkstone.transformer.grammar.Expression.Sequence;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Reads a JSON Schema (2020-12, and what is the same in draft 7 and OpenAPI) as rules. Whatever they derive is valid; some valid texts are left out: properties
 * come in the order in which the schema names them, an object with named properties has no others unless {@code additionalProperties} says so, strings from
 * {@code pattern} are escaped in one way, and the bounds of {@link JsonRules} hold. Keywords that would change the meaning and cannot be kept are refused by name
 * ({@link SchemaKeywords}); unknown ones are ignored, as the specification asks. References are followed within the schema only; nothing is ever fetched.
 */
final class JsonSchema {
    private static final int DEEPEST = 64, MOST_SCHEMAS = 5_000, MOST_VALUES = 10_000, LONGEST_NAME = 200, MOST_PREFIX_ITEMS = 256;
    private static final JsonNode TRUE = JsonNodeFactory.instance.booleanNode(true);
    private static final String DAY = "(0[1-9]|1\\d|2[0-8])", TIME = "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)";
    private static final String DATE = "(\\d{4}-((0[1-9]|1[0-2])-" + DAY + "|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)|\\d\\d(0[48]|[2468][048]|[13579][26])-02-29)";
    private static final Map<String, String> FORMATS = Map.of("date", "^" + DATE + "$", "time", "^" + TIME + "$", "date-time", "^" + DATE + "T" + TIME + "$",
            "uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$");

    private final SchemaReferences references;
    private final Map<String, Expression> rules = JsonRules.rules();
    private final ArrayDeque<String> referenced = new ArrayDeque<>();
    private int depth, schemas;

    private JsonSchema(JsonNode schema) { references = new SchemaReferences(schema); }

    static Map<String, Expression> read(JsonNode schema) {
        var reader = new JsonSchema(schema);
        reader.rules.put("root", reader.expression(schema));
        while (!reader.referenced.isEmpty()) {
            var reference = reader.referenced.poll();
            reader.rules.put(ruleOf(reference), reader.expression(reader.references.resolve(reference)));
        }
        return reader.rules;
    }

    private static String ruleOf(String reference) { return "$ref " + reference; }

    private Expression call(String reference) {
        if (rules.putIfAbsent(ruleOf(reference), Expression.EMPTY) == null) {
            references.resolve(reference);
            referenced.add(reference);
        }
        return new Call(ruleOf(reference));
    }

    /** A rule of its own, for what is used twice: written out, it would double with each level. */
    private Expression rule(Expression expression) {
        if (expression instanceof Call) return expression;
        var name = "part " + rules.size();
        rules.put(name, expression);
        return new Call(name);
    }

    private Expression expression(JsonNode node) {
        if (++schemas > MOST_SCHEMAS) throw wrong("it has more than %d parts, references written out", MOST_SCHEMAS);
        if (node.isBoolean()) {
            if (node.booleanValue()) return JsonRules.VALUE;
            throw wrong("false allows nothing here");
        }
        if (!(node instanceof ObjectNode schema)) throw wrong("a schema is an object, true or false, not %s", SchemaKeywords.shown(node));
        if (++depth > DEEPEST) throw wrong("it nests deeper than %d, or a reference leads back to itself", DEEPEST);
        SchemaKeywords.check(schema);
        var expression = combined(schema);
        depth--;
        return expression;
    }

    /** References, allOf, anyOf and oneOf are taken apart until one plain schema is left. */
    private Expression combined(ObjectNode schema) {
        var rest = SchemaKeywords.without(schema, "$ref", "allOf", "anyOf", "oneOf");
        boolean alone = !SchemaKeywords.asserts(rest);
        if (schema.has("$ref")) {
            if (alone && !schema.has("allOf") && !schema.has("anyOf") && !schema.has("oneOf")) return call(references.text(schema));
            return expression(SchemaKeywords.merge(references.object(schema), SchemaKeywords.without(schema, "$ref")));
        }
        if (schema.has("allOf")) {
            var merged = SchemaKeywords.without(schema, "allOf");
            for (var part : branches(schema, "allOf")) {
                if (part.isBoolean() && part.booleanValue()) continue;
                if (!(part instanceof ObjectNode object)) throw wrong("a part of allOf is %s", SchemaKeywords.shown(part));
                merged = SchemaKeywords.merge(merged, object.has("$ref") ? references.flattened(object) : object);
            }
            return expression(merged);
        }
        for (var keyword : List.of("anyOf", "oneOf")) {
            if (!schema.has(keyword)) continue;
            var base = SchemaKeywords.without(schema, keyword);
            var branches = branches(schema, keyword);
            if (keyword.equals("oneOf")) references.requireDisjoint(branches);
            var alternatives = new ArrayList<Expression>();
            for (var branch : branches) {
                if (branch.isBoolean() && !branch.booleanValue()) continue;
                boolean plain = !SchemaKeywords.asserts(base) || branch.isBoolean();
                if (plain) alternatives.add(expression(branch.isBoolean() ? base : branch));
                else if (branch instanceof ObjectNode object) alternatives.add(expression(SchemaKeywords.merge(base, object.has("$ref") ? references.flattened(object) : object)));
                else throw wrong("a branch of %s is %s", keyword, SchemaKeywords.shown(branch));
            }
            if (alternatives.isEmpty()) throw wrong("%s has no branch that allows anything", keyword);
            return new Choice(alternatives);
        }
        return plain(schema);
    }

    private static List<JsonNode> branches(ObjectNode schema, String keyword) {
        var list = schema.get(keyword);
        if (!list.isArray() || list.isEmpty()) throw wrong("%s should be a list of schemas", keyword);
        return list.valueStream().toList();
    }

    private Expression plain(ObjectNode schema) {
        if (schema.has("const") || schema.has("enum")) return values(schema);
        var types = SchemaKeywords.types(schema);
        if (types == null) types = SchemaKeywords.impliedTypes(schema);
        if (types == null) return JsonRules.VALUE;
        if (types.contains("number")) types.remove("integer");
        var alternatives = new ArrayList<Expression>();
        for (var type : types) {
            alternatives.add(switch (type) {
                case "object" -> object(schema);
                case "array" -> array(schema);
                case "string" -> string(schema);
                case "integer", "number" -> number(schema, type);
                case "boolean" -> Expression.words(List.of("true", "false"));
                default -> text("null");
            });
        }
        return alternatives.size() == 1 ? alternatives.getFirst() : new Choice(alternatives);
    }

    private Expression values(ObjectNode schema) {
        SchemaKeywords.refuseBeside(schema, schema.has("const") ? "const" : "enum");
        var types = SchemaKeywords.types(schema);
        var texts = new LinkedHashSet<String>();
        if (schema.has("enum") && !schema.get("enum").isArray()) throw wrong("enum should be a list of values");
        if (schema.has("enum") && schema.get("enum").size() > MOST_VALUES) throw wrong("enum has %d values; at most %d are read", schema.get("enum").size(), MOST_VALUES);
        var candidates = schema.has("const") ? List.of(schema.get("const")) : schema.get("enum").valueStream().toList();
        for (var value : candidates) if (types == null || SchemaKeywords.typesOf(value).stream().anyMatch(types::contains)) texts.add(value.toString());
        if (texts.isEmpty()) throw wrong("enum and type leave no value");
        return Expression.words(List.copyOf(texts));
    }

    // ---- objects -----------------------------------------------------------------------------------------------------------------------------------

    private Expression object(ObjectNode schema) {
        var properties = new LinkedHashMap<String, JsonNode>();
        if (schema.path("properties") instanceof ObjectNode named) named.properties().forEach(entry -> properties.put(entry.getKey(), entry.getValue()));
        var required = SchemaKeywords.required(schema);
        var additional = schema.path("additionalProperties");
        boolean closed = additional.isMissingNode() ? !properties.isEmpty() || !required.isEmpty() : additional.isBoolean() && !additional.booleanValue();
        for (var name : required) {
            if (properties.containsKey(name)) continue;
            if (closed && !additional.isMissingNode()) throw wrong("\"%s\" is required, but additionalProperties forbids it", SchemaKeywords.shown(name));
            properties.put(name, additional.isMissingNode() ? TRUE : additional);
        }
        properties.entrySet().removeIf(entry -> !required.contains(entry.getKey()) && entry.getValue().isBoolean() && !entry.getValue().booleanValue());
        if (!closed && properties.isEmpty() && (additional.isMissingNode() || additional.isBoolean())) return new Call("object");

        var members = new ArrayList<Expression>();
        var needed = new ArrayList<Boolean>();
        properties.forEach((name, value) -> {
            members.add(sequence(text(JsonNodeFactory.instance.stringNode(name).toString()), COLON, expression(value)));
            needed.add(required.contains(name));
        });
        var others = closed ? null : rule(sequence(text("\""), otherThan(schema.path("properties").isObject() || !required.isEmpty() ? properties.keySet() : Set.of()), text("\""),
                COLON, expression(additional.isMissingNode() ? TRUE : additional)));
        if (members.isEmpty() && others == null) return sequence(text("{"), GAP, text("}"));
        var inside = sequence(members.isEmpty() ? sequence(others, any(sequence(COMMA, others))) : members(members, needed, others), GAP);
        return sequence(text("{"), GAP, needed.contains(true) ? inside : optional(inside), text("}"));
    }

    /**
     * At least one member. Until one is there no comma may stand, so the run of optional members at the start is a choice of the first that comes; what follows it
     * is shared as rules, each of which calls the next.
     */
    private Expression members(List<Expression> members, List<Boolean> needed, Expression others) {
        int firstNeeded = needed.indexOf(true), leading = firstNeeded < 0 ? members.size() : firstNeeded;
        for (int i = 1; i < leading; i++) members.set(i, rule(members.get(i)));
        var rest = new ArrayList<Expression>();
        for (int i = leading + 1; i < members.size(); i++) {
            var next = sequence(COMMA, members.get(i));
            rest.add(needed.get(i) ? next : optional(next));
        }
        if (others != null) rest.add(any(sequence(COMMA, others)));
        Expression after = new Sequence(rest);
        if (leading == 0) return sequence(members.getFirst(), after);
        var first = new ArrayList<Expression>();
        if (leading < members.size()) {
            members.set(leading, rule(members.get(leading)));
            after = rule(after);
            first.add(sequence(members.get(leading), after));
            after = rule(sequence(COMMA, members.get(leading), after));
        } else if (others != null) {
            after = rule(after);
            first.add(sequence(others, after));
        }
        for (int i = leading - 1; i >= 0; i--) {
            first.add(sequence(members.get(i), after));
            after = i == 0 ? after : rule(sequence(optional(sequence(COMMA, members.get(i))), after));
        }
        return new Choice(first);
    }

    /** Names of members that the schema does not name, without escapes, so that none is another spelling of a name that it does. */
    private static Expression otherThan(Set<String> names) {
        var tree = new NameTree();
        for (var name : names) {
            if (name.length() > LONGEST_NAME) throw wrong("a property name beside additionalProperties has %d characters; at most %d", name.length(), LONGEST_NAME);
            var at = tree;
            for (int c : name.codePoints().toArray()) at = at.children.computeIfAbsent(c, _ -> new NameTree());
            at.name = true;
        }
        return tree.otherThan();
    }

    private static final class NameTree {
        final Map<Integer, NameTree> children = new TreeMap<>();
        boolean name;

        Expression otherThan() {
            var ways = new ArrayList<Expression>();
            if (!name) ways.add(Expression.EMPTY);
            var named = CharacterSet.of(children.keySet().stream().flatMap(c -> Stream.of(c, c)).mapToInt(Integer::intValue).toArray());
            ways.add(sequence(new OneOf(JsonRules.UNESCAPED.and(named.not())), JsonRules.PLAIN));
            children.forEach((c, child) -> ways.add(sequence(new OneOf(JsonRules.UNESCAPED.and(CharacterSet.of(c, c))), child.otherThan())));
            return new Choice(ways);
        }
    }

    // ---- arrays, strings, numbers ------------------------------------------------------------------------------------------------------------------

    private Expression array(ObjectNode schema) {
        var items = schema.path("items");
        var listed = items.isArray() ? items : schema.path("prefixItems");                // draft 7 wrote a list under items
        if (!listed.isMissingNode() && !listed.isArray()) throw wrong("prefixItems should be a list of schemas");
        int min = SchemaKeywords.count(schema, "minItems", 0), max = SchemaKeywords.count(schema, "maxItems", Repeat.UNBOUNDED);
        boolean more = !(items.isBoolean() && !items.booleanValue());
        if (!more) max = Math.min(max, listed.size());
        if (max < min) throw wrong("no array has at least %d and at most %d items", min, max);
        if (max == 0) return sequence(text("["), GAP, text("]"));
        if (listed.size() > MOST_PREFIX_ITEMS) throw wrong("prefixItems lists %d schemas; at most %d are read", listed.size(), MOST_PREFIX_ITEMS);

        int prefix = Math.min(listed.size(), max);
        var other = more && prefix < max ? rule(expression(items.isMissingNode() || items.isArray() ? TRUE : items)) : null;
        var first = prefix > 0 ? expression(listed.get(0)) : other;
        int taken = Math.max(prefix, 1);
        Expression rest = other == null ? Expression.EMPTY
                : repeat(sequence(COMMA, other), Math.max(0, min - taken), max == Repeat.UNBOUNDED ? max : max - taken);
        for (int i = prefix - 1; i > 0; i--) {
            rest = sequence(COMMA, expression(listed.get(i)), rest);
            if (i >= min) rest = optional(rest);
        }
        var inside = sequence(first, rest, GAP);
        return sequence(text("["), GAP, min > 0 ? inside : optional(inside), text("]"));
    }

    private Expression string(ObjectNode schema) {
        int min = SchemaKeywords.count(schema, "minLength", 0), max = SchemaKeywords.count(schema, "maxLength", Repeat.UNBOUNDED);
        if (max < min) throw wrong("no string has at least %d and at most %d characters", min, max);
        boolean anyLength = min == 0 && max == Repeat.UNBOUNDED;
        var pattern = schema.path("pattern");
        if (!pattern.isMissingNode()) {
            if (!pattern.isString()) throw wrong("pattern should be a string");
            if (!anyLength) throw wrong("pattern together with minLength or maxLength is not supported; say the length in the pattern, as in ^[a-z]{1,8}$");
            return sequence(text("\""), RegularExpression.read(pattern.stringValue()), text("\""));
        }
        var format = FORMATS.get(schema.path("format").stringValue(""));                  // other formats are notes, as the specification has it
        if (format != null && anyLength) return sequence(text("\""), RegularExpression.read(format), text("\""));
        if (anyLength) return JsonRules.STRING;
        var name = "string %d %d".formatted(min, max);                                    // shared: every length is a long row of states
        rules.putIfAbsent(name, sequence(text("\""), repeat(JsonRules.CHARACTER, min, max), text("\"")));
        return new Call(name);
    }

    private static Expression number(ObjectNode schema, String type) {
        boolean whole = type.equals("integer");
        BigDecimal low = SchemaKeywords.number(schema, "minimum"), high = SchemaKeywords.number(schema, "maximum");
        BigDecimal above = SchemaKeywords.number(schema, "exclusiveMinimum"), below = SchemaKeywords.number(schema, "exclusiveMaximum");
        boolean lowOpen = above != null && (low == null || above.compareTo(low) >= 0), highOpen = below != null && (high == null || below.compareTo(high) <= 0);
        if (lowOpen) low = above;
        if (highOpen) high = below;
        if (low == null && high == null) return new Call(type);
        if (whole && low != null && low.stripTrailingZeros().scale() > 0) lowOpen = false;
        if (whole && high != null && high.stripTrailingZeros().scale() > 0) highOpen = false;
        return new NumberRange(bound(low, whole, RoundingMode.CEILING), lowOpen, bound(high, whole, RoundingMode.FLOOR), highOpen, whole).expression();
    }

    private static BigInteger bound(BigDecimal bound, boolean whole, RoundingMode rounding) {
        if (bound == null) return null;
        if (bound.precision() - bound.scale() > NumberRange.MOST_DIGITS || bound.scale() > 1000) throw wrong("a bound of more than %d digits", NumberRange.MOST_DIGITS);
        if (!whole && bound.stripTrailingZeros().scale() > 0) throw wrong("bounds of a number should be whole, found %s", bound);
        return bound.setScale(0, rounding).toBigIntegerExact();
    }

    static IllegalArgumentException wrong(String what, Object... values) { return new IllegalArgumentException("schema: " + what.formatted(values)); }
}
