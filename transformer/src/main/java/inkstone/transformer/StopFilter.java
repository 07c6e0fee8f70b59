package inkstone.transformer;

import java.util.List;

/**
 * Lets text through up to the first stop text. What may still become a stop text is held back, so neither a stop text nor a part of one that ends the
 * answer is ever let through, however the text was cut into pieces. Where two stop texts end at the same character, the one that began earlier counts.
 */
final class StopFilter {
    private final List<String> stops;
    private final StringBuilder held = new StringBuilder();
    private boolean stopped;

    StopFilter(List<String> stops) { this.stops = stops; }

    boolean stopped() { return stopped; }

    /** What of the text so far may be shown now and has not been. */
    String next(String text) {
        if (stopped) return "";
        for (int i = 0; i < text.length(); i++) {
            held.append(text.charAt(i));
            int start = matchAtEnd();
            if (start >= 0) {
                stopped = true;
                held.setLength(start);
                return flush();
            }
        }
        int open = held.length() - longestOpenMatch();
        var shown = held.substring(0, open);
        held.delete(0, open);
        return shown;
    }

    /** What was held back, once no more text comes. */
    String flush() {
        var rest = held.toString();
        held.setLength(0);
        return rest;
    }

    /** Where the longest stop text that ends the held text begins; -1 where none does. */
    private int matchAtEnd() {
        int start = -1;
        for (var stop : stops) {
            int candidate = held.length() - stop.length();
            if (candidate >= 0 && (start < 0 || candidate < start) && matches(stop, candidate, stop.length())) start = candidate;
        }
        return start;
    }

    /** Length of the longest end of the held text that begins a stop text. */
    private int longestOpenMatch() {
        int longest = 0;
        for (var stop : stops) {
            for (int length = Math.min(stop.length() - 1, held.length()); length > longest; length--) {
                if (matches(stop, held.length() - length, length)) longest = length;
            }
        }
        return longest;
    }

    private boolean matches(String stop, int at, int length) {
        for (int i = 0; i < length; i++) if (held.charAt(at + i) != stop.charAt(i)) return false;
        return true;
    }
}
