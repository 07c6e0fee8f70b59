package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class StopFilterTest {
    private static final long SEED = 7;

    private static List<String> shown(List<String> stops, String... pieces) {
        var filter = new StopFilter(stops);
        var shown = new ArrayList<String>();
        for (var piece : pieces) shown.add(filter.next(piece));
        shown.add(filter.flush());
        return shown;
    }

    @Test void whatMayBecomeAStopTextIsHeldBack() {
        assertEquals(List.of("a", "", "", ""), shown(List.of("<end>"), "a<e", "nd", ">b"), "a match that begins and ends inside pieces");
        assertEquals(List.of("a", "<enough", ""), shown(List.of("<end>"), "a<en", "ough"), "not a match after all");
        assertEquals(List.of("a", "<en"), shown(List.of("<end>"), "a<en"), "the text ends before the match does");
        assertEquals(List.of("aa", "", ""), shown(List.of("aab"), "aaaa", "b"), "a match that begins inside a failed one");
    }

    @Test void theResultDoesNotDependOnHowTextIsCut() {
        var random = new Random(SEED);
        for (int n = 0; n < 2_000; n++) {
            var stops = List.of(word(random, 4), word(random, 3));
            var text = word(random, 12);
            var whole = String.join("", shown(stops, text));
            var filter = new StopFilter(stops);
            var pieces = new StringBuilder();
            for (int at = 0; at < text.length();) {
                int end = Math.min(text.length(), at + 1 + random.nextInt(3));
                pieces.append(filter.next(text.substring(at, end)));
                at = end;
            }
            pieces.append(filter.flush());
            var message = "seed " + SEED + ", case " + n + ": " + stops + " in " + text;
            assertEquals(whole, pieces.toString(), message);
            assertTrue(text.startsWith(whole) && stops.stream().noneMatch(whole::contains), message);
            assertEquals(stops.stream().anyMatch(text::contains), filter.stopped(), message);
        }
    }

    private static String word(Random random, int longest) {
        var word = new StringBuilder();
        for (int length = 1 + random.nextInt(longest); length > 0; length--) word.append((char) ('a' + random.nextInt(2)));
        return word.toString();
    }
}
