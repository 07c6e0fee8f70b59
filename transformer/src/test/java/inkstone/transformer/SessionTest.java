package inkstone.transformer;

import static inkstone.transformer.Fakes.greedy;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import inkstone.transformer.GenerationResult.Finish;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SessionTest {
    private static List<String> pieces(Session session, GenerationRequest request) {
        var pieces = new ArrayList<String>();
        var result = session.generate(request, piece -> pieces.add(piece.text()));
        assertEquals(result.text(), String.join("", pieces), "the pieces make the text");
        return pieces;
    }

    @Test void anAnswerEndsWithTheEndToken() {
        try (var fakes = Fakes.reciting("Hel", "lo", "!"); var session = fakes.session(64)) {
            var counts = new ArrayList<Integer>();
            var result = session.generate(greedy(10), piece -> counts.add(piece.tokens()));
            assertEquals("Hello!", result.text());
            assertArrayEquals(new int[] {1, 2, 3}, result.tokens(), "without the end token");
            assertEquals(Finish.STOP, result.finish());
            assertEquals(List.of(1, 2, 3), counts);
            assertEquals(List.of(1, 1, 1, 1), fakes.steps, "one row a token");
        }
    }

    @Test void maxTokensEndsAnAnswer() {
        try (var fakes = Fakes.reciting("a", "b", "c"); var session = fakes.session(64)) {
            assertEquals("ab", session.generate(greedy(2), piece -> { }).text());
            var nothing = session.generate(greedy(0), piece -> { });
            assertEquals("", nothing.text());
            assertEquals(Finish.LENGTH, nothing.finish());
        }
    }

    @Test void stopTextsNeverReachTheReader() {
        try (var fakes = Fakes.reciting("on", "e<", "sto", "p>", "two"); var session = fakes.session(64)) {
            assertEquals(List.of("on", "e", "", ""), pieces(session, greedy(10, "<stop>")));
            assertEquals(List.of("on", "e", "", "<stop>", "two"), pieces(session, greedy(10, "<stop!")));
        }
    }

    @Test void whatWasHeldBackIsShownWhenTheAnswerEnds() {
        try (var fakes = Fakes.reciting("a<", "b<"); var session = fakes.session(64)) {
            assertEquals(List.of("a", "<b", "<"), pieces(session, greedy(10, "<stop>")), "before the end token");
            assertEquals(List.of("a", "<"), pieces(session, greedy(1, "<stop>")), "before maxTokens");
        }
    }

    @Test void charactersComeWhole() {
        byte[] euro = "€".getBytes(StandardCharsets.UTF_8);
        byte[][] pieces = {{'a', euro[0]}, {euro[1]}, {euro[2], 'b'}, {euro[0]}};
        try (var fakes = Fakes.recitingBytes(pieces); var session = fakes.session(64)) {
            assertEquals(List.of("", "", "a€b", "", "\uFFFD"), pieces(session, greedy(10)), "half a character at the end is broken");
        }
    }

    @Test void aPromptThatLeavesNoRoomIsRefusedAndAnAnswerEndsWithTheContext() {
        try (var fakes = Fakes.endless(64); var session = fakes.session(8)) {
            assertThrows(ContextFullException.class, () -> session.generate(greedy(new int[8], 1), piece -> { }));
            var result = session.generate(greedy(new int[5], 100), piece -> { });
            assertEquals(3, result.tokens().length, "5 + 3 = 8");
            assertEquals(Finish.LENGTH, result.finish());
        }
    }

    @Test void theContextIsAtMostTheModels() {
        try (var fakes = Fakes.endless(64)) {
            assertThrows(IllegalArgumentException.class, () -> fakes.session(65));
            assertThrows(IllegalArgumentException.class, () -> fakes.session(1));
        }
    }

    @Test void tokensOutsideTheVocabularyAreRefused() {
        try (var fakes = Fakes.reciting("a"); var session = fakes.session(8)) {
            assertThrows(IllegalArgumentException.class, () -> session.generate(greedy(new int[] {3}, 1), piece -> { }));
            assertThrows(IllegalArgumentException.class, () -> session.generate(greedy(new int[] {-1}, 1), piece -> { }));
        }
    }

    @Test void onlyWhatIsNewOfAPromptIsRead() {
        try (var fakes = Fakes.reciting("a", "b", "c", "d"); var session = fakes.session(64)) {
            var first = session.generate(greedy(new int[] {0, 0, 1}, 10), piece -> { });
            assertEquals(0, first.cachedTokens());
            assertEquals("bcd", first.text());
            fakes.steps.clear();

            var longer = session.generate(greedy(new int[] {0, 0, 1, 2, 3, 1, 1}, 1), piece -> { });
            assertEquals(5, longer.cachedTokens(), "prompt and answer of the first turn");
            assertEquals(List.of(2), fakes.steps);
            fakes.steps.clear();

            var again = session.generate(greedy(new int[] {0, 0, 1, 2, 3, 1, 1}, 1), piece -> { });
            assertEquals(6, again.cachedTokens(), "the last token runs for its logits");
            assertEquals(List.of(1), fakes.steps);
            fakes.steps.clear();

            assertEquals(1, session.generate(greedy(new int[] {0, 1, 1}, 1), piece -> { }).cachedTokens());
            assertEquals(List.of(2), fakes.steps);
        }
    }

    @Test void longPromptsAreReadInChunksAndACancelEndsThemBetweenTwo() {
        try (var fakes = Fakes.endless(4096); var session = fakes.session(2048)) {
            var prompt = new int[600];
            assertEquals("a", session.generate(greedy(prompt, 1), piece -> { }).text());
            assertEquals(List.of(256, 256, 88), fakes.steps);
            fakes.steps.clear();

            prompt[0] = 1;
            fakes.beforeStep = step -> session.cancel();
            var cancelled = session.generate(greedy(prompt, 1), piece -> { });
            assertEquals(Finish.CANCELLED, cancelled.finish());
            assertEquals(List.of(256), fakes.steps);
            fakes.steps.clear();

            fakes.beforeStep = step -> { };
            assertEquals(256, session.generate(greedy(prompt, 1), piece -> { }).cachedTokens(), "what was read before the cancel is kept");
        }
    }

    @Test void aCancelEndsAnAnswerAtItsNextStep() {
        try (var fakes = Fakes.endless(4096); var session = fakes.session(2048)) {
            var result = session.generate(greedy(1000), piece -> { if (piece.tokens() == 3) session.cancel(); });
            assertEquals("abc", result.text());
            assertEquals(Finish.CANCELLED, result.finish());
            session.cancel();
            assertEquals("ab", session.generate(greedy(2), piece -> { }).text(), "a cancel without an answer does nothing");
        }
    }

    @Test void whatTheCallbackThrowsComesOutAndTheSessionGoesOn() {
        try (var fakes = Fakes.endless(64); var session = fakes.session(64)) {
            var thrown = new IllegalStateException("reader gone");
            assertEquals(thrown, assertThrows(IllegalStateException.class, () -> session.generate(greedy(5), piece -> { throw thrown; })));
            assertEquals("ab", session.generate(greedy(2), piece -> { }).text());
        }
    }

    @Test void aFailedStepComesOutAndTheSessionGoesOn() {
        try (var fakes = Fakes.endless(64); var session = fakes.session(64)) {
            fakes.beforeStep = step -> { if (step == 1) throw new UnsupportedOperationException("no such kernel"); };
            assertThrows(UnsupportedOperationException.class, () -> session.generate(greedy(5), piece -> { }));
            assertEquals("abc", session.generate(greedy(3), piece -> { }).text());
        }
    }

    @Test void brokenLogitsAreSaidToBeSo() {
        try (var fakes = Fakes.reciting("a", "b").logitsAfter(1, Float.NaN); var session = fakes.session(64)) {
            assertThrows(ArithmeticException.class, () -> session.generate(greedy(5), piece -> { }));
        }
    }
}
