package inkstone.tokenizer.template;

import static java.util.Map.entry;

import inkstone.tokenizer.template.Value.Dict;
import inkstone.tokenizer.template.Value.Int;
import inkstone.tokenizer.template.Value.Numeric;
import inkstone.tokenizer.template.Value.Real;
import inkstone.tokenizer.template.Value.Sequence;
import inkstone.tokenizer.template.Value.Undefined;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What {@code value|name(arguments)} does. Filters for texts and numbers are here, those for lists in {@link ListFilters}. */
final class Filters {
    @FunctionalInterface
    interface Filter { Value apply(Run run, Value value, Arguments arguments); }

    private static final Map<String, Filter> TABLE = table();

    private Filters() {}

    static boolean exists(String name) { return TABLE.containsKey(name); }

    static Value apply(Run run, String name, Value value, Arguments arguments) {
        var filter = TABLE.get(name);
        if (filter == null) throw run.fail("there is no filter '%s'", name);
        run.step(1);
        return filter.apply(run, value, arguments);
    }

    private static Map<String, Filter> table() {
        var table = new HashMap<String, Filter>(ListFilters.TABLE);
        table.putAll(Map.ofEntries(
                entry("abs", (run, value, arguments) -> Numbers.absolute(Operators.numeric(run, "abs", value))),
                entry("capitalize", (run, value, arguments) -> TextMethods.capitalize(run, Printing.string(run, value))),
                entry("center", (run, value, arguments) -> {
                    int width = arguments.bind(run, "center", "width").integer(0, 80);
                    return TextMethods.pad(run, Printing.string(run, value), width, Text.untrusted(" "), 'c');
                }),
                entry("count", (run, value, arguments) -> Int.of(Operators.length(run, value))),
                entry("d", Filters::orDefault),
                entry("default", Filters::orDefault),
                entry("e", (run, value, arguments) -> Printing.escape(run, value)),
                entry("escape", (run, value, arguments) -> Printing.escape(run, value)),
                entry("float", Filters::real),
                entry("forceescape", (run, value, arguments) -> Printing.escape(run, Printing.string(run, value).asPlain())),
                entry("format", Filters::format),
                entry("indent", Filters::indent),
                entry("int", Filters::whole),
                entry("items", Methods::items),
                entry("length", (run, value, arguments) -> Int.of(Operators.length(run, value))),
                entry("lower", (run, value, arguments) -> Printing.string(run, value).lower(run)),
                entry("replace", (run, value, arguments) -> {
                    var given = arguments.bind(run, "replace", "old", "new", "count");
                    Text old = Printing.string(run, given.get(0)), replacement = Printing.string(run, given.get(1));
                    return TextMethods.replace(run, Printing.string(run, value).asPlain(), old, replacement, given.set(2) ? given.integer(2) : -1);
                }),
                entry("round", Filters::round),
                entry("safe", (run, value, arguments) -> Printing.string(run, value).asMarkup()),
                entry("string", (run, value, arguments) -> Printing.string(run, value)),
                entry("title", Filters::title),
                entry("tojson", Filters::json),
                entry("trim", (run, value, arguments) -> {
                    var given = arguments.bind(run, "trim", "chars");
                    return TextMethods.strip(run, Printing.string(run, value), given.set(0) ? given.text(0).chars() : "", !given.set(0), true, true);
                }),
                entry("truncate", Filters::truncate),
                entry("upper", (run, value, arguments) -> Printing.string(run, value).upper(run)),
                entry("urlencode", Filters::urlEncode),
                entry("wordcount", Filters::wordCount)));
        return Map.copyOf(table);
    }

    private static Value orDefault(Run run, Value value, Arguments arguments) {
        var given = arguments.bind(run, "default", "default_value", "boolean");
        return value instanceof Undefined || given.flag(1, false) && !value.truthy() ? given.get(0, Text.EMPTY) : value;
    }

