package inkstone.tokenizer.template;

import inkstone.tokenizer.template.Value.Dict;
import inkstone.tokenizer.template.Value.Numeric;
import inkstone.tokenizer.template.Value.Real;
import inkstone.tokenizer.template.Value.Sequence;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.List;
import java.util.Locale;

/** Python's two ways to fill values into a text: {@code '%05.2f' % x} and {@code '{:>10}'.format(x)}. */
final class Formatting {
    /** Digits after the point; a double has no more than 1,074. */
    private static final int MAX_PRECISION = 1_100;

    private final Run run;
    private final Text format;
    private final String chars;
    private final Text.Builder out;
    private int at;
    private int nextArgument;

    private Formatting(Run run, Text format) {
        this.run = run;
        this.format = format;
        this.chars = format.chars();
        this.out = new Text.Builder(run);
    }

    /** How one value is to be written. {@code precision} is -1 where none was given. */
    private record Spec(Text fill, char align, char sign, boolean alternate, String grouping, int width, int precision, char type) {}

    /** {@code format % values}: a tuple fills in order, a dictionary by name, anything else is the only value. */
    static Text percent(Run run, Text format, Value values) {
        var filled = new Formatting(run, format).percent(values);
        return format.isMarkup() ? filled.asMarkup() : filled;
    }

    private Text percent(Value values) {
        List<Value> items = values instanceof Sequence tuple && tuple.isTuple() ? tuple.items() : List.of(values);
        while (at < chars.length()) {
            int sign = chars.indexOf('%', at);
            if (sign < 0) sign = chars.length();
            out.append(format, at, sign);
            at = sign + 1;
            if (sign < chars.length()) conversion(values, items);
        }
        boolean single = values instanceof Dict || values instanceof Value.Undefined || values instanceof Sequence list && list.indexed() && !list.isTuple();
        if (nextArgument < items.size() && !single) throw run.fail("not all values of '%%' were used by the format");
        return out.toText();
    }

    private void conversion(Value values, List<Value> items) {
        Value chosen = null;
        if (peek() == '(') {
            int close = chars.indexOf(')', at);
            if (close < 0 || !(values instanceof Dict dict)) throw run.fail("'%%(name)' needs a dictionary");
            chosen = dict.entries().get(format.slice(at + 1, close));
            if (chosen == null) throw run.fail("the format names '%s', which the dictionary lacks", chars.substring(at + 1, close));
            at = close + 1;
        }
        boolean left = false, zero = false, alternate = false;
        char sign = '-';
        for (; "-0+ #".indexOf(peek()) >= 0 && at < chars.length(); at++) {
            switch (peek()) {
                case '-' -> left = true;
                case '0' -> zero = true;
                case '#' -> alternate = true;
                default -> sign = sign == '+' ? '+' : peek();
            }
        }
        int width = count(items), precision = -1;
        if (width < 0) left = true;
        if (peek() == '.') {
            at++;
            precision = Math.max(0, count(items));
        }
        if (at >= chars.length()) throw run.fail("a format ends inside a '%%'");
        char type = chars.charAt(at++);
        if (type == '%') {
            out.append(format, at - 1, at);
            return;
        }
        var value = chosen != null ? chosen : next(items);
        if (format.isMarkup() && value instanceof Text) value = Printing.escape(run, value);
        Operators.refuseUndefined(run, type == 's' || type == 'r' ? Value.None.NONE : value);
        boolean number = "diuxXoeEfFgG".indexOf(type) >= 0;
        char align = left ? '<' : zero && number ? '=' : '>';
        var spec = new Spec(Text.untrusted(align == '=' ? "0" : " "), align, sign, alternate, "", Math.abs(width), precision, type == 'i' || type == 'u' ? 'd' : type);
        if (number) {
            if (!(value instanceof Numeric numeric)) throw run.fail("'%%%s' needs a number, not %s", type, value.type());
            boolean whole = "diuxXo".indexOf(type) >= 0;
            pad(number(whole ? new Value.Int(whole(numeric)) : new Real(Numbers.real(numeric)), spec), spec);
        } else {
            pad(switch (type) {
                case 's' -> cut(Printing.string(run, value), precision);
                case 'r', 'a' -> cut(Printing.repr(run, value), precision);
                case 'c' -> value instanceof Text text && text.length() == 1 ? text : character(value);
                default -> throw run.fail("'%%%s' is no conversion", type);
            }, spec);
        }
    }

