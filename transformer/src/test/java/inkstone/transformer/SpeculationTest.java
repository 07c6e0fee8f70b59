package inkstone.transformer;

import static inkstone.transformer.Fakes.greedy;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.DType;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tokenizer.MarkedText;
import inkstone.transformer.BatchScheduler.Settings;
import inkstone.transformer.GenerationResult.Finish;
import inkstone.transformer.grammar.Grammars;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Guesses change how fast an answer comes and nothing else, whoever guesses, alone and in a crowd. */
@Timeout(60)
class SpeculationTest {
    private static final Consumer<Piece> NOBODY = piece -> { };
    private static final long SEED = 23;
    private static final AtomicLong TICKS = new AtomicLong();
    /** A clock on which all steps take the same time: every guess is worth making. */
    private static final LongSupplier FREE = () -> TICKS.addAndGet(1_000);

    private static Session session(LanguageModel model, int context, LanguageModel draft, int most) {
        return Session.open(model, context, DType.F32, new Speculation(most, draft), FREE);
    }

    private static BatchScheduler scheduler(LanguageModel model, Settings settings) { return BatchScheduler.start(model, settings, FREE); }

    private static int[] letters(Random random, int count) { return random.ints(count, 1, 27).toArray(); }

    private static GenerationResult await(Ticket ticket) throws Exception { return ticket.result().get(20, TimeUnit.SECONDS); }

    // ---- one answer --------------------------------------------------------------------------------------------------------------------------------------

    @Test void aDraftThatKnowsTheModelIsAlwaysRightAndSavesSteps() {
        try (var fakes = Fakes.remembering(512); var small = Fakes.remembering(512); var session = session(fakes.model, 512, small.model, 8)) {
            var prompt = letters(new Random(SEED), 300);
            var result = session.generate(greedy(prompt, 60), NOBODY);
            assertArrayEquals(Fakes.remembered(prompt, 60), result.tokens());
            assertEquals(result.guesses().made(), result.guesses().right());
            assertEquals(List.of(256, 44, 1, 9, 9, 9, 9, 9, 9, 4), fakes.steps, "what a step costs without guesses must be known first");
            assertEquals(List.of(256, 44, 2, 1, 1, 1, 1, 1, 1, 1, 2), small.steps.subList(0, 11), "it reads the prompt along, then writes ahead, its own last guess first");
        }
    }

    @Test void aDraftThatErrsLeavesNoTrace() {
        var random = new Random(SEED);
        int made = 0, right = 0;
        try (var fakes = Fakes.remembering(512); var small = Fakes.misremembering(400, 4); var session = session(fakes.model, 512, small.model, 5)) {
            for (int n = 0; n < 100; n++) {
                var in = "seed " + SEED + ", case " + n;
                var prompt = letters(random, 1 + random.nextInt(450));
                int failing = random.nextInt(200), cancelled = random.nextInt(100);
                try {
                    var result = session.generate(greedy(prompt, 60), piece -> {
                        if (piece.tokens() == cancelled) session.cancel();
                        if (piece.tokens() == failing) throw new IllegalStateException("reader gone");
                    });
                    int expected = cancelled > 0 && cancelled < 60 ? cancelled : 60;
                    assertArrayEquals(Fakes.remembered(prompt, expected), result.tokens(), in);
                    made += result.guesses().made();
                    right += result.guesses().right();
                } catch (IllegalStateException gone) {
                    assertEquals("reader gone", gone.getMessage());
                }
                var again = Arrays.copyOf(prompt, (prompt.length + 1) / 2);
                assertArrayEquals(Fakes.remembered(again, 10), session.generate(greedy(again, 10), NOBODY).tokens(), in);
            }
        }
        assertTrue(right > 100 && right < made, "%d of %d".formatted(right, made));
    }

