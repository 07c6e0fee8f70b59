package inkstone.tokenizer.template;

import inkstone.tokenizer.template.Value.Bool;
import inkstone.tokenizer.template.Value.Dict;
import inkstone.tokenizer.template.Value.Int;
import inkstone.tokenizer.template.Value.None;
import inkstone.tokenizer.template.Value.Real;
import inkstone.tokenizer.template.Value.Sequence;
import java.util.ArrayList;
import java.util.Map;

/**
 * JSON as Python's json.dumps writes it, down to the blanks: {@code {"a": [1, 2]}}. Models saw exactly this in training. Texts keep their
 * marks; everything around them is untrusted.
 *
 * @param lines  whether every item has its own line, indented by {@code indent} for each level of nesting
 */
record Json(Run run, boolean ascii, boolean lines, Text indent, Text itemSeparator, Text keySeparator, boolean sortKeys) {
    Text write(Value value) {
        var out = new Text.Builder(run);
        write(value, 1, out);
        return out.toText();
    }

    private void write(Value value, int level, Text.Builder out) {
        run.enter();
        switch (value) {
            case Text text -> string(text, out);
            case Sequence list when list.kind().compareTo(Sequence.Kind.GROUP) <= 0 -> {
                if (list.items().isEmpty()) {
                    out.append("[]");
                    break;
                }
                out.append("[");
                for (int i = 0; i < list.items().size(); i++) {
                    if (i > 0) out.append(itemSeparator);
                    newLine(level, out);
                    write(list.items().get(i), level + 1, out);
                }
                newLine(level - 1, out);
                out.append("]");
            }
            case Dict dict -> dict(dict, level, out);
            default -> out.append(scalar(value));
        }
        run.leave();
    }

    private void dict(Dict dict, int level, Text.Builder out) {
        if (dict.entries().isEmpty()) {
            out.append("{}");
            return;
        }
        var entries = new ArrayList<Map.Entry<Value, Value>>(dict.entries().entrySet());
        if (sortKeys) entries.sort((a, b) -> Operators.compare(run, a.getKey(), b.getKey()));
        out.append("{");
        for (int i = 0; i < entries.size(); i++) {
            if (i > 0) out.append(itemSeparator);
            newLine(level, out);
            if (entries.get(i).getKey() instanceof Text key) {
                string(key, out);
            } else {
                out.append("\"").append(scalar(entries.get(i).getKey())).append("\"");
            }
            out.append(keySeparator);
            write(entries.get(i).getValue(), level + 1, out);
        }
        newLine(level - 1, out);
        out.append("}");
    }

    private void newLine(int level, Text.Builder out) {
        if (lines) out.append("\n").repeat(indent, level);
    }

    private String scalar(Value value) {
        return switch (value) {
            case Int number -> Numbers.digits(run, number);
            case Bool bool -> bool.value() ? "true" : "false";
            case None _ -> "null";
            case Real number when Double.isNaN(number.value()) -> "NaN";
            case Real number when Double.isInfinite(number.value()) -> number.value() > 0 ? "Infinity" : "-Infinity";
            case Real number -> Numbers.repr(number.value());
            default -> throw run.fail("%s has no form in JSON", value.type());
        };
    }

    private void string(Text text, Text.Builder out) {
        var chars = text.chars();
        out.append("\"");
        int from = 0;
        for (int i = 0; i < chars.length(); i++) {
            char c = chars.charAt(i);
            if (c >= ' ' && c != '"' && c != '\\' && (c < 0x7f || !ascii)) continue;
            out.append(text, from, i);
            from = i + 1;
            run.step(4);
            out.append(switch (c) {
                case '"' -> "\\\"";
                case '\\' -> "\\\\";
                case '\n' -> "\\n";
                case '\r' -> "\\r";
                case '\t' -> "\\t";
                case '\f' -> "\\f";
                case '\b' -> "\\b";
                default -> "\\u%04x".formatted((int) c);
            });
        }
        out.append(text, from, chars.length()).append("\"");
    }
}
