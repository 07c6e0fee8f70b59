package inkstone.diffusion.prompt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.diffusion.prompt.PromptChunk.Frame;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PromptTest {
    private static final long SEED = 20;
    private static final Frame SHORT = new Frame(5, 100, 101, 102, 9);

    @Test void weightsAreThoseOfTheNotation() {
        assertParts("a cat", "a cat@1");
        assertParts("", "");
        assertParts("a (red) cat", "a @1|red@1.1| cat@1");
        assertParts("((x))", "x@1.21");
        assertParts("[x] y", "x@0.9091| y@1");
        assertParts("(x:1.3), y", "x@1.3|, y@1");
        assertParts("(a (b:2) c:0.5)", "a @0.5|b@1| c@0.5");
        assertParts("(x : .5 )", "x @0.5");
        assertParts("(x:-1)", "x@-1");
        assertParts("a \\(b\\) \\[c\\] \\\\ \\d", "a (b) [c] \\ \\d@1");
        assertParts("(unclosed [both", "unclosed @1.1|both@1");
        assertParts("un)opened] :1.3) x", "un)opened] :1.3) x@1");
        assertParts("(ratio 16:9)", "ratio 16@9");
        assertParts("(16:9:x)", "16:9:x@1.1");
        assertParts("(x:1.2.3)", "x:1.2.3@1.1");
        assertParts("([(x)])", "x@1.1");
        assertParts("()", "");
        assertParts("((x:900):900)", "x@1000");
        // The example in A1111's documentation of its own parser.
        assertParts("a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", "a @1|house@1.573| @1.1|on@1| a @1.1|hill@0.55|, sun, @1.1|sky@1.4641|.@1.1");
    }

    @Test void breaksBeginAChunk() {
        assertParts("a BREAK b", "a@1|/b@1");
        assertParts("(a BREAK b:1.5)", "a@1.5|/b@1.5");
        assertParts("BREAKFAST", "BREAKFAST@1");
        assertParts("BREAK", "@1|/@1");
    }

    private static void assertParts(String prompt, String expected) {
        assertEquals(expected, Prompt.parse(prompt).parts().stream().map(part -> (part.breaks() ? "/" : "") + part.text() + "@" + shortest(part.weight())).collect(Collectors.joining("|")), prompt);
    }

    private static String shortest(double weight) { return String.format(Locale.ROOT, "%.4f", weight).replaceAll("\\.?0+$", ""); }

    @Test void adaptersAreNoText() {
        Prompt prompt = Prompt.parse("a <lora:pixel art:0.8> cat<lora:b><lora:c:0.5:0.7><lora:d:unet=0.4> <lora:e:te=0.2:unet=1> 1 < 2 <b>");
        assertEquals(List.of(new Prompt.Lora("pixel art", 0.8, 0.8), new Prompt.Lora("b", 1, 1), new Prompt.Lora("c", 0.7, 0.5), new Prompt.Lora("d", 0.4, 0.4), new Prompt.Lora("e", 1, 0.2)),
            prompt.loras());
        assertEquals("a  cat  1 < 2 <b>", prompt.parts().getFirst().text());
        var wrong = assertThrows(IllegalArgumentException.class, () -> Prompt.parse("<lora:x:strong>"));
        assertEquals("<lora:x:strong>: expected a weight as 0.8, or one for text and one for the picture as 0.5:0.8", wrong.getMessage());
    }

    /** Numbers are tokens. */
    private static int[] tokens(String text) { return text.isBlank() ? new int[0] : IntStream.of(List.of(text.strip().split("[ ]+")).stream().mapToInt(Integer::parseInt).toArray()).toArray(); }

    @Test void longPromptsAreCutIntoChunks() {
        assertChunks("", "100 101 102 102 102 102 102");
        assertChunks("1 2 3", "100 1 2 3 101 102 102");
        assertChunks("1 2 3 4 5", "100 1 2 3 4 5 101");
        assertChunks("1 2 3 4 5 6", "100 1 2 3 4 5 101", "100 6 101 102 102 102 102");
        // A full chunk gives what is behind its last comma to the next one.
        assertChunks("1 2 9 3 4 6 7", "100 1 2 9 101 102 102", "100 3 4 6 7 101 102");
        assertChunks("1 2 3 4 5 9 6", "100 1 2 3 4 5 101", "100 9 6 101 102 102 102");
        assertChunks("1 BREAK 2", "100 1 101 102 102 102 102", "100 2 101 102 102 102 102");
        var far = new Frame(75, 100, 101, 102, 9);
        for (int comma : new int[]{54, 55, 56}) {                // the last comma is the 55th token or later: it may go back
            String text = IntStream.range(0, 80).mapToObj(i -> i == comma ? "9" : "1").collect(Collectors.joining(" "));
            var chunks = PromptChunk.of(Prompt.parse(text), PromptTest::tokens, far);
            assertEquals(101, chunks.getFirst().tokens()[comma < 55 ? 76 : comma + 2], "comma at " + comma);
        }
    }

    private static void assertChunks(String text, String... expected) {
        var chunks = PromptChunk.of(Prompt.parse(text), PromptTest::tokens, SHORT);
        assertEquals(List.of(expected), chunks.stream().map(chunk -> IntStream.of(chunk.tokens()).mapToObj(Integer::toString).collect(Collectors.joining(" "))).toList());
    }

    @Test void tokensKeepTheWeightsOfTheirWords() {
        var chunks = PromptChunk.of(Prompt.parse("1 2 9 (3 4:1.5) 6 7"), PromptTest::tokens, SHORT);
        assertArrayEquals(new float[]{1, 1, 1, 1, 1, 1, 1}, chunks.get(0).weights());
        assertArrayEquals(new float[]{1, 1.5f, 1.5f, 1, 1, 1, 1}, chunks.get(1).weights());
        assertFalse(chunks.get(0).isWeighed());
        var three = PromptChunk.padded(chunks, 3, SHORT);
        assertEquals(3, three.size());
        assertArrayEquals(new int[]{100, 101, 102, 102, 102, 102, 102}, three.get(2).tokens());
    }

    @Test void weighingKeepsTheMean() {
        var chunk = new PromptChunk(new int[]{1, 2}, new float[]{1, 2});
        float[] hidden = {1, 2, 3, 4};
        chunk.weigh(hidden);                                     // 1 2 6 8: mean 4.25, was 2.5
        float kept = 2.5f / 4.25f;
        assertArrayEquals(new float[]{kept, 2 * kept, 6 * kept, 8 * kept}, hidden, 1e-6f);
        float[] plain = {1, 2};
        new PromptChunk(new int[]{1, 2}, new float[]{1, 1}).weigh(plain);
        assertArrayEquals(new float[]{1, 2}, plain);
    }

    @Test void anythingCanBeTyped() {
        var random = new Random(SEED);
        String signs = "ab ()[]:.\\12BREAK<lora>-,\n";
        for (int n = 0; n < 5_000; n++) {
            var text = new StringBuilder();
            for (int i = random.nextInt(60); i > 0; i--) text.append(signs.charAt(random.nextInt(signs.length())));
            try {
                for (var part : Prompt.parse(text.toString()).parts()) assertTrue(Double.isFinite(part.weight()), "seed " + SEED + ", case " + n);
            } catch (IllegalArgumentException e) {
                assertTrue(text.toString().contains("<lora:") && e.getMessage().contains("expected a weight"), "seed " + SEED + ", case " + n + ": " + text);
            }
        }
        for (String hostile : List.of("(", " ", ":", "BREAK ", "<lora:", "(:1)", "\\", "(x:9999999)")) {
            assertTimeoutPreemptively(Duration.ofSeconds(5), () -> Prompt.parse(hostile.repeat(20_000 / hostile.length())), hostile);
        }
    }
}
