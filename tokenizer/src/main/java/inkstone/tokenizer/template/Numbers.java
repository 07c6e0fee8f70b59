package inkstone.tokenizer.template;

import inkstone.tokenizer.template.Value.Bool;
import inkstone.tokenizer.template.Value.Int;
import inkstone.tokenizer.template.Value.Numeric;
import inkstone.tokenizer.template.Value.Real;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Locale;

/** Python's arithmetic: whole numbers without overflow (up to {@link Run#MAX_BITS}), floor division, a remainder with the divisor's sign. */
final class Numbers {
    private Numbers() {}

    /** The whole part of a finite number. */
    static BigInteger whole(Numeric number) {
        return switch (number) {
            case Int whole -> whole.value();
            case Bool bool -> bool.value() ? BigInteger.ONE : BigInteger.ZERO;
            case Real real -> new BigDecimal(real.value()).toBigInteger();
        };
    }

    static double real(Numeric number) { return number instanceof Real real ? real.value() : whole(number).doubleValue(); }

    static int clamp(BigInteger value) {
        return value.bitLength() < 32 ? value.intValue() : value.signum() < 0 ? Integer.MIN_VALUE : Integer.MAX_VALUE;
    }

    static boolean equal(Numeric a, Numeric b) {
        return a instanceof Real || b instanceof Real ? compare(a, b) == 0 && !Double.isNaN(real(a)) : whole(a).equals(whole(b));
    }

    /** Exact also between whole and real numbers; NaN comes last, so that sorting always ends. */
    static int compare(Numeric a, Numeric b) {
        double x = real(a), y = real(b);
        boolean exact = !(a instanceof Real && b instanceof Real) && Double.isFinite(x) && Double.isFinite(y) && Math.abs(x) >= 1L << 53;
        if (exact) return decimal(a).compareTo(decimal(b));
        return x < y ? -1 : x > y ? 1 : x == y ? 0 : Double.compare(x, y);
    }

    private static BigDecimal decimal(Numeric number) { return number instanceof Real real ? new BigDecimal(real.value()) : new BigDecimal(whole(number)); }

    static Value arithmetic(Run run, String operator, Numeric left, Numeric right) {
        if (operator.equals("/")) return divide(run, left, right);
        if (operator.equals("**")) return power(run, left, right);
        if (left instanceof Real || right instanceof Real) return reals(run, operator, real(left), real(right));
        BigInteger a = whole(left), b = whole(right);
        return switch (operator) {
            case "+" -> checked(run, a.add(b));
            case "-" -> checked(run, a.subtract(b));
            case "*" -> {
                checkBits(run, (long) a.bitLength() + b.bitLength());
                yield checked(run, a.multiply(b));
            }
            default -> {
                if (b.signum() == 0) throw run.fail("a division by zero");
                var parts = a.divideAndRemainder(b);
                boolean shift = parts[1].signum() != 0 && parts[1].signum() != b.signum();
                if (operator.equals("%")) yield new Int(shift ? parts[1].add(b) : parts[1]);
                yield new Int(shift ? parts[0].subtract(BigInteger.ONE) : parts[0]);
            }
        };
    }

    private static Value reals(Run run, String operator, double a, double b) {
        return new Real(switch (operator) {
            case "+" -> a + b;
            case "-" -> a - b;
            case "*" -> a * b;
            default -> {
                if (b == 0) throw run.fail("a division by zero");
                double remainder = a % b;
                if (remainder != 0 && remainder < 0 != b < 0) remainder += b;
                if (operator.equals("%")) yield remainder == 0 ? Math.copySign(0, b) : remainder;
                double quotient = (a - remainder) / b, floor = Math.floor(quotient);
                yield quotient - floor > 0.5 ? floor + 1 : floor;
            }
        });
    }

    private static Value divide(Run run, Numeric left, Numeric right) {
        if (real(right) == 0) throw run.fail("a division by zero");
        boolean exact = Math.abs(real(left)) < 1L << 53 && Math.abs(real(right)) < 1L << 53;
        if (left instanceof Real || right instanceof Real || exact) return new Real(real(left) / real(right));
        return new Real(new BigDecimal(whole(left)).divide(new BigDecimal(whole(right)), MathContext.DECIMAL128).doubleValue());
    }

    private static Value power(Run run, Numeric left, Numeric right) {
        if (left instanceof Real || right instanceof Real || whole(right).signum() < 0) {
            double base = real(left), exponent = real(right);
            if (base == 0 && exponent < 0) throw run.fail("zero to a negative power");
            if (base < 0 && exponent != Math.rint(exponent)) throw run.fail("a negative number to a broken power");
            return new Real(Math.pow(base, exponent));
        }
        BigInteger base = whole(left), exponent = whole(right);
        if (base.abs().bitLength() <= 1) return new Int(exponent.signum() == 0 ? BigInteger.ONE : exponent.testBit(0) ? base : base.abs());
        checkBits(run, (base.abs().bitLength() - 1L) * clamp(exponent));
        return checked(run, base.pow(clamp(exponent)));
    }