    @Test void expectationsFollowWhatComesTrue() {
        var acceptance = new Acceptance();
        assertEquals(1 + 0.7 + 0.49, acceptance.tokens(2), 1e-12);
        acceptance.told(new Guesses(4, 4));
        assertEquals(1 + 0.85, acceptance.tokens(1), 1e-12, "(4 · 0.7 + 4) / 8");
        acceptance.told(new Guesses(9, 0));
        assertEquals(1 + 0.68, acceptance.tokens(1), 1e-12, "one guess was wrong, those after it say nothing: 4 · 0.85 / 5");
        for (int i = 0; i < 50; i++) acceptance.told(new Guesses(1, 0));
        assertTrue(acceptance.tokens(1) < 1.001);
        for (int i = 0; i < 500; i++) acceptance.toldNothing();
        assertEquals(1.7, acceptance.tokens(1), 0.01, "doubt fades");
    }

    @Test void timesAreAveragedFilledInAndForgotten() {
        var times = new StepTimes(10);
        assertEquals(0, times.of(3));
        times.measured(2, 1000);
        assertEquals(1000, times.of(1));
        assertEquals(1000, times.of(9), "more rows may be free");
        times.measured(6, 3000);
        assertEquals(997 + 2003 / 4.0, times.of(4), 1e-9);
        times.measured(6, 5000);
        assertEquals(3500, times.of(6), 1e-9);
        times.fade();
        assertEquals(3500 * 0.997, times.of(6), 1e-9);
        for (int i = 0; i < 230; i++) times.measured(2, 1000);
        assertEquals(3500 / 2.0, times.of(6), 50);
        assertEquals(1000, times.of(2), 1e-6);
    }

    /** p = (0.5, 0.3, 0.2), q = (0.4, 0.4, 0.2): the same number falls into the same token's share for 0.4 + 0.3 + 0.2 of all numbers. */
    @Test void sampledTextsAreThoseOfTheModelAlone() {
        var sampling = new SamplerSettings(1, 0, 1, 0, 1, 0, 0, 64, 0);
        var counts = new int[4];
        var guesses = Guesses.NONE;
        try (var fakes = Fakes.reciting(4096, "a", "b", "c"); var small = Fakes.reciting(4096, "a", "b", "c");
             var alone = Session.open(fakes.model, 512, DType.F32); var session = session(fakes.model, 512, small.model, 4)) {
            for (int token = 0; token <= 3; token++) {
                fakes.logitsAfter(token, -100, (float) Math.log(0.5), (float) Math.log(0.3), (float) Math.log(0.2), -100);
                small.logitsAfter(token, -100, (float) Math.log(0.4), (float) Math.log(0.4), (float) Math.log(0.2), -100);
            }
            for (int seed = 0; seed < 60; seed++) {
                var request = new GenerationRequest(new int[] {0}, sampling.withSeed(seed), 200, List.of());
                var result = session.generate(request, NOBODY);
                assertEquals(alone.generate(request, NOBODY).text(), result.text(), "seed " + seed);
                for (int token : result.tokens()) counts[token]++;
                guesses = guesses.plus(result.guesses());
            }
        }
        double draws = 60 * 200, chiSquare = 0;
        double[] p = {0, 0.5, 0.3, 0.2};
        for (int token = 1; token <= 3; token++) chiSquare += Math.pow(counts[token] - p[token] * draws, 2) / (p[token] * draws);
        assertTrue(chiSquare < 13.8, "two degrees of freedom: one in a thousand is larger than 13.8, got " + chiSquare);
        assertTrue(guesses.made() > 1_000 && guesses.acceptance() > 0.6, guesses + ": 0.9 of first guesses, of later ones 0.9 of those that are reached");
    }

