package inkstone.transformer.grammar;

import static inkstone.transformer.grammar.Expression.optional;
import static inkstone.transformer.grammar.Expression.range;
import static inkstone.transformer.grammar.Expression.repeat;
import static inkstone.transformer.grammar.Expression.sequence;
import static inkstone.transformer.grammar.Expression.text;

import inkstone.transformer.grammar.Expression.Choice;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;

/**
 * Decimal numbers between two whole bounds, either of which may be null (none) and open (excluded). Numbers that are not whole have no exponent here.
 *
 * @param whole whether only integers count
 */
record NumberRange(BigInteger low, boolean lowOpen, BigInteger high, boolean highOpen, boolean whole) {
    static final int MOST_DIGITS = 30;
    private static final BigInteger ZERO = BigInteger.ZERO, ONE = BigInteger.ONE;

    Expression expression() {
        if (whole && (lowOpen || highOpen)) {
            return new NumberRange(lowOpen ? low.add(ONE) : low, false, highOpen ? high.subtract(ONE) : high, false, true).expression();
        }
        var ways = new ArrayList<Expression>();
        boolean reachesPositive = high == null || high.signum() >= 0, reachesNegative = low == null || low.signum() < 0;
        if (reachesPositive) {
            boolean fromZero = low == null || low.signum() < 0;
            magnitudes(fromZero ? ZERO : low, !fromZero && lowOpen, high, highOpen, ways);
        }
        if (reachesNegative) {
            var negative = new ArrayList<Expression>();
            boolean fromZero = high == null || high.signum() > 0;
            var least = fromZero ? ZERO : high.negate();
            magnitudes(whole ? least.max(ONE) : least, !fromZero && highOpen, low == null ? null : low.negate(), lowOpen, negative);
            if (!negative.isEmpty()) ways.add(sequence(text("-"), new Choice(negative)));
        }
        if (ways.isEmpty()) throw new IllegalArgumentException("no number lies between minimum and maximum");
        return new Choice(ways);
    }

    private void magnitudes(BigInteger from, boolean fromOpen, BigInteger to, boolean toOpen, List<Expression> ways) {
        if (whole) {
            if (to == null || from.compareTo(to) <= 0) integers(from, to, ways);
            return;
        }
        if (fromOpen && (to == null || from.compareTo(to) < 0)) {
            var positive = sequence(text("."), repeat(text("0"), 0, 7), range('1', '9'), repeat(range('0', '9'), 0, 7));
            ways.add(sequence(text(from.toString()), positive));
        }
        var first = fromOpen ? from.add(ONE) : from;
        if (to == null || first.compareTo(to) < 0) {
            var wholes = new ArrayList<Expression>();
            integers(first, to == null ? null : to.subtract(ONE), wholes);
            ways.add(sequence(new Choice(wholes), optional(JsonRules.FRACTION)));
        }
        if (to != null && !toOpen && first.compareTo(to) <= 0) ways.add(sequence(text(to.toString()), optional(sequence(text("."), repeat(text("0"), 1, 4)))));
    }

    /** Integers from..to, neither negative, by number of digits. */
    private static void integers(BigInteger from, BigInteger to, List<Expression> ways) {
        var low = from.toString();
        int longest = to == null ? Math.max(JsonRules.MOST_DIGITS, low.length() + 1) : to.toString().length();
        for (int digits = low.length(); digits <= longest; digits++) {
            var least = digits == low.length() ? low : "1" + "0".repeat(digits - 1);
            var most = digits == longest && to != null ? to.toString() : "9".repeat(digits);
            ways.add(sameLength(least, most));
        }
    }

    private static Expression sameLength(String low, String high) {
        if (low.isEmpty()) return Expression.EMPTY;
        var lowRest = low.substring(1);
        var highRest = high.substring(1);
        char first = low.charAt(0), last = high.charAt(0);
        if (first == last) return sequence(text(String.valueOf(first)), sameLength(lowRest, highRest));
        int rest = lowRest.length();
        var ways = new ArrayList<Expression>();
        var zeros = "0".repeat(rest);
        var nines = "9".repeat(rest);
        char freeFrom = lowRest.equals(zeros) ? first : (char) (first + 1), freeTo = highRest.equals(nines) ? last : (char) (last - 1);
        if (freeFrom > first) ways.add(sequence(text(String.valueOf(first)), sameLength(lowRest, nines)));
        if (freeFrom <= freeTo) ways.add(sequence(range(freeFrom, freeTo), repeat(range('0', '9'), rest, rest)));
        if (freeTo < last) ways.add(sequence(text(String.valueOf(last)), sameLength(zeros, highRest)));
        return new Choice(ways);
    }
}
