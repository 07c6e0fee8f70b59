package inkstone.transformer;

import static inkstone.transformer.Fakes.greedy;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.DType;
import inkstone.tokenizer.MarkedText;
import inkstone.transformer.GenerationResult.Finish;
import inkstone.transformer.TokenLogprob.Candidate;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Log-probabilities, logit bias and constraints: what is told of an answer's tokens, and what bends them. */
class LogprobsTest {
    private static final long SEED = 20261123;

    /** Tokens told of with each piece, as "text:tokens". */
    private static List<String> pieces(Session session, GenerationRequest request) {
        var pieces = new ArrayList<String>();
        var told = new ArrayList<TokenLogprob>();
        var result = session.generate(request, piece -> {
            told.addAll(piece.logprobs());
            pieces.add(piece.text() + ":" + piece.logprobs().stream().map(each -> each.token() + "@" + each.offset()).toList());
        });
        assertEquals(result.logprobs(), told, "the pieces make the whole");
        assertArrayEquals(IntStream.of(result.tokens()).limit(told.size()).toArray(), told.stream().mapToInt(TokenLogprob::token).toArray());
        return pieces;
    }

    @Test void theWholeVocabularysProbabilitiesSumToOneAndTheLikeliestComeInOrder() {
        var random = new Random(SEED);
        for (int n = 0; n < 300; n++) {
            int vocabulary = 1 + random.nextInt(2_000), before = random.nextInt(3);
            var row = new float[before + vocabulary + 1];
            float spread = (float) Math.pow(10, random.nextInt(5) - 1);
            for (int i = 0; i < row.length; i++) row[i] = random.nextInt(9) == 0 ? Float.NEGATIVE_INFINITY : Math.round(random.nextGaussian() * 20) / 20f * spread;
            row[before + random.nextInt(vocabulary)] = 1;
            var distribution = new Distribution(vocabulary);
            distribution.read(row, before, vocabulary);
            var all = distribution.of(0, 0).top();
            var in = "seed " + SEED + ", case " + n;
            assertEquals(1, all.stream().mapToDouble(candidate -> Math.exp(candidate.logprob())).sum(), 1e-5, in + ": float32 logarithms of up to 2,000 terms");
            assertEquals(all.stream().sorted(Comparator.comparing((Candidate c) -> -row[before + c.token()] + 0f).thenComparing(Candidate::token)).toList(), all, in);

            int top = random.nextInt(21);
            var few = new Distribution(top);
            few.read(row, before, vocabulary);
            assertEquals(all.subList(0, Math.min(top, vocabulary)), few.of(0, 0).top(), in);
        }
    }

    @Test void theyAreThoseOfTheRawLogits() {
        try (var fakes = Fakes.reciting("a", "b").logitsAfter(0, 1, 4, 3, 2); var session = fakes.session(64)) {
            double sum = Math.exp(1) + Math.exp(4) + Math.exp(3) + Math.exp(2);
            var settings = new SamplerSettings(0.01f, 1, 0.1f, 0.5f, 2, 1, 1, 64, 5);
            var bent = new GenerationRequest(new int[] {0}, settings, 1, List.of()).withTopLogprobs(2).withLogitBias(Map.of(2, 50f));
            var told = session.generate(bent, piece -> { }).logprobs().getFirst();
            assertEquals(2, told.token());
            assertEquals(3 - Math.log(sum), told.logprob(), 1e-6);
            assertEquals(List.of(1, 2), told.top().stream().map(Candidate::token).toList());
            assertEquals(4 - Math.log(sum), told.top().getFirst().logprob(), 1e-6);
        }
    }

    @Test void theyComeWithTheirTextAndOnlyWhereAskedFor() {
        byte[] cat = "🐈".getBytes(StandardCharsets.UTF_8);
        byte[][] tokens = {{'a'}, {cat[0], cat[1]}, {cat[2], cat[3]}, {'b', '<'}, {'s', '!'}};
        try (var fakes = Fakes.recitingBytes(tokens); var session = fakes.session(64)) {
            assertEquals(List.of("a:[1@0]", ":[]", "🐈:[2@1, 3@1]", "b:[4@2]", "<s!:[5@4]"), pieces(session, greedy(10, "<stop>").withTopLogprobs(0)));
            assertEquals(List.of("a:[]", ":[]", "🐈:[]", "b:[]", "<s!:[]"), pieces(session, greedy(10, "<stop>")));
            assertEquals(List.of("a:[1@0]", ":[]", "\uFFFD:[2@1]"), pieces(session, greedy(2).withTopLogprobs(0)), "what ends with the answer");
        }
    }

    @Test void thoseOfTextThatAStopTextCutsOffAreLeftOut() {
        try (var fakes = Fakes.reciting("on", "e<", "sto", "p>", "two"); var session = fakes.session(64)) {
            assertEquals(List.of("on:[1@0]", "e:[2@2]", ":[]", ":[]"), pieces(session, greedy(10, "<stop>").withTopLogprobs(0)));
        }
    }