    @Test void penaltiesBiasStopsAndLogprobsHold() {
        var random = new Random(SEED);
        try (var fakes = Fakes.reciting(4096, "a", "b", "c", "d", "e"); var small = Fakes.reciting(4096, "a", "b", "c", "d", "e");
             var alone = Session.open(fakes.model, 256, DType.F32)) {
            for (int token = 0; token <= 5; token++) {
                var logits = new float[6];
                for (int i = 1; i < 6; i++) logits[i] = (float) random.nextGaussian() * 2;
                fakes.logitsAfter(token, logits);
                small.logitsAfter(token, logits);
            }
            for (var speculation : List.of(new Speculation(6, small.model), Speculation.lookup(6))) {
                try (var session = Session.open(fakes.model, 256, DType.F32, speculation, FREE)) {
                    int right = 0;
                    for (int n = 0; n < 200; n++) {
                        var settings = new SamplerSettings(n % 3, random.nextInt(4), 0.5f + 0.5f * random.nextFloat(), 0.1f * random.nextInt(2), 1 + 0.1f * random.nextInt(4),
                            0.2f * random.nextInt(3), 0.2f * random.nextInt(3), 8, n);
                        var request = new GenerationRequest(new int[] {1 + random.nextInt(5)}, settings, 1 + random.nextInt(80), n % 2 == 0 ? List.of("ab", "eed") : List.of())
                            .withLogitBias(Map.of(1 + random.nextInt(5), (float) random.nextInt(3))).withTopLogprobs(2);
                        var expected = alone.generate(request, NOBODY);
                        var streamed = new StringBuilder();
                        var result = session.generate(request, piece -> streamed.append(piece.text()));
                        var in = "seed " + SEED + ", case " + n;
                        assertArrayEquals(expected.tokens(), result.tokens(), in);
                        assertEquals(expected.text(), streamed.toString(), in);
                        assertEquals(expected.logprobs(), result.logprobs(), in);
                        assertEquals(expected.finish(), result.finish(), in);
                        right += result.guesses().right();
                    }
                    assertTrue(right > 10, right + " right guesses are too few to mean anything");
                }
            }
        }
    }

    @Test void whatCannotDraftIsRefusedByName() throws IOException {
        try (var fakes = Fakes.reciting("a", "b"); var other = Fakes.reciting("a", "c")) {
            var refusal = assertThrows(IllegalArgumentException.class, () -> session(fakes.model, 64, other.model, 4)).getMessage();
            assertTrue(refusal.contains("token 2 is \"c\" there and \"b\" here"), refusal);
        }
        try (var backend = TestData.backend("cpu"); var mamba = Models.open(TestData.folder("golden-logits").resolve("mamba").resolve("model.gguf"), backend)) {
            assertTrue(assertThrows(IllegalArgumentException.class, () -> Session.open(mamba, 64, DType.F32, Speculation.lookup(4))).getMessage().contains("states"));
            try (var fakes = Fakes.reciting("a")) { assertThrows(IllegalArgumentException.class, () -> session(fakes.model, 64, mamba, 4)); }
        }
    }

    @Test void aDraftWithMoreOrFewerTokensAndAShorterContextGuessesAsFarAsItCan() {
        try (var fakes = Fakes.remembering(512); var small = Fakes.remembering(100); var session = session(fakes.model, 512, small.model, 4)) {
            var prompt = letters(new Random(SEED), 60);
            var result = session.generate(greedy(prompt, 100), NOBODY);
            assertArrayEquals(Fakes.remembered(prompt, 100), result.tokens());
            assertTrue(result.guesses().right() >= 30 && result.guesses().right() <= 40, "up to token 100 of 160: " + result.guesses());
        }
    }

    // ---- in a crowd --------------------------------------------------------------------------------------------------------------------------------------

