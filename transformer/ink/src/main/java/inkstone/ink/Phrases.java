package inkstone.ink;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A grammar that spells out texts: {@code (hello|hi)} is one of the alternatives, {@code {name}} what the caller says a name stands for or else one alternative of
 * the rule of that name, {@code {Name}} the same with a capital letter, {@code {a name}} and {@code {the name}} with an article. Immutable; any thread.
 */
final class Phrases {
    private final Map<String, List<String>> rules = new TreeMap<>();

    /** @param lines rules, one a line: {@code name = alternative | alternative}; lines with # are comments */
    Phrases(List<String> lines) {
        for (String line : lines) {
            if (line.isBlank() || line.startsWith("#")) continue;
            int equals = line.indexOf(" = ");
            if (equals < 0) throw new IllegalArgumentException("expected 'name = alternatives', found: " + line);
            rules.put(line.substring(0, equals).strip(), alternatives(line.substring(equals + 3)));
        }
    }

    List<String> rule(String name) {
        var rule = rules.get(name);
        if (rule == null) throw new IllegalArgumentException("nothing is called {" + name + "}");
        return rule;
    }

    /** One text of the template, as a line of running text without corrections. */
    String expand(String template, Map<String, String> names, Dice dice) {
        var out = new StringBuilder();
        for (int i = 0; i < template.length(); i++) {
            char c = template.charAt(i);
            if (c == '(') {
                int end = closing(template, i);
                out.append(expand(dice.pick(parts(template.substring(i + 1, end))), names, dice));
                i = end;
            } else if (c == '{') {
                int end = template.indexOf('}', i);
                out.append(value(template.substring(i + 1, end), names, dice));
                i = end;
            } else {
                out.append(c);
            }
        }
        return out.toString();
    }

    private String value(String name, Map<String, String> names, Dice dice) {
        String known = names.get(name);
        if (known != null) return known;
        if (Character.isUpperCase(name.charAt(0))) return English.capital(value(name.substring(0, 1).toLowerCase() + name.substring(1), names, dice));
        if (name.startsWith("a ") || name.startsWith("the ")) {
            int blank = name.indexOf(' ') + 1;
            return name.substring(0, blank) + value(name.substring(blank), names, dice);
        }
        return expand(dice.pick(rule(name)), names, dice);
    }

    /** The parts between bars that stand in no brackets, without blanks around them. */
    static List<String> alternatives(String text) { return parts(text).stream().map(String::strip).toList(); }

    private static List<String> parts(String text) {
        var parts = new ArrayList<String>();
        int depth = 0, start = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '(') depth++;
            if (c == ')') depth--;
            if (c == '|' && depth == 0) {
                parts.add(text.substring(start, i));
                start = i + 1;
            }
        }
        if (depth != 0) throw new IllegalArgumentException("a bracket is not closed: " + text);
        parts.add(text.substring(start));
        return parts;
    }

    private static int closing(String text, int open) {
        int depth = 0;
        for (int i = open; i < text.length(); i++) {
            if (text.charAt(i) == '(') depth++;
            if (text.charAt(i) == ')' && --depth == 0) return i;
        }
        throw new IllegalArgumentException("a bracket is not closed: " + text);
    }
}
