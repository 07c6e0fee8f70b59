package inkstone.transformer.grammar;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A set of code points.
 *
 * @param bounds first and last of each range, ascending, with gaps between ranges; never surrogates, which UTF-8 cannot spell
 */
record CharacterSet(int[] bounds) {
    static final CharacterSet ANY = of(0, Character.MAX_CODE_POINT);
    static final CharacterSet NONE = new CharacterSet(new int[0]);
    private static final int FIRST_SURROGATE = 0xD800, LAST_SURROGATE = 0xDFFF;

    /** Ranges as pairs, in any order. */
    static CharacterSet of(int... pairs) {
        var ranges = new ArrayList<int[]>();
        for (int i = 0; i < pairs.length; i += 2) {
            add(ranges, pairs[i], Math.min(pairs[i + 1], FIRST_SURROGATE - 1));
            add(ranges, Math.max(pairs[i], LAST_SURROGATE + 1), pairs[i + 1]);
        }
        ranges.sort((a, b) -> Integer.compare(a[0], b[0]));
        var bounds = new int[2 * ranges.size()];
        int n = 0;
        for (var range : ranges) {
            if (n > 0 && range[0] <= bounds[n - 1] + 1) {
                bounds[n - 1] = Math.max(bounds[n - 1], range[1]);
            } else {
                bounds[n++] = range[0];
                bounds[n++] = range[1];
            }
        }
        return new CharacterSet(Arrays.copyOf(bounds, n));
    }

    static CharacterSet of(String characters) { return of(characters.codePoints().flatMap(c -> IntStream.of(c, c)).toArray()); }

    private static void add(List<int[]> ranges, int from, int to) { if (from <= to) ranges.add(new int[] {from, to}); }

    CharacterSet or(CharacterSet other) {
        var pairs = Arrays.copyOf(bounds, bounds.length + other.bounds.length);
        System.arraycopy(other.bounds, 0, pairs, bounds.length, other.bounds.length);
        return of(pairs);
    }

    CharacterSet not() {
        var pairs = new ArrayList<Integer>();
        int from = 0;
        for (int i = 0; i < bounds.length; i += 2) {
            if (from < bounds[i]) pairs.addAll(List.of(from, bounds[i] - 1));
            from = bounds[i + 1] + 1;
        }
        if (from <= Character.MAX_CODE_POINT) pairs.addAll(List.of(from, Character.MAX_CODE_POINT));
        return of(pairs.stream().mapToInt(Integer::intValue).toArray());
    }

    CharacterSet and(CharacterSet other) { return not().or(other.not()).not(); }

    boolean isEmpty() { return bounds.length == 0; }

    /**
     * The UTF-8 of these code points as sequences of byte ranges, each {first, last} per byte: every combination within one sequence is a code point of the set
     * (K. Thompson's split, as R. Cox describes it for RE2).
     */
    List<int[]> utf8() {
        var sequences = new ArrayList<int[]>();
        for (int i = 0; i < bounds.length; i += 2) {
            int from = bounds[i];
            for (int last : new int[] {0x7F, 0x7FF, FIRST_SURROGATE - 1, 0xFFFF, Character.MAX_CODE_POINT}) {
                int to = Math.min(last, bounds[i + 1]);
                if (from <= to) split(from, to, sequences);
                from = Math.max(from, to + 1);
            }
        }
        return sequences;
    }

    private static void split(int from, int to, List<int[]> sequences) {
        int bytes = from <= 0x7F ? 1 : from <= 0x7FF ? 2 : from <= 0xFFFF ? 3 : 4;
        for (int i = 1; i < bytes; i++) {
            int low = (1 << 6 * i) - 1;
            if ((from & ~low) == (to & ~low)) continue;
            if ((from & low) != 0) {
                split(from, from | low, sequences);
                split((from | low) + 1, to, sequences);
                return;
            }
            if ((to & low) != low) {
                split(from, (to & ~low) - 1, sequences);
                split(to & ~low, to, sequences);
                return;
            }
        }
        var ranges = new int[2 * bytes];
        for (int k = 0; k < bytes; k++) {
            ranges[2 * k] = utf8Byte(from, k, bytes);
            ranges[2 * k + 1] = utf8Byte(to, k, bytes);
        }
        sequences.add(ranges);
    }

    private static int utf8Byte(int codePoint, int index, int bytes) {
        if (bytes == 1) return codePoint;
        int bits = codePoint >> 6 * (bytes - 1 - index);
        return index > 0 ? 0x80 | bits & 0x3F : (0xF00 >> bytes & 0xFF) | bits;
    }
}
