package inkstone.tokenizer.template;

import inkstone.tensor.ModelException;
import inkstone.tokenizer.template.Token.Kind;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * Cuts a template into tokens, with the settings that Hugging Face gives to Jinja: trim_blocks (the line break after a block or comment
 * goes), lstrip_blocks (blanks before a block or comment that begins its line go), and no line break at the end of the template.
 * A minus at a tag's bound removes all white space on that side, a plus keeps it.
 */
final class Lexer {
    /** No template known is longer than 30,000 characters. */
    private static final int MAX_SOURCE = 1 << 20;
    private static final List<String> OPERATORS = List.of("**", "//", "==", "!=", ">=", "<=",
            "+", "-", "*", "/", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",");

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private int at;
    private int line = 1, counted;

    private Lexer(String source) { this.source = source; }

    static List<Token> tokens(String source) {
        if (source.length() > MAX_SOURCE) {
            throw new ModelException("the chat template is %,d characters long; at most %,d are read".formatted(source.length(), MAX_SOURCE));
        }
        var lines = source.replace("\r\n", "\n").replace('\r', '\n');
        var lexer = new Lexer(lines.endsWith("\n") ? lines.substring(0, lines.length() - 1) : lines);
        lexer.template();
        return lexer.tokens;
    }

    private void template() {
        while (at < source.length()) {
            int open = nextTag();
            boolean output = source.startsWith("{{", open);
            char sign = open + 2 < source.length() ? source.charAt(open + 2) : ' ';
            int end = open;
            if (open < source.length()) end = sign == '-' ? Math.max(at, Chars.trimEnd(source, open)) : sign == '+' || output ? open : blanksBefore(open);
            if (end > at) add(Kind.DATA, source.substring(at, end), at);
            at = open;
            if (open == source.length()) break;
            int inside = open + (sign == '-' || sign == '+' ? 3 : 2);
            if (source.startsWith("{#", open)) {
                comment(open);
            } else if (!output && wordAt(Chars.skipSpace(source, inside), "raw") > 0) {
                raw(open, wordAt(Chars.skipSpace(source, inside), "raw"));
            } else {
                add(output ? Kind.OUTPUT_BEGIN : Kind.BLOCK_BEGIN, source.substring(open, inside), open);
                at = inside;
                tag(output, open);
            }
        }
        add(Kind.END, "", source.length());
    }

    /** The next place where a tag begins, or the end of the template. */
    private int nextTag() {
        for (int open = source.indexOf('{', at); open >= 0 && open + 1 < source.length(); open = source.indexOf('{', open + 1)) {
            char next = source.charAt(open + 1);
            if (next == '{' || next == '%' || next == '#') return open;
        }
        return source.length();
    }

    /** Where the blanks before a block begin if nothing else stands before it on its line; else the block's own position. */
    private int blanksBefore(int open) {
        int from = open;
        while (from > at && source.charAt(from - 1) != '\n' && Chars.isSpace(source.charAt(from - 1))) from--;
        return from == 0 || source.charAt(from - 1) == '\n' ? from : open;
    }

    private void comment(int open) {
        int close = source.indexOf("#}", open + 2);
        if (close < 0) throw error(open, "a comment that begins with '{#' has no '#}'");
        at = close + 2;
        afterBlock(source.charAt(close - 1));
    }

    /** What the sign before a closing bound does to the text after it. */
    private void afterBlock(char sign) {
        if (sign == '-') {
            at = Chars.skipSpace(source, at);
        } else if (sign != '+' && at < source.length() && source.charAt(at) == '\n') {
            at++;
        }
    }

    /** The position after the bound that closes a block whose only content is {@code word}, or -1; signs are not looked at. */
    private int wordAt(int from, String word) {
        if (!source.startsWith(word, from)) return -1;
        int close = Chars.skipSpace(source, from + word.length());
        if (close < source.length() && (source.charAt(close) == '-' || source.charAt(close) == '+')) close++;
        return source.startsWith("%}", close) ? close + 2 : -1;
    }

    private void raw(int open, int content) {
        int from = source.charAt(content - 3) == '-' ? Chars.skipSpace(source, content) : content;
        for (int block = source.indexOf("{%", from); block >= 0; block = source.indexOf("{%", block + 1)) {
            char sign = block + 2 < source.length() ? source.charAt(block + 2) : ' ';
            int close = wordAt(Chars.skipSpace(source, block + (sign == '-' || sign == '+' ? 3 : 2)), "endraw");
            if (close < 0) continue;
            at = from;
            int end = sign == '-' ? Math.max(from, Chars.trimEnd(source, block)) : sign == '+' ? block : blanksBefore(block);
            if (end > from) add(Kind.DATA, source.substring(from, end), from);
            at = close;
            afterBlock(source.charAt(close - 3));
            return;
        }
        throw error(open, "the block 'raw' has no 'endraw'");
    }

