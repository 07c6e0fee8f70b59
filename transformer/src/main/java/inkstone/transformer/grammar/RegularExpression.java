package inkstone.transformer.grammar;

import inkstone.transformer.grammar.Expression.Choice;
import inkstone.transformer.grammar.Expression.Repeat;
import inkstone.transformer.grammar.Expression.Sequence;
import java.util.ArrayList;

/**
 * Reads the {@code pattern} of a schema (ECMA-262 with flag u) as the text between the quotes of a JSON string. Only what is regular is read: look-around, back
 * references, word boundaries, flags, properties ({@code \p}) and anchors inside groups are refused by name. There is no backtracking: nested repetitions cost
 * no more than others. Each character is written in one way, itself or its usual escape.
 */
final class RegularExpression {
    private static final int LONGEST = 4096, DEEPEST = 64;
    private static final CharacterSet DIGIT = CharacterSet.of('0', '9');
    private static final CharacterSet WORD = CharacterSet.of('0', '9', 'A', 'Z', 'a', 'z', '_', '_');
    /* What every engine takes for white space, and what any of them does: \s allows the one, \S keeps away from the other. */
    private static final CharacterSet SPACE = CharacterSet.of('\t', '\r', ' ', ' ');
    private static final CharacterSet ANY_SPACE = CharacterSet.of(0x1C, 0x20, 0x85, 0x85, 0xA0, 0xA0, 0x1680, 0x1680, 0x2000, 0x200A, 0x2028, 0x2029, 0x202F, 0x202F,
            0x205F, 0x205F, 0x3000, 0x3000, 0xFEFF, 0xFEFF).or(SPACE);
    private static final CharacterSet DOT = CharacterSet.of('\n', '\n', '\r', '\r', 0x85, 0x85, 0x2028, 0x2029).not();
    private static final Expression ANYTHING = Expression.any(JsonRules.CHARACTER);

    private final String pattern;
    private int at, depth;

    private RegularExpression(String pattern) { this.pattern = pattern; }

    static Expression read(String pattern) {
        if (pattern.length() > LONGEST) throw new IllegalArgumentException("the pattern has %d characters; at most %d are read".formatted(pattern.length(), LONGEST));
        return new RegularExpression(pattern).whole();
    }

    /** A pattern may be met anywhere in the text unless each of its alternatives says otherwise. */
    private Expression whole() {
        var alternatives = new ArrayList<Expression>();
        do {
            boolean fromStart = take('^');
            var body = branch();
            boolean toEnd = take('$');
            var parts = new ArrayList<Expression>(3);
            if (!fromStart) parts.add(ANYTHING);
            parts.add(body);
            if (!toEnd) parts.add(ANYTHING);
            alternatives.add(new Sequence(parts));
        } while (take('|'));
        if (at < pattern.length()) {
            throw wrong(pattern.charAt(at) == ')' ? "a ) without its (" : "anchors are understood at the start and end of the pattern only");
        }
        return new Choice(alternatives);
    }

    private Expression branch() {
        var parts = new ArrayList<Expression>();
        while (at < pattern.length() && "|)$".indexOf(pattern.charAt(at)) < 0) parts.add(quantified(atom()));
        return new Sequence(parts);
    }

    private Expression atom() {
        int c = pattern.codePointAt(at);
        at += Character.charCount(c);
        return switch (c) {
            case '(' -> group();
            case '[' -> JsonRules.content(characterClass());
            case '.' -> JsonRules.content(DOT);
            case '\\' -> JsonRules.content(escape(false));
            case '*', '+', '?' -> throw wrong("nothing stands before %c to be repeated".formatted(c));
            case '{' -> throw wrong("a { that repeats nothing; write \\{ for the character");
            case '^' -> throw wrong("anchors are understood at the start and end of the pattern only");
            default -> JsonRules.content(CharacterSet.of(c, c));
        };
    }

    private Expression group() {
        if (take('?') && !take(':')) throw wrong("look-around, named groups and flags, (?...), are not supported; plain groups and (?:...) are");
        if (++depth > DEEPEST) throw wrong("groups nest deeper than %d".formatted(DEEPEST));
        var alternatives = new ArrayList<Expression>();
        do alternatives.add(branch()); while (take('|'));
        if (at < pattern.length() && pattern.charAt(at) == '$') throw wrong("anchors are understood at the start and end of the pattern only");
        if (!take(')')) throw wrong("a ( without its )");
        depth--;
        return new Choice(alternatives);
    }

