package inkstone.transformer.grammar;

import inkstone.transformer.grammar.Expression.Call;
import inkstone.transformer.grammar.Expression.Choice;
import inkstone.transformer.grammar.Expression.OneOf;
import inkstone.transformer.grammar.Expression.Repeat;
import inkstone.transformer.grammar.Expression.Sequence;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads llama.cpp's dialect of BNF (grammars/README.md there): {@code name ::= alternatives}, literals and classes with escapes, groups, {@code * + ? {m,n}},
 * {@code .} and {@code #} comments; {@code root} is where a text begins. A rule goes on until the next {@code name ::=}, so line feeds are free everywhere.
 * Rules over token ids ({@code <[1000]>}) are refused: a grammar here is of texts, whatever the model's tokens are.
 */
final class Gbnf {
    private static final int LONGEST = 1 << 18, DEEPEST_GROUP = 128, MOST_REPETITIONS = 4;

    private final String text;
    private final Map<String, Expression> rules = new LinkedHashMap<>();
    private int at, depth;

    private Gbnf(String text) { this.text = text; }

    static Map<String, Expression> read(String text) {
        if (text.length() > LONGEST) throw new IllegalArgumentException("the grammar has %d characters; at most %d are read".formatted(text.length(), LONGEST));
        var reader = new Gbnf(text);
        reader.skip();
        while (reader.at < text.length()) reader.rule();
        return reader.rules;
    }

    private void rule() {
        int line = at;
        var name = name();
        if (name.isEmpty()) throw wrong("a rule such as root ::= \"yes\" | \"no\" was expected");
        skip();
        if (!take("::=")) throw wrong("::= was expected after rule name \"%s\"".formatted(name));
        skip();
        var alternatives = alternatives();
        if (at < text.length() && !ruleBegins()) throw wrong("\"%s\" does not belong in a rule".formatted(text.substring(at, text.offsetByCodePoints(at, 1))));
        if (rules.put(name, alternatives) != null) {
            at = line;
            throw wrong("rule \"%s\" is defined twice".formatted(name));
        }
    }

    private Expression alternatives() {
        var alternatives = new ArrayList<Expression>();
        do {
            skip();
            alternatives.add(sequence());
        } while (take("|"));
        return alternatives.size() == 1 ? alternatives.getFirst() : new Choice(alternatives);
    }

    private Expression sequence() {
        var parts = new ArrayList<Expression>();
        while (at < text.length() && "|)".indexOf(text.charAt(at)) < 0 && !ruleBegins()) {
            var part = part();
            if (part == null) break;
            skip();
            for (int times = 0; ; times++) {
                var repeated = repeated(part);
                if (repeated == null) break;
                if (times == MOST_REPETITIONS) throw wrong("a repetition of a repetition, more than %d times over".formatted(MOST_REPETITIONS));
                part = repeated;
                skip();
            }
            parts.add(part);
        }
        return parts.size() == 1 ? parts.getFirst() : new Sequence(parts);
    }

    /** Null where there is none. */
    private Expression part() {
        if (take("\"")) return literal();
        if (take("[")) return characters();
        if (take(".")) return new OneOf(CharacterSet.ANY);
        if (take("(")) {
            if (++depth > DEEPEST_GROUP) throw wrong("groups nest deeper than %d".formatted(DEEPEST_GROUP));
            var group = alternatives();
            depth--;
            if (!take(")")) throw wrong("a closing ) was expected");
            return group;
        }
        if (text.startsWith("<", at) || text.startsWith("!<", at)) throw wrong("token rules are not supported; spell the text of the token in quotes");
        var name = name();
        return name.isEmpty() ? null : new Call(name);
    }

    private Expression repeated(Expression part) {
        if (take("*")) return Expression.any(part);
        if (take("+")) return Expression.repeat(part, 1, Repeat.UNBOUNDED);
        if (take("?")) return Expression.optional(part);
        if (!take("{")) return null;
        skip();
        int min = number();
        skip();
        int max = min;
        if (take(",")) {
            skip();
            max = at < text.length() && text.charAt(at) == '}' ? Repeat.UNBOUNDED : number();
            skip();
        }
        if (!take("}")) throw wrong("a repetition is {m}, {m,} or {m,n}");
        if (max < min) throw wrong("a repetition of at least %d and at most %d is none".formatted(min, max));
        return Expression.repeat(part, min, max);
    }

    private int number() {
        int from = at;
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') at++;
        if (at == from) throw wrong("a number was expected");
        if (at - from > 6) throw wrong("a repetition of %s times is too long; at most 999999".formatted(at - from > 20 ? "far too many" : text.substring(from, at)));
        return Integer.parseInt(text, from, at, 10);
    }

    private Expression literal() {
        var literal = new StringBuilder();
        for (int c; (c = character('"')) >= 0; ) literal.appendCodePoint(c);
        if (literal.chars().anyMatch(c -> Character.isSurrogate((char) c)) && literal.codePoints().anyMatch(c -> c >= 0xD800 && c <= 0xDFFF)) {
            throw wrong("a literal holds half of a surrogate pair, which no text can");
        }
        return Expression.text(literal.toString());
    }

    private Expression characters() {
        boolean negated = take("^");
        var pairs = new ArrayList<int[]>();
        for (int c; (c = character(']')) >= 0; ) {
            int last = c;
            if (text.startsWith("-", at) && !text.startsWith("-]", at)) {
                at++;
                last = character(']');
                if (last < c) throw wrong("a range of characters runs backwards");
            }
            pairs.add(new int[] {c, last});
        }
        var set = CharacterSet.of(pairs.stream().flatMapToInt(Arrays::stream).toArray());
        if (negated) set = set.not();
        if (set.isEmpty()) throw wrong("a class of no characters can never be met");
        return new OneOf(set);
    }

    /** The next character of a literal or class, -1 after its end. */
    private int character(char end) {
        if (at >= text.length()) throw wrong("a closing %s was expected".formatted(end));
        int c = text.codePointAt(at);
        at += Character.charCount(c);
        if (c == end) return -1;
        if (c != '\\') return c;
        if (at >= text.length()) throw wrong("a closing %s was expected".formatted(end));
        return switch (text.charAt(at++)) {
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'x' -> hex(2);
            case 'u' -> hex(4);
            case 'U' -> hex(8);
            case '\\' -> '\\';
            case '"' -> '"';
            case '[' -> '[';
            case ']' -> ']';
            case '-' -> '-';
            case '^' -> '^';
            default -> throw wrong("escape \\%s is not known; known are \\n \\r \\t \\\\ \\\" \\[ \\] \\- \\^ \\xHH \\uHHHH \\UHHHHHHHH".formatted(text.charAt(at - 1)));
        };
    }

    private int hex(int digits) {
        long value = 0;
        for (int i = 0; i < digits; i++, at++) {
            int digit = at < text.length() ? Character.digit(text.charAt(at), 16) : -1;
            if (digit < 0) throw wrong("%d hexadecimal digits were expected".formatted(digits));
            value = value << 4 | digit;
        }
        if (value > Character.MAX_CODE_POINT) throw wrong("U+%X is beyond Unicode".formatted(value));
        return (int) value;
    }

    private boolean ruleBegins() {
        int before = at;
        boolean begins = !name().isEmpty();
        if (begins) {
            skip();
            begins = text.startsWith("::=", at);
        }
        at = before;
        return begins;
    }

    private String name() {
        int from = at;
        while (at < text.length() && (text.charAt(at) < 128 && Character.isLetterOrDigit(text.charAt(at)) || "-_".indexOf(text.charAt(at)) >= 0)) at++;
        return text.substring(from, at);
    }

    private boolean take(String expected) {
        if (!text.startsWith(expected, at)) return false;
        at += expected.length();
        return true;
    }

    private void skip() {
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c == '#') while (at < text.length() && text.charAt(at) != '\n' && text.charAt(at) != '\r') at++;
            else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') at++;
            else return;
        }
    }

    private IllegalArgumentException wrong(String what) {
        long line = 1 + text.substring(0, Math.min(at, text.length())).chars().filter(c -> c == '\n').count();
        return new IllegalArgumentException("grammar, line %d: %s".formatted(line, what));
    }
}
