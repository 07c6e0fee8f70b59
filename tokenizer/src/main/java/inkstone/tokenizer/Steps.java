package inkstone.tokenizer;

import inkstone.tensor.ModelException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The normalizers and pre-tokenizers of a tokenizer.json, each rebuilt from the few settings it has, so that equal ones are equal objects and nothing reaches the
 * engine that was not looked at. What could make the engine's native code fail or never end is refused here: unknown regular expressions, replacements that grow.
 */
final class Steps {
    private static final Set<String> PLAIN_NORMALIZERS = Set.of("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt");
    private static final Set<String> PLAIN_PRE_TOKENIZERS = Set.of("BertPreTokenizer", "Whitespace", "WhitespaceSplit");
    private static final Set<String> BEHAVIORS = Set.of("Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous");
    private static final Set<String> SCHEMES = Set.of("always", "first", "never");
    private static final String SPACES = " {2,}", SPACE_AT_EITHER_END = "\\A | \\z";
    private static final Set<String> REPLACED_EXPRESSIONS = Set.of(SPACES, SPACE_AT_EITHER_END, "\\s+");

    private Steps() {}

    static ObjectNode byteLevel(boolean expression) {
        return step("ByteLevel").put("add_prefix_space", false).put("trim_offsets", true).put("use_regex", expression);
    }

    static ObjectNode split(String expression) {
        var step = step("Split");
        step.putObject("pattern").put("Regex", expression);
        return step.put("behavior", "Isolated").put("invert", false);
    }

    static ObjectNode digits(boolean individual) { return step("Digits").put("individual_digits", individual); }
    static ObjectNode punctuation(String behavior) { return step("Punctuation").put("behavior", behavior); }
    static ObjectNode prepend(String text) { return step("Prepend").put("prepend", text); }

    static ObjectNode replace(String text, String by) {
        var step = step("Replace");
        step.putObject("pattern").put("String", text);
        return step.put("content", by);
    }

    /** Runs of spaces become one, and none is left at either end. */
    static List<ObjectNode> withoutExtraSpaces() { return List.of(replaceExpression(SPACES, " "), replaceExpression(SPACE_AT_EITHER_END, "")); }

    private static ObjectNode replaceExpression(String expression, String by) {
        var step = step("Replace");
        step.putObject("pattern").put("Regex", expression);
        return step.put("content", by);
    }

    /** What SentencePiece does to characters first; throws {@link ModelException} where the map is broken. */
    static ObjectNode precompiled(byte[] characterMap) {
        CharacterMap.check(characterMap);
        return step("Precompiled").put("precompiled_charsmap", Base64.getEncoder().encodeToString(characterMap));
    }

    /** Whether the last of these steps leaves no space: they become U+2581. */
    static boolean replaceSpaces(List<ObjectNode> normalizers, List<ObjectNode> preTokenizers) {
        return preTokenizers.stream().anyMatch(step -> step.path("type").stringValue("").equals("Metaspace"))
            || !normalizers.isEmpty() && normalizers.getLast().equals(replace(" ", "\u2581"));
    }

    static ObjectNode bertNormalizer(boolean lowercase, boolean stripAccents) {
        return step("BertNormalizer").put("clean_text", true).put("handle_chinese_chars", true).put("strip_accents", stripAccents).put("lowercase", lowercase);
    }

    static ObjectNode step(String type) { return JsonNodeFactory.instance.objectNode().put("type", type); }

    /** The steps of a {@code normalizer} entry, which may be absent, one step or a sequence. */
    static List<ObjectNode> normalizers(JsonNode node) { return flat(node, "normalizers").stream().map(Steps::normalizer).toList(); }

    /** The steps of a {@code pre_tokenizer} entry. */
    static List<ObjectNode> preTokenizers(JsonNode node) { return flat(node, "pretokenizers").stream().map(Steps::preTokenizer).toList(); }

    private static List<JsonNode> flat(JsonNode node, String inside) {
        var steps = new ArrayList<JsonNode>();
        if (node.isMissingNode() || node.isNull()) return steps;
        if (!node.path("type").stringValue("").equals("Sequence")) {
            steps.add(node);
        } else {
            for (var step : node.path(inside)) steps.addAll(flat(step, inside));
        }
        if (steps.size() > 64) throw new ModelException("a sequence of %d %s is not believable".formatted(steps.size(), inside));
        return steps;
    }