    private BigInteger whole(Numeric number) {
        if (number instanceof Real real && !Double.isFinite(real.value())) throw run.fail("%s is no whole number", Numbers.repr(real.value()));
        return Numbers.whole(number);
    }

    private Text character(Value value) {
        if (!(value instanceof Value.Int number) || !Character.isValidCodePoint(Numbers.clamp(number.value()))) throw run.fail("'c' needs one character or its code, not %s", value.type());
        return Text.untrusted(Character.toString(number.value().intValue()));
    }

    private Value next(List<Value> items) {
        if (nextArgument >= items.size()) throw run.fail("a format needs more than %d values", items.size());
        return items.get(nextArgument++);
    }

    private char peek() { return at < chars.length() ? chars.charAt(at) : '\0'; }

    /** A number in the format, or the next value for {@code *}; 0 where there is none. */
    private int count(List<Value> items) {
        if (peek() != '*') return digits();
        at++;
        if (next(items) instanceof Value.Int number) return Math.max(-Run.MAX_CHARS - 1, Numbers.clamp(number.value()));
        throw run.fail("'*' in a format needs a whole number");
    }

    private int digits() {
        long number = 0;
        for (; peek() >= '0' && peek() <= '9'; at++) number = Math.min(Integer.MAX_VALUE, number * 10 + peek() - '0');
        return (int) number;
    }

    /** {@code format.format(...)} */
    static Text braces(Run run, Text format, Arguments arguments) {
        var formatting = new Formatting(run, format);
        formatting.braces(arguments, 0);
        var filled = formatting.out.toText();
        return format.isMarkup() ? filled.asMarkup() : filled;
    }

    private void braces(Arguments arguments, int level) {
        while (at < chars.length()) {
            int brace = at;
            while (brace < chars.length() && chars.charAt(brace) != '{' && chars.charAt(brace) != '}') brace++;
            out.append(format, at, brace);
            at = brace + 1;
            if (brace == chars.length()) return;
            if (peek() == chars.charAt(brace)) {
                out.append(format, at, at + 1);
                at++;
            } else if (chars.charAt(brace) == '}') {
                throw run.fail("a format has a single '}'");
            } else {
                field(arguments, level);
            }
        }
    }

    private void field(Arguments arguments, int level) {
        int close = at;
        for (int open = 1; ; close++) {
            if (close >= chars.length()) throw run.fail("a '{' in a format has no '}'");
            if (chars.charAt(close) == '{') open++;
            if (chars.charAt(close) == '}' && --open == 0) break;
        }
        var value = fieldValue(arguments, close);
        if (peek() == '!' && at < close) {
            value = switch (chars.charAt(at + 1)) {
                case 's' -> Printing.string(run, value);
                case 'r', 'a' -> Printing.repr(run, value);
                default -> throw run.fail("a format knows !r and !s, not !%s", chars.charAt(at + 1));
            };
            at += 2;
        }
        var spec = Text.EMPTY;
        if (peek() == ':' && at < close) {
            spec = format.slice(at + 1, close);
            if (spec.chars().indexOf('{') >= 0) {
                if (level > 0) throw run.fail("braces in a format are nested more than twice");
                var inner = new Formatting(run, spec);
                inner.nextArgument = nextArgument;
                inner.braces(arguments, level + 1);
                nextArgument = inner.nextArgument;
                spec = inner.out.toText();
            }
        } else if (at != close) {
            throw run.fail("a format has '%s' where '}' is expected", chars.charAt(at));
        }
        at = close + 1;
        if (format.isMarkup() && value instanceof Text) value = Printing.escape(run, value);
        out.append(formatted(run, value, spec));
    }

