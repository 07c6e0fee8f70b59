package inkstone.tokenizer.template;

import inkstone.tokenizer.MarkedText;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.UnaryOperator;

/**
 * A string of a template that knows for each character whether the template itself wrote it. Only the template's literal text and the
 * begin and end tokens are trusted; whatever comes from messages, tools and variables is not, and neither is text that built-ins make
 * (digits, JSON punctuation, escapes, padding). Every operation carries the marks along, so no way of cutting and joining lets a message
 * spell a special token. Positions are UTF-16 units unless said otherwise; Python's are code points ({@link #offset}).
 */
final class Text implements Value, Comparable<Text> {
    private static final int[] NO_FLIPS = {};
    static final Text EMPTY = untrusted("");

    private final String chars;
    /** The mark of the first character. */
    private final boolean trusted;
    /** Where the mark changes: ascending positions inside the text. */
    private final int[] flips;
    /** Whether the text passed through the filters safe or escape, which later escapes what is added to it, as in Jinja. */
    private final boolean markup;
    /** Code points, or -1 until counted. */
    private int length = -1;

    private Text(String chars, boolean trusted, int[] flips, boolean markup) {
        this.chars = chars;
        this.trusted = trusted;
        this.flips = flips;
        this.markup = markup;
    }

    static Text trusted(String chars) { return new Text(chars, true, NO_FLIPS, false); }

    static Text untrusted(String chars) { return new Text(chars, false, NO_FLIPS, false); }

    String chars() { return chars; }

    boolean isEmpty() { return chars.isEmpty(); }

    boolean isMarkup() { return markup; }

    Text asMarkup() { return markup ? this : new Text(chars, trusted, flips, true); }

    Text asPlain() { return markup ? new Text(chars, trusted, flips, false) : this; }

    /** The length in code points. */
    int length() {
        if (length < 0) length = chars.codePointCount(0, chars.length());
        return length;
    }

    /** The position of a code point, which must be from 0 to {@link #length}. */
    int offset(Run run, int codePoint) {
        if (length() == chars.length()) return codePoint;
        run.step(chars.length() / 16);
        return chars.offsetByCodePoints(0, codePoint);
    }

    /** The code points before a position. */
    int codePoint(int offset) { return length() == chars.length() ? offset : chars.codePointCount(0, offset); }

    Text slice(int from, int to) {
        if (from >= to) return EMPTY;
        if (from == 0 && to == chars.length()) return this;
        int first = flipsUpTo(from), last = flipsUpTo(to - 1);
        var inside = NO_FLIPS;
        if (last > first) {
            inside = Arrays.copyOfRange(flips, first, last);
            for (int i = 0; i < inside.length; i++) inside[i] -= from;
        }
        return new Text(chars.substring(from, to), trusted ^ (first & 1) == 1, inside, markup);
    }

    Text from(int from) { return slice(from, chars.length()); }

    private int flipsUpTo(int position) {
        if (flips.length == 0) return 0;
        int at = Arrays.binarySearch(flips, position);
        return at >= 0 ? at + 1 : -at - 1;
    }

    Text plus(Run run, Text other) {
        var joined = new Builder(run).append(this).append(other).toText();
        return markup || other.markup ? joined.asMarkup() : joined;
    }

    /** Each run of equal marks through {@code change}, which may change its length; the marks stay. */
    Text map(Run run, UnaryOperator<String> change) {
        var mapped = new Builder(run);
        for (int i = 0; i <= flips.length; i++) {
            int from = i == 0 ? 0 : flips[i - 1], to = i == flips.length ? chars.length() : flips[i];
            run.chars(chars.length(), to - from);
            mapped.append(change.apply(chars.substring(from, to)), trusted ^ (i & 1) == 1);
        }
        var result = mapped.toText();
        return markup ? result.asMarkup() : result;
    }

    Text upper(Run run) { return map(run, s -> s.toUpperCase(Locale.ROOT)); }

    Text lower(Run run) { return map(run, s -> s.toLowerCase(Locale.ROOT)); }

