package inkstone.transformer.grammar;

import static inkstone.transformer.grammar.Expression.any;
import static inkstone.transformer.grammar.Expression.choice;
import static inkstone.transformer.grammar.Expression.oneOf;
import static inkstone.transformer.grammar.Expression.optional;
import static inkstone.transformer.grammar.Expression.range;
import static inkstone.transformer.grammar.Expression.repeat;
import static inkstone.transformer.grammar.Expression.sequence;
import static inkstone.transformer.grammar.Expression.text;

import inkstone.transformer.grammar.Expression.Call;
import inkstone.transformer.grammar.Expression.OneOf;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON (RFC 8259) as rules, with bounds on what a model could go on with for ever and nobody misses: white space is one blank or a line feed with up to 20 of
 * indent, and stands only after {, [, comma and colon and before } and ]; numbers have at most 16 digits before and after the point, and two in the exponent.
 */
final class JsonRules {
    static final Expression STRING = new Call("string"), VALUE = new Call("value"), GAP = new Call("gap"), CHARACTER = new Call("character"), PLAIN = new Call("plain");
    static final Expression COMMA = sequence(text(","), GAP), COLON = sequence(text(":"), optional(text(" ")));
    /** Characters that stand for themselves between quotes. */
    static final CharacterSet UNESCAPED = CharacterSet.of(0, 0x1F, '"', '"', '\\', '\\').not();
    static final int MOST_DIGITS = 16;

    private static final Expression DIGIT = range('0', '9');
    static final Expression FRACTION = sequence(text("."), repeat(DIGIT, 1, MOST_DIGITS));
    private static final Expression HEX = new OneOf(CharacterSet.of('0', '9', 'a', 'f', 'A', 'F'));

    private JsonRules() {}

    static Map<String, Expression> anyObject() {
        var rules = rules();
        rules.put("root", new Call("object"));
        return rules;
    }

    /** All but the root; the map is the caller's. */
    static Map<String, Expression> rules() {
        var rules = new LinkedHashMap<String, Expression>();
        var member = sequence(STRING, COLON, VALUE);
        rules.put("value", choice(new Call("object"), new Call("array"), STRING, new Call("number"), Expression.words(List.of("true", "false", "null"))));
        rules.put("object", sequence(text("{"), GAP, optional(sequence(member, any(sequence(COMMA, member)), GAP)), text("}")));
        rules.put("array", sequence(text("["), GAP, optional(sequence(VALUE, any(sequence(COMMA, VALUE)), GAP)), text("]")));
        rules.put("string", sequence(text("\""), any(CHARACTER), text("\"")));
        rules.put("character", choice(new OneOf(UNESCAPED), sequence(text("\\"), choice(oneOf("\"\\/bfnrt"), sequence(text("u"), unicodeEscape())))));
        rules.put("plain", any(new OneOf(UNESCAPED)));
        rules.put("gap", optional(choice(text(" "), sequence(text("\n"), repeat(oneOf(" \t"), 0, 20)))));
        var whole = choice(text("0"), sequence(range('1', '9'), repeat(DIGIT, 0, MOST_DIGITS - 1)));
        rules.put("integer", sequence(optional(text("-")), whole));
        var exponent = sequence(oneOf("eE"), optional(oneOf("+-")), repeat(DIGIT, 1, 2));
        rules.put("number", sequence(optional(text("-")), whole, optional(FRACTION), optional(exponent)));
        return rules;
    }

    /** What follows {@code \\u}: one character of the basic plane, or a surrogate pair for one beyond. */
    private static Expression unicodeEscape() {
        var below = sequence(new OneOf(CharacterSet.of('0', '9', 'a', 'c', 'A', 'C', 'e', 'f', 'E', 'F')), HEX, HEX, HEX);
        var around = sequence(oneOf("dD"), range('0', '7'), HEX, HEX);
        var high = sequence(oneOf("dD"), oneOf("89abAB"), HEX, HEX);
        var low = sequence(text("\\u"), oneOf("dD"), oneOf("cdefCDEF"), HEX, HEX);
        return choice(below, around, sequence(high, low));
    }

    /** One character of the set as it is written between quotes: itself where it may, else its one usual escape. */
    static Expression content(CharacterSet set) {
        var escapes = new ArrayList<String>();
        var escaped = set.and(UNESCAPED.not()).bounds();
        for (int i = 0; i < escaped.length; i += 2) {
            for (int c = escaped[i]; c <= escaped[i + 1]; c++) {
                escapes.add(switch (c) {
                    case '"', '\\' -> "\\" + (char) c;
                    case '\n' -> "\\n";
                    case '\r' -> "\\r";
                    case '\t' -> "\\t";
                    case '\b' -> "\\b";
                    case '\f' -> "\\f";
                    default -> "\\u%04x".formatted(c);
                });
            }
        }
        var plain = new OneOf(set.and(UNESCAPED));
        return escapes.isEmpty() ? plain : choice(plain, Expression.words(escapes));
    }
}