    /** The value that a field names: {@code }, {@code 0}, {@code name}, {@code 0.part}, {@code name[key]}. */
    private Value fieldValue(Arguments arguments, int close) {
        int from = at;
        while (at < close && "!:.[".indexOf(chars.charAt(at)) < 0) at++;
        var name = chars.substring(from, at);
        Value value;
        if (name.isEmpty() || name.chars().allMatch(c -> c >= '0' && c <= '9')) {
            int index = name.isEmpty() ? nextArgument++ : name.length() > 6 ? Integer.MAX_VALUE : Integer.parseInt(name);
            if (index >= arguments.positional().size()) throw run.fail("a format names value %d, but there are %d", index, arguments.positional().size());
            value = arguments.positional().get(index);
        } else {
            value = arguments.named().get(name);
            if (value == null) throw run.fail("a format names '%s', which was not given", name);
        }
        while (at < close && (peek() == '.' || peek() == '[')) {
            boolean item = peek() == '[';
            from = ++at;
            while (at < close && (item ? peek() != ']' : "!:.[".indexOf(peek()) < 0)) at++;
            var part = format.slice(from, at);
            if (item) at++;
            boolean index = item && !part.isEmpty() && part.chars().length() < 7 && part.chars().chars().allMatch(c -> c >= '0' && c <= '9');
            value = !item ? Operators.attribute(run, value, part) : Operators.item(run, value, index ? Value.Int.of(Integer.parseInt(part.chars())) : part);
        }
        return value;
    }

    /** Python's format(value, spec). */
    static Text formatted(Run run, Value value, Text spec) {
        if (spec.isEmpty()) return Printing.string(run, value);
        if (!(value instanceof Text) && !(value instanceof Numeric)) throw run.fail("a %s takes no format", value.type());
        var formatting = new Formatting(run, spec);
        var parsed = formatting.spec(value instanceof Text);
        if (value instanceof Text text) {
            if (parsed.type != 's' && parsed.type != '\0' || parsed.align == '=') throw run.fail("text cannot be formatted as '%s'", spec);
            formatting.pad(formatting.cut(text, parsed.precision), parsed);
        } else {
            var number = (Numeric) value;
            if (parsed.type == 's') throw run.fail("a number cannot be formatted as '%s'", spec);
            boolean bare = parsed.type == '\0' && !(number instanceof Real);
            if (parsed.type == 'c') {
                formatting.pad(formatting.character(value), parsed);
            } else if (bare || "dxXob".indexOf(parsed.type) >= 0) {
                if (number instanceof Real) throw run.fail("a float cannot be formatted as '%s'", spec);
                formatting.pad(formatting.number(new Value.Int(Numbers.whole(number)), parsed), parsed);
            } else {
                formatting.pad(formatting.number(new Real(Numbers.real(number)), parsed), parsed);
            }
        }
        return formatting.out.toText();
    }

    private Spec spec(boolean text) {
        var fill = Text.untrusted(" ");
        char align = text ? '<' : '>', sign = '-';
        int second = chars.isEmpty() ? 0 : chars.offsetByCodePoints(0, 1);
        if (second < chars.length() && "<>=^".indexOf(chars.charAt(second)) >= 0) {
            fill = format.slice(0, second);
            align = chars.charAt(second);
            at = second + 1;
        } else if ("<>=^".indexOf(peek()) >= 0) {
            align = chars.charAt(at++);
        }
        if (at < chars.length() && "+- ".indexOf(peek()) >= 0) sign = chars.charAt(at++);
        boolean alternate = peek() == '#';
        if (alternate) at++;
        if (peek() == '0') {
            at++;
            if (fill.chars().equals(" ")) {
                fill = Text.untrusted("0");
                if (!text) align = '=';
            }
        }
        int width = digits();
        var grouping = peek() == ',' || peek() == '_' ? String.valueOf(chars.charAt(at++)) : "";
        int precision = -1;
        if (peek() == '.') {
            at++;
            precision = digits();
        }
        char type = at < chars.length() ? chars.charAt(at++) : '\0';
        if (at < chars.length() || type != '\0' && "sdxXobceEfFgG%".indexOf(type) < 0) throw run.fail("'%s' is no format", format);
        return new Spec(fill, align, sign, alternate, grouping, width, precision, type);
    }

    private Text cut(Text text, int precision) { return precision < 0 || precision >= text.length() ? text : text.slice(0, text.offset(run, precision)); }

    private void pad(Text body, Spec spec) {
        int missing = Math.max(0, spec.width - body.length());
        if (spec.align == '=') {
            int digits = body.chars().startsWith("-") || body.chars().startsWith("+") || body.chars().startsWith(" ") ? 1 : 0;
            if (spec.alternate && body.chars().startsWith("0", digits) && body.chars().length() > digits + 1 && Character.isLetter(body.chars().charAt(digits + 1))) digits += 2;
            out.append(body, 0, digits).repeat(spec.fill, missing).append(body, digits, body.chars().length());
        } else {
            int before = spec.align == '<' ? 0 : spec.align == '>' ? missing : missing / 2;
            out.repeat(spec.fill, before).append(body).repeat(spec.fill, missing - before);
        }
    }

