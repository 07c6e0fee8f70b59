package inkstone.server;

import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A JSON object of a request, read field by field with types and bounds. An absent field and a null are the same; fields nobody asks for are ignored.
 * Every complaint is a 400 that names the field, what was expected and what came.
 */
record Fields(ObjectNode node, String path) {
    boolean has(String name) { return node.hasNonNull(name); }

    JsonNode get(String name) { return node.get(name); }

    String string(String name, String absent) { return has(name) ? text(get(name), path + name) : absent; }

    boolean bool(String name, boolean absent) {
        if (!has(name)) return absent;
        if (!get(name).isBoolean()) throw wrong(name, "true or false");
        return get(name).booleanValue();
    }

    /** A finite number from {@code min} to {@code max}. */
    float number(String name, double min, double max, double absent) {
        if (!has(name)) return (float) absent;
        double value = get(name).isNumber() ? get(name).doubleValue() : Double.NaN;
        if (!(value >= min && value <= max)) throw wrong(name, "a number from %s to %s".formatted(shown(min), shown(max)));
        return (float) value;
    }

    private static String shown(double bound) { return bound == Math.rint(bound) ? Long.toString((long) bound) : Double.toString(bound); }

    /** A whole number from {@code min} to {@code max}. */
    long integer(String name, long min, long max, long absent) {
        if (!has(name)) return absent;
        return integer(get(name), min, max, path + name);
    }

    static long integer(JsonNode value, long min, long max, String where) {
        boolean fits = value.isIntegralNumber() && value.canConvertToLong() && value.longValue() >= min && value.longValue() <= max;
        if (!fits) throw wrong(value, where, "a whole number from %d to %d".formatted(min, max));
        return value.longValue();
    }

    /** Token ids below {@code vocabulary}. */
    static int[] tokens(JsonNode array, String where, int vocabulary) {
        var tokens = new int[array.size()];
        for (int i = 0; i < tokens.length; i++) tokens[i] = (int) integer(array.get(i), 0, vocabulary - 1L, "%s[%d]".formatted(where, i));
        return tokens;
    }

    /** The elements of an array of at most {@code max}; none where the field is absent. */
    List<JsonNode> array(String name, int max) {
        if (!has(name)) return List.of();
        if (!get(name).isArray()) throw wrong(name, "an array");
        if (get(name).size() > max) throw ApiException.invalid(path + name, "%s may have %d elements, got %d".formatted(path + name, max, get(name).size()));
        var elements = new ArrayList<JsonNode>();
        get(name).forEach(elements::add);
        return elements;
    }

    /** An array of objects. */
    List<Fields> objects(String name, int max) {
        var elements = array(name, max);
        var objects = new ArrayList<Fields>(elements.size());
        for (int i = 0; i < elements.size(); i++) {
            objects.add(object(elements.get(i), "%s%s[%d]".formatted(path, name, i)));
        }
        return objects;
    }

    /** What must be an object. */
    static Fields object(JsonNode value, String where) {
        if (!(value instanceof ObjectNode object)) throw wrong(value, where, "an object");
        return new Fields(object, where + ".");
    }

    /** An object, or null where it is absent. */
    Fields object(String name) {
        if (!has(name)) return null;
        if (!(get(name) instanceof ObjectNode object)) throw wrong(name, "an object");
        return new Fields(object, path + name + ".");
    }

    ApiException wrong(String name, String expected) { return wrong(node.get(name), path + name, expected); }

    static ApiException wrong(JsonNode value, String where, String expected) {
        return ApiException.invalid(where, "%s must be %s, got %s".formatted(where, expected, shown(value)));
    }

    /** A string without unpaired surrogates, which no tokenizer can encode. */
    static String text(JsonNode value, String where) {
        if (!value.isString()) throw wrong(value, where, "a string");
        var text = value.stringValue();
        for (int i = 0; i < text.length(); i++) {
            if (!Character.isSurrogate(text.charAt(i))) continue;
            if (i + 1 == text.length() || !Character.isSurrogatePair(text.charAt(i), text.charAt(i + 1))) {
                throw ApiException.invalid(where, "%s has half a surrogate pair at character %d, which is no text".formatted(where, i));
            }
            i++;
        }
        return text;
    }

    /** A value as complaints show it: short, and never a whole document. */
    static String shown(JsonNode value) {
        if (value == null || value.isMissingNode()) return "nothing";
        if (value.isObject()) return "an object";
        if (value.isArray()) return "an array";
        if (value.isString()) return "the string \"" + shortened(value.stringValue()) + "\"";
        return shortened(value.toString());
    }

    static String shortened(String text) { return text.length() <= 40 ? text : text.substring(0, 40) + "..."; }
}