    /** The draft's keys lie in shared, kept and taken-over pages: it could not be right every time if they were not its own. */
    @Test void aCrowdGetsWhatEachWouldGetAloneAndGoodGuessesStayRight() throws Exception {
        var random = new Random(SEED);
        var roots = List.of(letters(random, 90), letters(random, 150), new int[] {1});
        for (var errsEvery : new int[] {Integer.MAX_VALUE, 5}) {
            try (var fakes = Fakes.remembering(256); var small = Fakes.misremembering(256, errsEvery)) {
                var scheduler = scheduler(fakes.model, new Settings(256, 700, DType.F32, 6, 1000, new Speculation(6, small.model)));
                var prompts = new ArrayList<int[]>();
                var tickets = new ArrayList<Ticket>();
                for (int i = 0; i < 400; i++) {
                    var root = roots.get(random.nextInt(roots.size()));
                    var prompt = Arrays.copyOf(root, 1 + random.nextInt(root.length) + random.nextInt(60));
                    for (int at = root.length; at < prompt.length; at++) prompt[at] = 1 + random.nextInt(26);
                    for (int at = 0; at < prompt.length; at++) if (prompt[at] == 0) prompt[at] = 1;
                    prompts.add(prompt);
                    tickets.add(scheduler.submit(greedy(prompt, random.nextInt(60)), NOBODY));
                    if (random.nextInt(8) == 0) tickets.get(random.nextInt(tickets.size())).cancel();
                }
                var guesses = Guesses.NONE;
                for (int i = 0; i < tickets.size(); i++) {
                    var result = await(tickets.get(i));
                    var in = "seed " + SEED + ", request " + i;
                    assertArrayEquals(Fakes.remembered(prompts.get(i), result.tokens().length), result.tokens(), in);
                    if (errsEvery == Integer.MAX_VALUE && result.finish() != Finish.CANCELLED) assertEquals(result.guesses().made(), result.guesses().right(), in);
                    guesses = guesses.plus(result.guesses());
                }
                assertTrue(guesses.right() > 1_000, guesses.toString());
                assertTrue(errsEvery == Integer.MAX_VALUE || guesses.right() < guesses.made(), guesses.toString());
                scheduler.close();
                assertEquals(0, scheduler.pagesInUse());
            }
        }
    }

    /** On a machine where up to eight rows cost no more than one, and each beyond them as much. */
    @Test void guessesAreMadeWhereTheyPay() throws Exception {
        for (int crowd : new int[] {1, 4, 12}) {
            try (var fakes = Fakes.remembering(1024); var small = Fakes.remembering(1024)) {
                var clock = new AtomicLong();
                fakes.beforeStep = step -> clock.addAndGet(10_000_000L * Math.max(1, fakes.steps.get(step) - 7));
                small.beforeStep = step -> clock.addAndGet(100_000);
                try (var scheduler = BatchScheduler.start(fakes.model, new Settings(1024, 16 * 1024, DType.F32, 16, 16, new Speculation(16, small.model)), clock::get)) {
                    var gate = new Semaphore(0);
                    scheduler.embed(List.of(new int[] {1}), Pooling.LAST).whenComplete((vector, problem) -> gate.acquireUninterruptibly());   // all come before the first step
                    var tickets = new ArrayList<Ticket>();
                    for (int i = 0; i < crowd; i++) tickets.add(scheduler.submit(greedy(new int[] {1 + i, 3}, 300), NOBODY));
                    gate.release();
                    for (var ticket : tickets) assertEquals(300, await(ticket).tokens().length);
                }
                double usual = fakes.steps.stream().skip(fakes.steps.size() / 4).limit(fakes.steps.size() / 2).mapToInt(Integer::intValue).average().orElseThrow();
                assertEquals(crowd == 12 ? 12 : 8, usual, 0.5, crowd + " answers: " + fakes.steps);
            }
        }
    }

    @Test void aDraftThatIsAsSlowAsTheModelIsLeftAlone() {
        try (var fakes = Fakes.remembering(1024); var small = Fakes.misremembering(1024, 2)) {
            var clock = new AtomicLong();
            fakes.beforeStep = step -> clock.addAndGet(10_000_000);
            small.beforeStep = step -> clock.addAndGet(10_000_000);
            try (var session = Session.open(fakes.model, 1024, DType.F32, new Speculation(8, small.model), clock::get)) {
                assertTrue(session.generate(greedy(new int[] {1}, 500), NOBODY).guesses().made() < 30);
                assertTrue(small.steps.stream().mapToInt(Integer::intValue).sum() < 50, "nor is it made to read what it will not be asked about: " + small.steps);
            }
        }
    }

    @Test void aFailingDraftFailsItsRequestsAndTheNextOnesRun() throws Exception {
        try (var fakes = Fakes.remembering(256); var small = Fakes.remembering(256);
             var scheduler = scheduler(fakes.model, new Settings(256, 512, DType.F32, 2, 4, new Speculation(4, small.model)))) {
            small.beforeStep = step -> { if (step == 3) throw new UnsupportedOperationException("no such kernel"); };
            var failing = scheduler.submit(greedy(new int[] {1}, 20), NOBODY);
            assertThrows(ExecutionException.class, () -> await(failing));
            assertArrayEquals(Fakes.remembered(new int[] {1}, 20), await(scheduler.submit(greedy(new int[] {1}, 20), NOBODY)).tokens());
        }
    }

