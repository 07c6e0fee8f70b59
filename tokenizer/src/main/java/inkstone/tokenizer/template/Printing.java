package inkstone.tokenizer.template;

import inkstone.tokenizer.template.Value.Bool;
import inkstone.tokenizer.template.Value.Dict;
import inkstone.tokenizer.template.Value.Int;
import inkstone.tokenizer.template.Value.Real;
import inkstone.tokenizer.template.Value.Sequence;
import java.util.List;

/** Values as text: Python's str and repr, and the escapes of HTML. */
final class Printing {
    private Printing() {}

    /** str(): texts as they are, all else as Python writes it. */
    static Text string(Run run, Value value) {
        if (value instanceof Text text) return text;
        var out = new Text.Builder(run);
        if (!(value instanceof Value.Undefined)) repr(run, value, out);
        return out.toText();
    }

    static Text repr(Run run, Value value) {
        var out = new Text.Builder(run);
        repr(run, value, out);
        return out.toText();
    }

    private static void repr(Run run, Value value, Text.Builder out) {
        run.enter();
        switch (value) {
            case Text text -> quote(run, text, out);
            case Int number -> out.append(Numbers.digits(run, number));
            case Real number -> out.append(Numbers.repr(number.value()));
            case Bool bool -> out.append(bool.value() ? "True" : "False");
            case Value.None _ -> out.append("None");
            case Value.Undefined _ -> out.append("Undefined");
            case Sequence sequence -> {
                switch (sequence.kind()) {
                    case LIST -> items(run, sequence.items(), "[", "]", out);
                    case TUPLE, GROUP -> items(run, sequence.items(), "(", sequence.items().size() == 1 ? ",)" : ")", out);
                    case RANGE -> out.append(sequence.items().toString());
                    case KEYS, VALUES, ITEMS -> items(run, sequence.items(), value.type() + "([", "])", out);
                }
            }
            case Dict dict -> {
                out.append("{");
                var separator = "";
                for (var entry : dict.entries().entrySet()) {
                    out.append(separator);
                    repr(run, entry.getKey(), out);
                    out.append(": ");
                    repr(run, entry.getValue(), out);
                    separator = ", ";
                }
                out.append("}");
            }
            default -> throw run.fail("a %s cannot be printed", value.type());
        }
        run.leave();
    }

    private static void items(Run run, List<Value> items, String open, String close, Text.Builder out) {
        out.append(open);
        for (int i = 0; i < items.size(); i++) {
            if (i > 0) out.append(", ");
            repr(run, items.get(i), out);
        }
        out.append(close);
    }

    /** Single quotes, unless the text has some and no double ones. */
    private static void quote(Run run, Text text, Text.Builder out) {
        var chars = text.chars();
        char quote = chars.indexOf('\'') >= 0 && chars.indexOf('"') < 0 ? '"' : '\'';
        out.append(String.valueOf(quote));
        int from = 0;
        for (int i = 0, c; i < chars.length(); i += Character.charCount(c)) {
            c = chars.codePointAt(i);
            if (c != quote && c != '\\' && Chars.isPrintable(c)) continue;
            out.append(text, from, i);
            from = i + Character.charCount(c);
            run.step(4);
            out.append(switch (c) {
                case '\n' -> "\\n";
                case '\r' -> "\\r";
                case '\t' -> "\\t";
                case '\\', '\'', '"' -> "\\" + (char) c;
                default -> (c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x").formatted(c);
            });
        }
        out.append(text, from, chars.length()).append(String.valueOf(quote));
    }

    /** The escapes of HTML; texts that were escaped or called safe before stay as they are. */
    static Text escape(Run run, Value value) {
        var text = string(run, value);
        if (text.isMarkup()) return text;
        var out = new Text.Builder(run);
        int from = 0;
        for (int i = 0; i < text.chars().length(); i++) {
            var escaped = switch (text.chars().charAt(i)) {
                case '&' -> "&amp;";
                case '<' -> "&lt;";
                case '>' -> "&gt;";
                case '"' -> "&#34;";
                case '\'' -> "&#39;";
                default -> "";
            };
            if (escaped.isEmpty()) continue;
            out.append(text, from, i).append(escaped);
            from = i + 1;
        }
        return out.append(text, from, text.chars().length()).toText().asMarkup();
    }
}