    private static ObjectNode normalizer(JsonNode node) {
        var type = node.path("type").stringValue("");
        if (PLAIN_NORMALIZERS.contains(type)) return step(type);
        return switch (type) {
            case "Prepend" -> prepend(shortText(node, "prepend"));
            case "Strip" -> step(type).put("strip_left", flag(node, "strip_left", true)).put("strip_right", flag(node, "strip_right", true));
            case "BertNormalizer" -> {
                boolean lowercase = flag(node, "lowercase", true);
                yield bertNormalizer(lowercase, flag(node, "strip_accents", lowercase))
                        .put("clean_text", flag(node, "clean_text", true)).put("handle_chinese_chars", flag(node, "handle_chinese_chars", true));
            }
            case "Precompiled" -> {
                try {
                    yield precompiled(Base64.getDecoder().decode(node.path("precompiled_charsmap").stringValue("")));
                } catch (IllegalArgumentException broken) {
                    throw new ModelException("precompiled_charsmap should be base64");
                }
            }
            case "Replace" -> {
                var content = node.path("content").stringValue("");
                var step = step(type);
                step.set("pattern", pattern(node, REPLACED_EXPRESSIONS::contains));
                int length = step.path("pattern").path("String").stringValue(" ").length();
                if (content.length() > length) throw new ModelException("normalizer Replace makes text longer, which is not supported");
                yield step.put("content", content);
            }
            default -> throw new ModelException("normalizer \"%s\" is not supported".formatted(type));
        };
    }

    private static ObjectNode preTokenizer(JsonNode node) {
        var type = node.path("type").stringValue("");
        if (PLAIN_PRE_TOKENIZERS.contains(type)) return step(type);
        return switch (type) {
            case "ByteLevel" -> byteLevel(flag(node, "use_regex", true)).put("add_prefix_space", flag(node, "add_prefix_space", true));
            case "Digits" -> digits(flag(node, "individual_digits", false));
            case "Punctuation" -> punctuation(choice(node, "behavior", BEHAVIORS, "Isolated"));
            case "Split" -> {
                var step = step(type);
                step.set("pattern", pattern(node, PreTokenizers::known));
                yield step.put("behavior", choice(node, "behavior", BEHAVIORS, "Isolated")).put("invert", flag(node, "invert", false));
            }
            case "Metaspace" -> {
                var scheme = choice(node, "prepend_scheme", SCHEMES, flag(node, "add_prefix_space", true) ? "always" : "never");
                yield step(type).put("replacement", "\u2581").put("prepend_scheme", scheme).put("split", flag(node, "split", true));
            }
            default -> throw new ModelException("pre-tokenizer \"%s\" is not supported".formatted(type));
        };
    }

    private static JsonNode pattern(JsonNode node, java.util.function.Predicate<String> known) {
        var pattern = JsonNodeFactory.instance.objectNode();
        var text = node.path("pattern").path("String");
        if (text.isString() && !text.stringValue().isEmpty()) return pattern.put("String", text.stringValue());
        var expression = node.path("pattern").path("Regex").stringValue("");
        if (known.test(expression)) return pattern.put("Regex", expression);
        throw new ModelException("the regular expression \"%s\" is not one of those known to end in time; use a GGUF file of the model".formatted(cut(expression)));
    }

    private static String cut(String text) { return text.length() <= 200 ? text : text.substring(0, 200) + "..."; }

    private static String shortText(JsonNode node, String name) {
        var text = node.path(name).stringValue("");
        if (text.isEmpty() || text.length() > 8) throw new ModelException("%s of a normalizer should be one to eight characters".formatted(name));
        return text;
    }

    private static boolean flag(JsonNode node, String name, boolean absent) {
        var value = node.path(name);
        if (value.isMissingNode() || value.isNull()) return absent;
        if (!value.isBoolean()) throw new ModelException("\"%s\" should be true or false".formatted(name));
        return value.booleanValue();
    }

    private static String choice(JsonNode node, String name, Set<String> allowed, String absent) {
        var value = node.path(name).stringValue(absent);
        if (!allowed.contains(value)) throw new ModelException("\"%s\" should be one of %s, found \"%s\"".formatted(name, allowed, cut(value)));
        return value;
    }
}
