package inkstone.transformer;

import static inkstone.transformer.Fakes.greedy;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.DType;
import inkstone.tokenizer.MarkedText;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class NgramLookupTest {
    private static final long SEED = 3;

    private static int continuation(int... tokens) { return NgramLookup.continuation(tokens, tokens.length); }

    @Test void theLongestAgreementIsTakenOfEqualsTheLatest() {
        assertEquals(-1, continuation(1, 2, 3, 4));
        assertEquals(-1, continuation(2, 9, 2), "one token foretells little");
        assertEquals(2, continuation(1, 2, 3, 1, 2));
        assertEquals(5, continuation(1, 2, 8, 1, 2, 9, 9, 1, 2) , "the later one");
        assertEquals(3, continuation(7, 1, 2, 8, 1, 2, 9, 7, 1, 2), "the longer one");
        assertEquals(2, continuation(5, 5, 5), "what repeats itself");
    }

    @Test void whatRepeatsItselfComesManyTokensAStep() {
        try (var fakes = Fakes.endless(512); var session = Session.open(fakes.model, 512, DType.F32, Speculation.lookup(8), new AtomicLong()::incrementAndGet)) {
            var result = session.generate(greedy(26 + 2 + 90), piece -> { });
            assertEquals("abcdefghijklmnopqrstuvwxyz".repeat(5).substring(0, 118), result.text());
            assertEquals(new Guesses(80, 80), result.guesses());
            assertEquals(28 + 10, fakes.steps.size(), "after 28 tokens two have come again: nine a step from there");
        }
    }

    @Test void guessesThatAreWrongLeaveNoTrace() {
        var random = new Random(SEED);
        int made = 0;
        try (var fakes = Fakes.remembering(512); var session = Session.open(fakes.model, 512, DType.F32, Speculation.lookup(5), new AtomicLong()::incrementAndGet)) {
            for (int n = 0; n < 100; n++) {
                var prompt = random.ints(1 + random.nextInt(200), 1, 3).toArray();                    // two letters: every n-gram has stood there before
                int failing = random.nextInt(100);
                try {
                    var result = session.generate(greedy(prompt, 60), piece -> { if (piece.tokens() == failing) throw new IllegalStateException("reader gone"); });
                    assertArrayEquals(Fakes.remembered(prompt, 60), result.tokens(), "seed " + SEED + ", case " + n);
                    made += result.guesses().made();
                } catch (IllegalStateException gone) {
                    assertEquals("reader gone", gone.getMessage());
                }
                int half = prompt.length / 2;                                                          // what stayed in the cache is right
                var again = half == 0 ? prompt : Arrays.copyOf(prompt, half);
                assertArrayEquals(Fakes.remembered(again, 10), session.generate(greedy(again, 10), piece -> { }).tokens(), "seed " + SEED + ", case " + n);
            }
        }
        assertTrue(made > 20, made + " guesses are too few to mean anything");
    }

    /** The same random numbers meet the same distributions: not only the distribution is the same, but the text of every seed. Also checked: the distribution. */
    @Test void sampledTextsAreDistributedAsWithoutGuesses() {
        var sampling = new SamplerSettings(1, 0, 1, 0, 1, 0, 0, 64, 0);
        var counts = new int[4];
        int right = 0;
        try (var fakes = Fakes.reciting(4096, "a", "b", "c"); var session = Session.open(fakes.model, 512, DType.F32);
             var guessing = Session.open(fakes.model, 512, DType.F32, Speculation.lookup(4), new AtomicLong()::incrementAndGet)) {
            for (int token = 0; token <= 3; token++) fakes.logitsAfter(token, -100, (float) Math.log(0.5), (float) Math.log(0.3), (float) Math.log(0.2), -100);
            for (int seed = 0; seed < 50; seed++) {
                var request = new GenerationRequest(new int[] {0}, sampling.withSeed(seed), 200, List.of());
                var result = guessing.generate(request, piece -> { });
                assertEquals(session.generate(request, piece -> { }).text(), result.text(), "seed " + seed);
                for (int token : result.tokens()) counts[token]++;
                right += result.guesses().right();
            }
        }
        assertTrue(right > 1_000, "guesses must come true for this to mean anything: " + right);
        double deviation = Math.sqrt(0.25 / 10_000);                                                   // of a share among 10,000 draws; five of them are one in a million
        assertEquals(0.5, counts[1] / 10_000.0, 5 * deviation);
        assertEquals(0.3, counts[2] / 10_000.0, 5 * deviation);
        assertEquals(0.2, counts[3] / 10_000.0, 5 * deviation);
    }

    @Test void anAnswerEndsWhereItWouldWithoutGuesses() {
        try (var fakes = Fakes.endless(64); var session = Session.open(fakes.model, 64, DType.F32, Speculation.lookup(8), new AtomicLong()::incrementAndGet)) {
            var prompt = new int[] {1, 2, 3, 4, 5, 1};
            assertEquals("bcdefg", session.generate(greedy(prompt, 6), piece -> { }).text());
            assertEquals("bc", session.generate(greedy(prompt, 40, "d"), piece -> { }).text());
            assertEquals(58, session.generate(greedy(prompt, 1000), piece -> { }).tokens().length, "6 + 58 = 64");
            assertEquals("bcd", session.generate(greedy(prompt, 1000), piece -> { if (piece.tokens() == 3) session.cancel(); }).text());
        }
        try (var fakes = Fakes.reciting("a", "b", "c", "d"); var session = Session.open(fakes.model, 64, DType.F32, Speculation.lookup(8), new AtomicLong()::incrementAndGet)) {
            assertEquals("cd", session.generate(greedy(new int[] {2, 3, 4, 5, 1, 2}, 40), piece -> { }).text(), "the end token is guessed like any other");
        }
    }

    @Test void tooManyGuessesAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> Speculation.lookup(65));
        assertThrows(IllegalArgumentException.class, () -> Speculation.lookup(-1));
    }

    @Test void theStoryIsTheSame() throws IOException {
        try (var backend = TestData.backend("cpu"); var model = Models.open(TestData.stories(), backend); var session = Session.open(model, 256, DType.F32, Speculation.lookup(6), new AtomicLong()::incrementAndGet)) {
            var request = new GenerationRequest(model.tokenizer().encodePrompt(MarkedText.trusted("")), SamplerSettings.GREEDY, 200, List.of());
            var result = session.generate(request, piece -> { });
            assertEquals(TestData.storiesText(), result.text().strip());
            assertTrue(result.guesses().right() > 0, result.guesses().toString());
        }
    }
}