    /** The words of a tag, up to and with its closing bound; inside brackets the bound is not looked for. */
    private void tag(boolean output, int open) {
        var brackets = new ArrayDeque<Character>();
        String bound = output ? "}}" : "%}";
        while (true) {
            at = Chars.skipSpace(source, at);
            if (at >= source.length()) throw error(open, "a tag that begins with '%s' has no '%s'".formatted(output ? "{{" : "{%", bound));
            char c = source.charAt(at);
            if (brackets.isEmpty()) {
                boolean signed = c == '-' || c == '+' && !output;
                if (source.startsWith(bound, signed ? at + 1 : at)) {
                    add(output ? Kind.OUTPUT_END : Kind.BLOCK_END, bound, at);
                    at += signed ? 3 : 2;
                    if (signed || !output) afterBlock(c);
                    return;
                }
            }
            if (c == '\'' || c == '"') {
                string(c);
            } else if (c >= '0' && c <= '9') {
                number();
            } else if (Character.isUnicodeIdentifierStart(source.codePointAt(at)) || c == '_') {
                int end = at;
                while (end < source.length() && Character.isUnicodeIdentifierPart(source.codePointAt(end))) end += Character.charCount(source.codePointAt(end));
                add(Kind.NAME, source.substring(at, end), at);
                at = end;
            } else {
                operator(brackets);
            }
        }
    }

    private void operator(ArrayDeque<Character> brackets) {
        for (var operator : OPERATORS) {
            if (!source.startsWith(operator, at)) continue;
            char c = operator.charAt(0);
            if (c == '(' || c == '[' || c == '{') {
                brackets.push(c == '(' ? ')' : c == '[' ? ']' : '}');
            } else if ((c == ')' || c == ']' || c == '}') && (brackets.isEmpty() || brackets.pop() != c)) {
                throw error(at, "'%c' closes nothing that is open".formatted(c));
            }
            add(Kind.OPERATOR, operator, at);
            at += operator.length();
            return;
        }
        throw error(at, "the character '%s' has no meaning inside a tag".formatted(Character.toString(source.codePointAt(at))));
    }

    private void number() {
        int from = at;
        int letter = source.charAt(at) == '0' && at + 1 < source.length() ? source.charAt(at + 1) | 0x20 : ' ';
        int radix = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
        if (radix != 10) at += 2;
        digits(radix);
        boolean real = radix == 10 && fraction();
        if (at - from > 4_300) throw error(from, "a number has more than 4,300 digits");
        add(real ? Kind.FLOAT : Kind.INTEGER, source.substring(from, at).replace("_", ""), from);
    }

    /** Reads what makes a number a float: a point with digits, an exponent, or both. */
    private boolean fraction() {
        int from = at;
        if (at + 1 < source.length() && source.charAt(at) == '.' && Character.digit(source.charAt(at + 1), 10) >= 0) {
            at++;
            digits(10);
        }
        if (at < source.length() && (source.charAt(at) == 'e' || source.charAt(at) == 'E')) {
            int exponent = at + 1;
            if (exponent < source.length() && (source.charAt(exponent) == '+' || source.charAt(exponent) == '-')) exponent++;
            if (exponent < source.length() && Character.digit(source.charAt(exponent), 10) >= 0) {
                at = exponent;
                digits(10);
            }
        }
        return at > from;
    }

    private void digits(int radix) {
        while (at < source.length() && (Character.digit(source.charAt(at), radix) >= 0 || source.charAt(at) == '_')) at++;
    }

    private void string(char quote) {
        int from = at++;
        var value = new StringBuilder();
        while (at < source.length() && source.charAt(at) != quote) {
            char c = source.charAt(at++);
            if (c == '\\' && at < source.length()) {
                escape(value);
            } else {
                value.append(c);
            }
        }
        if (at >= source.length()) throw error(from, "a string that begins with %c has no end".formatted(quote));
        at++;
        add(Kind.STRING, value.toString(), from);
    }

    /** Python's escapes; an unknown one stays as it is written. */
    private void escape(StringBuilder value) {
        char c = source.charAt(at++);
        switch (c) {
            case '\n' -> {}
            case '\\', '\'', '"' -> value.append(c);
            case 'a' -> value.append('\u0007');
            case 'b' -> value.append('\b');
            case 'f' -> value.append('\f');
            case 'n' -> value.append('\n');
            case 'r' -> value.append('\r');
            case 't' -> value.append('\t');
            case 'v' -> value.append('\u000b');
            case 'x' -> value.appendCodePoint(code(16, 2, 2));
            case 'u' -> value.appendCodePoint(code(16, 4, 4));
            case 'U' -> value.appendCodePoint(code(16, 8, 8));
            case '0', '1', '2', '3', '4', '5', '6', '7' -> {
                at--;
                value.appendCodePoint(code(8, 1, 3));
            }
            default -> value.append('\\').append(c);
        }
    }

    private int code(int radix, int least, int most) {
        int from = at;
        long code = 0;
        for (; at < source.length() && at - from < most && Character.digit(source.charAt(at), radix) >= 0; at++) {
            code = code * radix + Character.digit(source.charAt(at), radix);
        }
        if (at - from < least || code > Character.MAX_CODE_POINT) throw error(from, "an escape in a string is no character");
        return (int) code;
    }

    private void add(Kind kind, String text, int position) { tokens.add(new Token(kind, text, lineOf(position))); }

    private int lineOf(int position) {
        for (; counted < position; counted++) {
            if (source.charAt(counted) == '\n') line++;
        }
        return line;
    }

    private ModelException error(int position, String what) {
        return new ModelException("the chat template cannot be read: %s, line %d".formatted(what, lineOf(position)));
    }
}