    /** The first position of {@code pattern} from {@code from} on, or -1, in linear time (Knuth, Morris & Pratt 1977). The caller counts the work. */
    static int indexOf(String text, String pattern, int from) {
        if (pattern.length() <= 8) return text.indexOf(pattern, from);
        if (pattern.length() > text.length() - from) return -1;
        var border = new int[pattern.length()];
        for (int i = 1, k = 0; i < border.length; i++) {
            while (k > 0 && pattern.charAt(i) != pattern.charAt(k)) k = border[k - 1];
            if (pattern.charAt(i) == pattern.charAt(k)) k++;
            border[i] = k;
        }
        for (int i = from, k = 0; i < text.length(); i++) {
            while (k > 0 && text.charAt(i) != pattern.charAt(k)) k = border[k - 1];
            if (text.charAt(i) == pattern.charAt(k)) k++;
            if (k == border.length) return i - k + 1;
        }
        return -1;
    }

    MarkedText marked() {
        var spans = new ArrayList<MarkedText.Span>();
        for (int i = 0; i <= flips.length && !chars.isEmpty(); i++) {
            int from = i == 0 ? 0 : flips[i - 1], to = i == flips.length ? chars.length() : flips[i];
            spans.add(new MarkedText.Span(chars.substring(from, to), trusted ^ (i & 1) == 1));
        }
        return new MarkedText(spans);
    }

    /** The same characters; marks do not count. */
    @Override public boolean equals(Object other) { return other instanceof Text text && chars.equals(text.chars); }

    @Override public int hashCode() { return chars.hashCode(); }

    /** By code point, as Python compares. */
    @Override public int compareTo(Text other) {
        int mismatch = Arrays.mismatch(chars.toCharArray(), other.chars.toCharArray());
        if (mismatch < 0 || mismatch >= chars.length() || mismatch >= other.chars.length()) return Integer.compare(chars.length(), other.chars.length());
        char a = chars.charAt(mismatch), b = other.chars.charAt(mismatch);
        return Character.isSurrogate(a) != Character.isSurrogate(b) ? (Character.isSurrogate(a) ? 1 : -1) : Character.compare(a, b);
    }

    @Override public String toString() { return chars; }

    /** Puts a text together; counts every character before taking it. */
    static final class Builder {
        private final Run run;
        private final StringBuilder chars = new StringBuilder();
        private boolean first, last;
        private int[] flips = NO_FLIPS;
        private int flipCount;

        Builder(Run run) { this.run = run; }

        Builder append(Text text) { return append(text, 0, text.chars.length()); }

        Builder append(Text text, int from, int to) {
            if (from >= to) return this;
            int flip = text.flipsUpTo(from);
            for (int at = from; at < to; flip++) {
                int end = flip < text.flips.length ? Math.min(to, text.flips[flip]) : to;
                append(text.chars, at, end, text.trusted ^ (flip & 1) == 1);
                at = end;
            }
            return this;
        }

        Builder append(String text, boolean trusted) { return append(text, 0, text.length(), trusted); }

        /** Text that no template wrote: digits, punctuation, escapes. */
        Builder append(String text) { return append(text, false); }

        Builder repeat(Text text, long times) {
            if (text.isEmpty() || times <= 0) return this;
            if (times > Run.MAX_CHARS) throw run.fail("a text would be repeated %,d times", times);
            run.chars(chars.length() + times * text.chars.length(), times * text.chars.length());
            for (long i = 0; i < times; i++) append(text);
            return this;
        }

        private Builder append(String text, int from, int to, boolean trusted) {
            if (from == to) return this;
            run.chars((long) chars.length() + to - from, to - from);
            if (chars.isEmpty()) {
                first = trusted;
            } else if (trusted != last) {
                if (flipCount == flips.length) flips = Arrays.copyOf(flips, Math.max(8, 2 * flipCount));
                flips[flipCount++] = chars.length();
            }
            last = trusted;
            chars.append(text, from, to);
            return this;
        }

        int chars() { return chars.length(); }

        Text toText() { return chars.isEmpty() ? EMPTY : new Text(chars.toString(), first, flipCount == 0 ? NO_FLIPS : Arrays.copyOf(flips, flipCount), false); }
    }
}