    @Test void biasForbidsAndForces() {
        try (var fakes = Fakes.reciting("a", "b", "c"); var session = fakes.session(64)) {
            assertEquals("abc", session.generate(greedy(3), piece -> { }).text());
            assertEquals(0, session.generate(greedy(2).withLogitBias(Map.of(1, -100f)), piece -> { }).tokens()[0], "of the others, all equal, the first");
            assertEquals("ccc", session.generate(greedy(3).withLogitBias(Map.of(3, 100f)), piece -> { }).text());
            var hot = new GenerationRequest(new int[] {0}, new SamplerSettings(1, 0, 1, 0, 1, 0, 0, 64, SEED), 40, List.of());
            assertEquals("b".repeat(40), session.generate(hot.withLogitBias(Map.of(2, 100f)), piece -> { }).text());
            assertTrue(IntStream.of(session.generate(hot.withLogitBias(Map.of(1, -100f, 4, -100f)), piece -> { }).tokens()).noneMatch(token -> token == 1));
            assertThrows(IllegalArgumentException.class, () -> session.generate(greedy(1).withLogitBias(Map.of(5, 1f)), piece -> { }), "the vocabulary ends at 4");
            assertThrows(IllegalArgumentException.class, () -> greedy(1).withLogitBias(Map.of(1, 101f)));
            assertThrows(IllegalArgumentException.class, () -> greedy(1).withLogitBias(Map.of(1, Float.NaN)));
            assertThrows(IllegalArgumentException.class, () -> greedy(1).withTopLogprobs(21));
        }
    }

    /** Lets every second token be 1 ("a"), and the others be 3 or the end. */
    private static final class EveryOtherA implements Constraint {
        private final List<Integer> accepted = new ArrayList<>();

        @Override public void mask(float[] logits, int offset, int vocabulary) {
            for (int token = 0; token < vocabulary; token++) {
                boolean allowed = accepted.size() % 2 == 0 ? token == 1 : token == 3 || token == vocabulary - 1;
                if (!allowed) logits[offset + token] = Float.NEGATIVE_INFINITY;
            }
        }

        @Override public void accept(int token) { accepted.add(token); }

        @Override public Constraint fork() { throw new AssertionError("nobody guesses"); }
    }

    @Test void aConstraintRulesWhatComes() {
        try (var fakes = Fakes.reciting("a", "b", "c"); var session = fakes.session(64)) {
            var constraints = new ArrayList<EveryOtherA>();
            var request = greedy(5).withConstraint(() -> {
                constraints.add(new EveryOtherA());
                return constraints.getLast();
            });
            assertEquals("acaca", session.generate(request, piece -> { }).text(), "of equals the first");
            assertEquals("acaca", session.generate(request.withLogitBias(Map.of(2, 100f)), piece -> { }).text(), "no bias gets around it");
            assertEquals(2, constraints.size(), "each answer has its own");
            assertEquals(List.of(1, 3, 1, 3, 1), constraints.getFirst().accepted);
            var ended = session.generate(request.withLogitBias(Map.of(4, 100f)), piece -> { });
            assertEquals("a", ended.text());
            assertEquals(Finish.STOP, ended.finish());
        }
    }

    @Test void aConstraintThatAllowsNothingIsSaidToBeSo() {
        try (var fakes = Fakes.reciting("a"); var session = fakes.session(64)) {
            var nothing = greedy(5).withConstraint(() -> new Constraint() {
                @Override public void mask(float[] logits, int offset, int vocabulary) { for (int i = 0; i < vocabulary; i++) logits[offset + i] = Float.NEGATIVE_INFINITY; }
                @Override public void accept(int token) { throw new AssertionError("nothing may come"); }
                @Override public Constraint fork() { throw new AssertionError("nobody guesses"); }
            });
            assertTrue(assertThrows(ConstraintException.class, () -> session.generate(nothing, piece -> { })).getMessage().contains("constraint"));
        }
    }

    @Test void aRealModelsTextIsTheSameWithThemAndItsGreedyTokenTheLikeliest() throws IOException {
        try (var backend = TestData.backend("cpu"); var model = Models.open(TestData.stories(), backend); var session = Session.open(model, 128, DType.F32)) {
            var request = new GenerationRequest(model.tokenizer().encodePrompt(MarkedText.trusted("Once")), SamplerSettings.GREEDY, 60, List.of());
            var told = session.generate(request.withTopLogprobs(20), piece -> { });
            assertEquals(session.generate(request, piece -> { }).text(), told.text());
            assertEquals(60, told.logprobs().size());
            for (var token : told.logprobs()) {
                assertEquals(20, token.top().size());
                assertEquals(new Candidate(token.token(), token.logprob()), token.top().getFirst());
                assertTrue(token.logprob() <= 0);
            }
        }
    }
}