    private static Value whole(Run run, Value value, Arguments arguments) {
        var given = arguments.bind(run, "int", "default", "base");
        var otherwise = given.get(0, Int.of(0));
        Operators.refuseUndefined(run, value);
        if (value instanceof Numeric number && !(number instanceof Real)) return new Int(Numbers.whole(number));
        var real = value;
        if (value instanceof Text text) {
            run.step(text.chars().length());
            var parsed = Numbers.parseInt(run, text.chars(), given.integer(1, 10), Value.None.NONE);
            if (parsed instanceof Int) return parsed;
            real = Numbers.parseReal(text.chars(), otherwise);
        }
        return real instanceof Real number && Double.isFinite(number.value()) ? new Int(Numbers.whole(number)) : otherwise;
    }

    private static Value real(Run run, Value value, Arguments arguments) {
        var otherwise = arguments.bind(run, "float", "default").get(0, new Real(0));
        Operators.refuseUndefined(run, value);
        return switch (value) {
            case Numeric number -> new Real(Numbers.real(number));
            case Text text -> {
                run.step(text.chars().length());
                yield Numbers.parseReal(text.chars(), otherwise);
            }
            default -> otherwise;
        };
    }

    private static Value round(Run run, Value value, Arguments arguments) {
        var given = arguments.bind(run, "round", "precision", "method");
        var number = Operators.numeric(run, "round", value);
        int precision = given.integer(0, 0);
        var method = given.get(1, Text.untrusted("common"));
        if (!(method instanceof Text name) || !List.of("common", "ceil", "floor").contains(name.chars())) throw run.fail("round knows common, ceil and floor");
        if (name.chars().equals("common")) return Numbers.round(run, number, precision);
        double scale = Math.pow(10, precision), scaled = Numbers.real(number) * scale;
        return new Real((name.chars().equals("ceil") ? Math.ceil(scaled) : Math.floor(scaled)) / scale);
    }

    private static Value format(Run run, Value value, Arguments arguments) {
        if (!arguments.named().isEmpty() && !arguments.positional().isEmpty()) throw run.fail("format takes values by position or by name, not both");
        if (arguments.named().isEmpty()) return Formatting.percent(run, Printing.string(run, value), new Sequence(Sequence.Kind.TUPLE, arguments.positional()));
        var byName = new HashMap<Value, Value>();
        arguments.named().forEach((name, given) -> byName.put(Text.untrusted(name), given));
        return Formatting.percent(run, Printing.string(run, value), new Dict(byName));
    }

    /** Every line but the first by {@code width} blanks or a text; empty lines stay empty. */
    private static Value indent(Run run, Value value, Arguments arguments) {
        var given = arguments.bind(run, "indent", "width", "first", "blank");
        var indentation = given.has(0) && given.get(0) instanceof Text text ? text : new Text.Builder(run).repeat(Text.untrusted(" "), given.integer(0, 4)).toText();
        if (!(value instanceof Text text)) throw run.fail("indent needs text, not %s", value.type());
        var out = new Text.Builder(run);
        if (given.flag(1, false)) out.append(indentation);
        var lines = TextMethods.lines(run, text.plus(run, Text.untrusted("\n")), false);
        for (int i = 0; i < lines.size(); i++) {
            if (i > 0) out.append("\n");
            if (i > 0 && (lines.get(i).truthy() || given.flag(2, false))) out.append(indentation);
            out.append((Text) lines.get(i));
        }
        return text.isMarkup() ? out.toText().asMarkup() : out.toText();
    }

    /** Jinja's title: the first letter after blanks, hyphens and opening brackets is large, the others are small. */
    private static Value title(Run run, Value value, Arguments arguments) {
        var text = Printing.string(run, value);
        var out = new Text.Builder(run);
        boolean inside = false;
        for (int i = 0, end; i < text.chars().length(); i = end) {
            end = text.chars().offsetByCodePoints(i, 1);
            int c = text.chars().codePointAt(i);
            var character = text.slice(i, end);
            out.append(inside ? character.lower(run) : character.upper(run));
            inside = "-({[<".indexOf(c) < 0 && !Chars.isSpace(c);
        }
        return out.toText();
    }