    static Int checked(Run run, BigInteger value) {
        checkBits(run, value.bitLength());
        return new Int(value);
    }

    private static void checkBits(Run run, long bits) {
        if (bits > Run.MAX_BITS) throw run.fail("a number would have more than 4,300 digits");
        run.step(1 + bits / 64);
    }

    /** The decimal digits; finding them takes time with the square of their number. */
    static String digits(Run run, Int number) {
        run.step(1 + number.value().bitLength() / 8);
        return number.value().toString();
    }

    static Value negate(Numeric number) { return number instanceof Real real ? new Real(-real.value()) : new Int(whole(number).negate()); }

    /** The sign +, which makes booleans numbers. */
    static Value plus(Numeric number) { return number instanceof Real ? number : new Int(whole(number)); }

    static Value absolute(Numeric number) { return number instanceof Real real ? new Real(Math.abs(real.value())) : new Int(whole(number).abs()); }

    /** Python's round: halves to even, on the exact value. */
    static Value round(Run run, Numeric number, int digits) {
        if (number instanceof Real real) {
            if (!Double.isFinite(real.value()) || digits > 323) return real;
            if (digits < -308) return new Real(0);
            return new Real(Math.copySign(new BigDecimal(real.value()).setScale(digits, RoundingMode.HALF_EVEN).doubleValue(), real.value()));
        }
        if (digits >= 0) return new Int(whole(number));
        if (digits < -4_300) return Int.of(0);
        return checked(run, new BigDecimal(whole(number)).setScale(digits, RoundingMode.HALF_EVEN).toBigInteger());
    }

    /** repr of a float: the shortest digits that read back as the same number; an exponent below 1e-4 and from 1e16 on. */
    static String repr(double value) {
        if (Double.isNaN(value)) return "nan";
        if (Double.isInfinite(value)) return value > 0 ? "inf" : "-inf";
        if (value == 0) return 1 / value < 0 ? "-0.0" : "0.0";
        var decimal = new BigDecimal(Double.toString(value)).stripTrailingZeros();
        int exponent = decimal.precision() - decimal.scale() - 1;
        if (exponent >= -4 && exponent < 16) return decimal.scale() <= 0 ? decimal.toPlainString() + ".0" : decimal.toPlainString();
        var digits = decimal.unscaledValue().abs().toString();
        var point = digits.length() > 1 ? "." + digits.substring(1) : "";
        return (value < 0 ? "-" : "") + digits.charAt(0) + point + "e" + (exponent < 0 ? "-" : "+") + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
    }

    /** int() of a text: the number, or what is given where the text is none. */
    static Value parseInt(Run run, String text, int radix, Value otherwise) {
        var digits = text.strip().replace("_", "");
        boolean signed = digits.startsWith("-") || digits.startsWith("+");
        var body = signed ? digits.substring(1) : digits;
        var prefix = radix == 16 ? "0x" : radix == 8 ? "0o" : radix == 2 ? "0b" : "";
        if (!prefix.isEmpty() && body.regionMatches(true, 0, prefix, 0, 2)) body = body.substring(2);
        if (body.isEmpty() || radix < 2 || radix > 36 || body.length() > 4_300) return otherwise;
        for (int i = 0; i < body.length(); i++) {
            if (Character.digit(body.charAt(i), radix) < 0) return otherwise;
        }
        var value = new BigInteger(body, radix);
        return checked(run, digits.startsWith("-") ? value.negate() : value);
    }

    /** float() of a text: the number, or what is given where the text is none. */
    static Value parseReal(String text, Value otherwise) {
        var word = text.strip().toLowerCase(Locale.ROOT).replace("_", "");
        if (word.length() > 4_300) return otherwise;
        var unsigned = word.startsWith("-") || word.startsWith("+") ? word.substring(1) : word;
        double sign = word.startsWith("-") ? -1 : 1;
        if (unsigned.equals("inf") || unsigned.equals("infinity")) return new Real(sign * Double.POSITIVE_INFINITY);
        if (unsigned.equals("nan")) return new Real(Double.NaN);
        for (int i = 0; i < unsigned.length(); i++) {
            if ("0123456789.e+-".indexOf(unsigned.charAt(i)) < 0) return otherwise;
        }
        try {
            return new Real(Double.parseDouble(word));
        } catch (NumberFormatException e) {
            return otherwise;
        }
    }
}