    private Expression quantified(Expression part) {
        if (at >= pattern.length()) return part;
        Expression repeated;
        switch (pattern.charAt(at)) {
            case '*' -> repeated = Expression.any(part);
            case '+' -> repeated = Expression.repeat(part, 1, Repeat.UNBOUNDED);
            case '?' -> repeated = Expression.optional(part);
            case '{' -> {
                int close = pattern.indexOf('}', at);
                var bounds = close < 0 ? new String[0] : pattern.substring(at + 1, close).split(",", -1);
                if (bounds.length < 1 || bounds.length > 2) throw wrong("a repetition is {m}, {m,} or {m,n}");
                int min = bound(bounds[0]), max = bounds.length == 1 ? min : bounds[1].isEmpty() ? Repeat.UNBOUNDED : bound(bounds[1]);
                if (max < min) throw wrong("a repetition of at least %d and at most %d is none".formatted(min, max));
                repeated = Expression.repeat(part, min, max);
                at = close;
            }
            default -> { return part; }
        }
        at++;
        take('?');                                                                       // lazy: the same texts, found in another order
        if (at < pattern.length() && "*+?{".indexOf(pattern.charAt(at)) >= 0) throw wrong("a repetition of a repetition needs a group");
        return repeated;
    }

    private int bound(String digits) {
        if (digits.isEmpty() || digits.length() > 6 || !digits.chars().allMatch(c -> c >= '0' && c <= '9')) throw wrong("a repetition is {m}, {m,} or {m,n} of up to six digits");
        return Integer.parseInt(digits);
    }

    private CharacterSet characterClass() {
        boolean negated = take('^');
        var set = CharacterSet.NONE;
        while (true) {
            if (at >= pattern.length()) throw wrong("a [ without its ]");
            if (take(']')) break;
            var first = classAtom();
            if (pattern.startsWith("-", at) && !pattern.startsWith("-]", at)) {
                at++;
                if (at >= pattern.length()) throw wrong("a [ without its ]");
                var last = classAtom();
                if (single(first) < 0 || single(last) < single(first)) throw wrong("a range of characters that is none");
                first = CharacterSet.of(single(first), single(last));
            }
            set = set.or(first);
        }
        if (negated) set = set.not();
        if (set.isEmpty()) throw wrong("a class of no characters can never be met");
        return set;
    }

    private CharacterSet classAtom() {
        int c = pattern.codePointAt(at);
        at += Character.charCount(c);
        if (c == '[') throw wrong("a [ inside a class should be written \\[");
        return c == '\\' ? escape(true) : CharacterSet.of(c, c);
    }

    private static int single(CharacterSet set) { return set.bounds().length == 2 && set.bounds()[0] == set.bounds()[1] ? set.bounds()[0] : -1; }

    private CharacterSet escape(boolean inClass) {
        if (at >= pattern.length()) throw wrong("a \\ at the end");
        char c = pattern.charAt(at++);
        return switch (c) {
            case 'd' -> DIGIT;
            case 'D' -> DIGIT.not();
            case 'w' -> WORD;
            case 'W' -> WORD.not();
            case 's' -> SPACE;
            case 'S' -> ANY_SPACE.not();
            case 't' -> CharacterSet.of('\t', '\t');
            case 'n' -> CharacterSet.of('\n', '\n');
            case 'r' -> CharacterSet.of('\r', '\r');
            case 'f' -> CharacterSet.of('\f', '\f');
            case 'v' -> CharacterSet.of(0x0B, 0x0B);
            case 'x' -> codePoint(hex(2));
            case 'u' -> {
                int unit = hex(4);
                if (Character.isHighSurrogate((char) unit) && pattern.startsWith("\\u", at)) {
                    at += 2;
                    yield codePoint(Character.toCodePoint((char) unit, (char) hex(4)));
                }
                yield codePoint(unit);
            }
            case 'b' -> {
                if (!inClass) throw wrong("word boundaries (\\b) are not supported");
                yield CharacterSet.of('\b', '\b');
            }
            default -> {
                if (c < 128 && Character.isLetterOrDigit(c)) throw wrong("\\%s is not supported".formatted(c));
                if (Character.isSurrogate(c)) throw wrong("a \\ before a character that needs none");
                yield CharacterSet.of(c, c);
            }
        };
    }

    private CharacterSet codePoint(int c) {
        var set = CharacterSet.of(c, c);
        if (set.isEmpty()) throw wrong("half of a surrogate pair, which no text can hold");
        return set;
    }

    private int hex(int digits) {
        if (at + digits > pattern.length() || !pattern.substring(at, at + digits).chars().allMatch(c -> Character.digit(c, 16) >= 0)) {
            throw wrong("%d hexadecimal digits were expected".formatted(digits));
        }
        at += digits;
        return Integer.parseInt(pattern, at - digits, at, 16);
    }

    private boolean take(char c) {
        if (at >= pattern.length() || pattern.charAt(at) != c) return false;
        at++;
        return true;
    }

    private IllegalArgumentException wrong(String what) {
        var shown = pattern.length() <= 80 ? pattern : pattern.substring(0, 80) + "...";
        return new IllegalArgumentException("pattern \"%s\", character %d: %s".formatted(shown, at, what));
    }
}