    // ---- a real model ------------------------------------------------------------------------------------------------------------------------------------

    /** In these stories no two likeliest tokens are so near that one row and several, which are summed in another order, could take different ones. */
    @Test void storiesAreTheSameWithItselfAndWithAnUnlikeDraft(@TempDir Path folder) throws Exception {
        var coarse = folder.resolve("coarse.gguf");
        Converter.convert(TestData.stories(), coarse, DType.Q4_0, 1, (name, index, count) -> { });
        try (var backend = new CpuBackend(1); var model = Models.open(TestData.stories(), backend); var unlike = Models.open(coarse, backend)) {
            var drawn = new GenerationRequest(model.tokenizer().encodePrompt(MarkedText.trusted("")), SamplerSettings.DEFAULT.withSeed(3), 10_000, List.of());
            var crowd = crowd(model);
            String whole;
            var alone = new ArrayList<GenerationResult>();
            try (var session = Session.open(model, 128, DType.F32)) {
                whole = session.generate(drawn, NOBODY).text();
                for (var request : crowd) alone.add(session.generate(request, NOBODY));
            }
            for (var draft : List.of(model, unlike)) {
                assertTellsTheStory(model, draft);
                try (var session = session(model, 128, draft, 8)) { assertEquals(whole, session.generate(drawn, NOBODY).text(), "drawn, up to its end or the context's"); }
                assertSameInACrowd(model, draft, crowd, alone);
            }
        }
    }

    private static void assertTellsTheStory(LanguageModel model, LanguageModel draft) throws IOException {
        try (var session = session(model, 256, draft, 8)) {
            var result = session.generate(new GenerationRequest(model.tokenizer().encodePrompt(MarkedText.trusted("")), SamplerSettings.GREEDY, 200, List.of()), NOBODY);
            assertEquals(TestData.storiesText(), result.text().strip());
            double acceptance = result.guesses().acceptance();
            assertTrue(draft == model ? acceptance > 0.99 : acceptance > 0.5 && acceptance < 1, result.guesses().toString());
        }
    }

    /** Greedy and drawn, some held to a grammar, one to the end of its context. */
    private static List<GenerationRequest> crowd(LanguageModel model) {
        var grammars = new Grammars(model.tokenizer());
        var requests = new ArrayList<GenerationRequest>();
        for (int i = 0; i < 6; i++) {
            var prompt = model.tokenizer().encodePrompt(MarkedText.trusted("Once upon a time there was " + "a cat ".repeat(i)));
            var request = new GenerationRequest(prompt, i % 2 == 0 ? SamplerSettings.GREEDY : SamplerSettings.DEFAULT.withSeed(i), i == 5 ? 1_000 : 60, List.of());
            requests.add(i % 3 == 0 ? request.withConstraint(() -> grammars.gbnf("root ::= \"[\" [a-z]+ (\", \" [a-z]+){3,9} \"]\"")) : request);
        }
        return requests;
    }

    private static void assertSameInACrowd(LanguageModel model, LanguageModel draft, List<GenerationRequest> requests, List<GenerationResult> expected) throws Exception {
        var guesses = Guesses.NONE;
        try (var scheduler = scheduler(model, new Settings(128, 1024, DType.F32, 4, 8, new Speculation(4, draft)))) {
            var tickets = new ArrayList<Ticket>();
            for (var request : requests) tickets.add(scheduler.submit(request, NOBODY));
            for (int i = 0; i < requests.size(); i++) {
                var result = await(tickets.get(i));
                assertEquals(expected.get(i).text(), result.text(), "request " + i);
                assertEquals(expected.get(i).finish(), result.finish(), "request " + i);
                guesses = guesses.plus(result.guesses());
                if (draft == model) assertTrue(result.guesses().acceptance() > 0.9, "request " + i + ": " + result.guesses());
            }
        }
        assertTrue(guesses.right() > 10, guesses + ": too few to mean anything");
    }
}