    /** The tojson of Hugging Face's templates, which escapes nothing for HTML. */
    private static Value json(Run run, Value value, Arguments arguments) {
        var given = arguments.bind(run, "tojson", "indent", "ensure_ascii", "separators", "sort_keys");
        boolean lines = given.set(0);
        var indent = !lines ? Text.EMPTY : given.get(0) instanceof Text text ? text : new Text.Builder(run).repeat(Text.untrusted(" "), given.integer(0)).toText();
        Text items = Text.untrusted(lines ? "," : ", "), keys = Text.untrusted(": ");
        if (given.set(2)) {
            var separators = Operators.iterate(run, given.get(2));
            if (separators.size() != 2 || !(separators.get(0) instanceof Text first) || !(separators.get(1) instanceof Text second)) {
                throw run.fail("tojson needs two texts as separators");
            }
            items = first;
            keys = second;
        }
        return new Json(run, given.flag(1, false), lines, indent, items, keys, given.flag(3, false)).write(value);
    }

    private static Value truncate(Run run, Value value, Arguments arguments) {
        var given = arguments.bind(run, "truncate", "length", "killwords", "end", "leeway");
        if (!(value instanceof Text text)) throw run.fail("truncate needs text, not %s", value.type());
        var end = given.has(2) ? given.text(2) : Text.untrusted("...");
        int length = given.integer(0, 255), leeway = given.set(3) ? given.integer(3) : 5;
        if (length < end.length() || leeway < 0) throw run.fail("truncate cannot cut to %d characters with '%s' at the end", length, end);
        if (text.length() <= (long) length + leeway) return text;
        var cut = text.slice(0, text.offset(run, length - end.length()));
        int space = given.flag(1, false) ? -1 : cut.chars().lastIndexOf(' ');
        return (space < 0 ? cut : cut.slice(0, space)).plus(run, end);
    }

    private static Value urlEncode(Run run, Value value, Arguments arguments) {
        if (value instanceof Text || !(value instanceof Dict || value instanceof Sequence)) return percentEncoded(run, Printing.string(run, value), false);
        var out = new Text.Builder(run);
        for (var pair : value instanceof Dict dict ? Methods.entries(run, dict) : Operators.iterate(run, value)) {
            if (!(pair instanceof Sequence parts) || parts.items().size() != 2) throw run.fail("urlencode needs text, a dictionary or pairs");
            if (out.chars() > 0) out.append("&");
            out.append(percentEncoded(run, Printing.string(run, parts.items().get(0)), true)).append("=");
            out.append(percentEncoded(run, Printing.string(run, parts.items().get(1)), true));
        }
        return out.toText();
    }

    private static Text percentEncoded(Run run, Text text, boolean query) {
        run.step(2L * text.chars().length());
        return text.map(run, s -> {
            var encoded = new StringBuilder();
            for (byte b : s.getBytes(StandardCharsets.UTF_8)) {
                boolean plain = b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || "_.-~".indexOf(b) >= 0 || b == '/' && !query;
                encoded.append(plain ? String.valueOf((char) b) : b == ' ' && query ? "+" : "%%%02X".formatted(b));
            }
            return encoded.toString();
        });
    }

    private static Value wordCount(Run run, Value value, Arguments arguments) {
        var chars = Printing.string(run, value).chars();
        run.step(chars.length() / 4);
        int words = 0;
        boolean inside = false;
        for (int i = 0, c; i < chars.length(); i += Character.charCount(c)) {
            c = chars.codePointAt(i);
            if (Chars.isWord(c) && !inside) words++;
            inside = Chars.isWord(c);
        }
        return Int.of(words);
    }
}