    private Text number(Numeric number, Spec spec) {
        run.step(50 + (number instanceof Value.Int whole ? whole.value().bitLength() / 8 : Math.max(0, spec.precision)));
        boolean negative = number instanceof Real real ? real.value() < 0 || 1 / real.value() < 0 : Numbers.whole(number).signum() < 0;
        var digits = number instanceof Real real ? real(Math.abs(real.value()), spec) : whole(Numbers.whole(number).abs(), spec);
        if (!spec.grouping.isEmpty()) digits = grouped(digits, spec.grouping);
        return Text.untrusted((negative ? "-" : spec.sign == '-' ? "" : String.valueOf(spec.sign)) + digits);
    }

    private static String grouped(String digits, String separator) {
        int end = 0;
        while (end < digits.length() && Character.isDigit(digits.charAt(end))) end++;
        var grouped = new StringBuilder(digits);
        for (int i = end - 3; i > 0; i -= 3) grouped.insert(i, separator);
        return grouped.toString();
    }

    private static String whole(BigInteger value, Spec spec) {
        int radix = switch (spec.type) { case 'x', 'X' -> 16; case 'o' -> 8; case 'b' -> 2; default -> 10; };
        var digits = (spec.alternate && radix != 10 ? "0" + Character.toLowerCase(spec.type) : "") + value.toString(radix);
        if (spec.precision > 0 && digits.length() < Math.min(spec.precision, MAX_PRECISION)) digits = "0".repeat(Math.min(spec.precision, MAX_PRECISION) - digits.length()) + digits;
        return spec.type == 'X' ? digits.toUpperCase(Locale.ROOT) : digits;
    }

    /** A number that is not negative. */
    private String real(double value, Spec spec) {
        if (spec.precision > MAX_PRECISION) throw run.fail("a format asks for %,d digits; at most %,d", spec.precision, MAX_PRECISION);
        if (!Double.isFinite(value)) return Double.isNaN(value) ? "nan" : "inf";
        int precision = spec.precision < 0 ? 6 : spec.precision;
        var text = switch (spec.type) {
            case 'e', 'E' -> exponent(new BigDecimal(value), precision);
            case 'f', 'F' -> new BigDecimal(value).setScale(precision, RoundingMode.HALF_EVEN).toPlainString();
            case '%' -> new BigDecimal(value * 100).setScale(precision, RoundingMode.HALF_EVEN).toPlainString() + "%";
            case '\0' -> {
                if (spec.precision < 0) yield Numbers.repr(value);
                var general = general(value, Math.max(1, precision), precision - 1);
                yield general.indexOf('.') < 0 && general.indexOf('e') < 0 ? general + ".0" : general;
            }
            default -> general(value, Math.max(1, precision), Math.max(1, precision));
        };
        return Character.isUpperCase(spec.type) ? text.toUpperCase(Locale.ROOT) : text;
    }

    private static String exponent(BigDecimal value, int precision) {
        var rounded = value.round(new MathContext(precision + 1, RoundingMode.HALF_EVEN));
        int exponent = rounded.signum() == 0 ? 0 : rounded.precision() - rounded.scale() - 1;
        var digits = new StringBuilder(rounded.signum() == 0 ? "0" : rounded.unscaledValue().toString());
        while (digits.length() < precision + 1) digits.append('0');
        if (precision > 0) digits.insert(1, '.');
        return digits + "e" + (exponent < 0 ? "-" : "+") + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
    }

    /** {@code digits} significant digits without trailing zeros; an exponent below 1e-4 and from 10^{@code limit} on. */
    private static String general(double value, int digits, int limit) {
        if (value == 0) return "0";
        var rounded = new BigDecimal(value).round(new MathContext(digits, RoundingMode.HALF_EVEN)).stripTrailingZeros();
        int exponent = rounded.precision() - rounded.scale() - 1;
        return exponent >= -4 && exponent < limit ? rounded.toPlainString() : exponent(rounded, rounded.precision() - 1);
    }
}
