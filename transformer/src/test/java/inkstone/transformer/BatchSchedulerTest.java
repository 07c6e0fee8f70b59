package inkstone.transformer;

import static inkstone.transformer.Fakes.greedy;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.DType;
import inkstone.transformer.BatchScheduler.Settings;
import inkstone.transformer.GenerationResult.Finish;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Steps are let through one at a time by a gate, so that what happens in which step does not depend on the machine. */
@Timeout(20)
class BatchSchedulerTest {
    private static final Consumer<Piece> NOBODY = piece -> { };
    private static final long SEED = 11;

    private static Settings settings(int contextLength, int cacheTokens, int maxActive, int maxWaiting) {
        return new Settings(contextLength, cacheTokens, DType.F32, maxActive, maxWaiting);
    }

    private static GenerationResult await(Ticket ticket) throws Exception { return ticket.result().get(10, TimeUnit.SECONDS); }

    private static Throwable failure(Ticket ticket) { return assertThrows(ExecutionException.class, () -> await(ticket)).getCause(); }

    /** A gate before every step; each permit lets one through. */
    private static Semaphore gate(Fakes fakes) {
        var gate = new Semaphore(0);
        fakes.beforeStep = step -> gate.acquireUninterruptibly();
        return gate;
    }

    private static int[] prompt(int length, int token) {
        var prompt = new int[length];
        Arrays.fill(prompt, token);
        return prompt;
    }

    @Test void anAnswerComesInPiecesAndAsAWhole() throws Exception {
        try (var fakes = Fakes.reciting("one ", "two ", "three"); var scheduler = BatchScheduler.start(fakes.model, settings(64, 256, 4, 4))) {
            var pieces = new ArrayList<String>();
            var result = await(scheduler.submit(greedy(10), piece -> pieces.add(piece.text())));
            assertEquals(List.of("one ", "two ", "three"), pieces);
            assertEquals("one two three", result.text());
            assertEquals(Finish.STOP, result.finish());
        }
    }

    @Test void answersGoOnWhileAPromptIsRead() throws Exception {
        try (var fakes = Fakes.endless(4096); var scheduler = BatchScheduler.start(fakes.model, settings(1024, 4096, 4, 4), () -> 0)) {
            var gate = gate(fakes);
            var first = scheduler.submit(greedy(6), NOBODY);
            gate.release(1);
            while (fakes.steps.size() < 2) Thread.sleep(1);                               // the first step is over, the second waits at the gate
            var second = scheduler.submit(greedy(prompt(600, 1), 2), NOBODY);
            gate.release(100);
            assertEquals("abcdef", await(first).text());
            assertEquals("bc", await(second).text());
            assertEquals(List.of(1, 1, 1 + 32, 1 + 256, 1 + 256, 1 + 56, 1), fakes.steps, "few rows until a step with a prompt was measured");
        }
    }

    /** On a clock of the model's own: a row costs more the further the prompt is read, a step 20 ms besides. */
    @Test void noReaderWaitsLongWhileALongPromptIsRead() throws Exception {
        try (var fakes = Fakes.endless(4096)) {
            var clock = new AtomicLong();
            var read = new AtomicInteger();
            fakes.beforeStep = step -> {
                int rows = fakes.steps.get(step);
                clock.addAndGet(20_000_000 + rows * (1_000_000L + 4_000L * read.getAndAdd(rows)));            // 1 ms a row at first, 9 ms after 2,000
            };
            try (var scheduler = BatchScheduler.start(fakes.model, settings(4096, 8192, 4, 4), clock::get)) {
                var times = new ArrayList<Long>();
                var other = new AtomicReference<Ticket>();
                var reader = scheduler.submit(greedy(300), piece -> {
                    times.add(clock.get());
                    if (piece.tokens() == 3) other.set(scheduler.submit(greedy(prompt(2000, 1), 1), NOBODY));
                });
                await(reader);
                await(other.get());
                long longest = 0;
                for (int i = 1; i < times.size(); i++) longest = Math.max(longest, times.get(i) - times.get(i - 1));
                assertTrue(longest < 200_000_000, "a reader waited %d ms".formatted(longest / 1_000_000));
                assertTrue(fakes.steps.stream().filter(rows -> rows > 1).count() < 150, "the prompt got its share: " + fakes.steps);
            }
        }
    }

    @Test void whereAnswersAloneAreSlowPromptsGetAsMuchTimeAgain() {
        var pace = new PrefillPace();
        for (int step = 0; step < 20; step++) pace.measured(1, 300_000_000);
        int rows = PrefillPace.FIRST;
        for (int step = 0; step < 30; step++) {
            pace.measured(rows, 300_000_000 + 5_000_000L * rows);
            rows = pace.rows(true);
        }
        assertEquals(60, rows, 5, "300 ms at 5 ms a row");
        assertEquals(Engine.PREFILL_ROWS, new PrefillPace().rows(false));
    }

    @Test void aCancelIsHeardWithinOneStepOfTheLimitedTime() throws Exception {
        try (var fakes = Fakes.endless(4096)) {
            var clock = new AtomicLong();
            fakes.beforeStep = step -> clock.addAndGet(fakes.steps.get(step) * 10_000_000L);
            try (var scheduler = BatchScheduler.start(fakes.model, settings(4096, 8192, 4, 4), clock::get)) {
                await(scheduler.submit(greedy(prompt(256, 2), 1), NOBODY));
                await(scheduler.submit(greedy(prompt(500, 1), 1), NOBODY));
                assertEquals(50, fakes.steps.get(1), "10 ms a row: half a second");
            }
        }
    }

    @Test void severalShortPromptsAreReadInOneStep() throws Exception {
        try (var fakes = Fakes.endless(4096); var scheduler = BatchScheduler.start(fakes.model, settings(1024, 4096, 4, 4), () -> 0)) {
            var gate = gate(fakes);
            var first = scheduler.submit(greedy(2), NOBODY);
            while (fakes.steps.isEmpty()) Thread.sleep(1);
            var others = new ArrayList<Ticket>();
            for (int token = 1; token <= 3; token++) others.add(scheduler.submit(greedy(prompt(100, token), 1), NOBODY));
            gate.release(100);
            await(first);
            for (var ticket : others) await(ticket);
            assertEquals(List.of(1, 1 + 32, 256, 12), fakes.steps, "the third prompt begins in what the first two leave");
        }
    }

    @Test void requestsStartInTheOrderTheyCameAndTooManyAreRefused() throws Exception {
        try (var fakes = Fakes.endless(4096); var scheduler = BatchScheduler.start(fakes.model, settings(64, 256, 1, 2))) {
            var gate = gate(fakes);
            var order = Collections.synchronizedList(new ArrayList<Integer>());
            var tickets = new ArrayList<Ticket>();
            for (int i = 0; i < 3; i++) {
                int number = i;
                tickets.add(scheduler.submit(greedy(2), piece -> order.add(number)));
            }
            assertThrows(QueueFullException.class, () -> scheduler.submit(greedy(2), NOBODY));
            gate.release(100);
            for (var ticket : tickets) await(ticket);
            assertEquals(List.of(0, 0, 1, 1, 2, 2), order);
            await(scheduler.submit(greedy(2), NOBODY));
        }
    }

    @Test void clientsTakeTurnsAndAFloodOfOneRefusesNobodyElse() throws Exception {
        try (var fakes = Fakes.endless(4096); var scheduler = BatchScheduler.start(fakes.model, settings(64, 256, 1, 3))) {
            var gate = gate(fakes);
            var order = Collections.synchronizedList(new ArrayList<String>());
            var tickets = new ArrayList<Ticket>();
            for (var client : List.of("a", "a", "a", "a", "b", "b", "c")) {
                tickets.add(scheduler.submit(greedy(1).withClient(client), piece -> order.add(client)));
                while (fakes.steps.isEmpty()) Thread.sleep(1);                                    // the first of a runs, whatever comes
            }
            assertThrows(QueueFullException.class, () -> scheduler.submit(greedy(1).withClient("a"), NOBODY));
            gate.release(100);
            for (var ticket : tickets) await(ticket);
            assertEquals(List.of("a", "a", "b", "c", "a", "b", "a"), order, "one round of each client after the other");
        }
    }

    @Test void whoHasNothingRunningGoesBeforeWhoHas() {
        record Job(String client, int number) {}
        var queue = new FairQueue<Job>(Job::client);
        for (int i = 0; i < 6; i++) queue.add(new Job(i < 4 ? "a" : "b", i));
        queue.addFirst(new Job("a", -1));
        assertEquals(List.of(4, 5, -1, 0, 1, 2, 3), queue.inTurn(Map.of("a", 2)).stream().map(Job::number).toList());
        assertEquals(List.of(-1, 4, 0, 5, 1, 2, 3), queue.inTurn(Map.of()).stream().map(Job::number).toList());
        assertEquals(5, queue.sizeOf("a"));
    }

    @Test void aShortPromptDoesNotWaitForALongOne() throws Exception {
        try (var fakes = Fakes.endless(4096); var scheduler = BatchScheduler.start(fakes.model, settings(4096, 8192, 4, 4), () -> 0)) {
            var gate = gate(fakes);
            var ended = Collections.synchronizedList(new ArrayList<String>());
            var long0 = scheduler.submit(greedy(prompt(3000, 1), 1), piece -> ended.add("long"));
            while (fakes.steps.isEmpty()) Thread.sleep(1);
            var short0 = scheduler.submit(greedy(prompt(100, 2), 1), piece -> ended.add("short in step " + fakes.steps.size()));
            gate.release(100);
            await(long0);
            await(short0);
            assertEquals(List.of("short in step 2", "long"), ended, "it is read in the next step, beside the long one");
        }
        assertEquals("[20, 90, 146]", Arrays.toString(PrefillPace.shares(256, new int[] {20, 90, 3000})));
        assertEquals("[86, 85, 85]", Arrays.toString(PrefillPace.shares(256, new int[] {600, 600, 600})));
        assertEquals("[5, 0, 7]", Arrays.toString(PrefillPace.shares(256, new int[] {5, 0, 7})));
    }

    @Test void whatDoesNotFitYetLetsAFewOthersPassAndThenNobody() throws Exception {
        try (var fakes = Fakes.endless(4096); var scheduler = BatchScheduler.start(fakes.model, settings(640, 20 * 32, 2, 30))) {
            var gate = gate(fakes);
            var order = Collections.synchronizedList(new ArrayList<Integer>());
            var tickets = new ArrayList<Ticket>();
            tickets.add(scheduler.submit(greedy(prompt(20, 1), 40), NOBODY));
            while (fakes.steps.isEmpty()) Thread.sleep(1);
            tickets.add(scheduler.submit(greedy(prompt(19 * 32, 2), 1), piece -> order.add(-1)));       // its 20 pages are free when nothing else runs
            for (int i = 0; i < 20; i++) {
                int number = i;
                tickets.add(scheduler.submit(greedy(prompt(20, 3), 1), piece -> order.add(number)));
            }
            gate.release(1000);
            for (var ticket : tickets) await(ticket);
            assertEquals(List.of(0, 1, 2, 3, 4, 5, 6, 7, -1, 8), order.subList(0, 10));
        }
    }

    @Test void aPromptThatCanNeverFitIsRefusedAtOnce() {
        try (var fakes = Fakes.endless(4096); var scheduler = BatchScheduler.start(fakes.model, settings(64, 128, 2, 2))) {
            var refusal = assertThrows(ContextFullException.class, () -> scheduler.submit(greedy(prompt(64, 1), 2), NOBODY));
            assertEquals(64, refusal.contextLength());
            assertThrows(IllegalArgumentException.class, () -> settings(64, 63, 1, 1));
        }
    }

    @Test void cancelEndsWhatRunsAndWhatWaits() throws Exception {
        try (var fakes = Fakes.endless(4096); var scheduler = BatchScheduler.start(fakes.model, settings(64, 256, 1, 2))) {
            var gate = gate(fakes);
            var running = scheduler.submit(greedy(50), NOBODY);
            var waiting = scheduler.submit(greedy(50), NOBODY);
            while (fakes.steps.isEmpty()) Thread.sleep(1);
            waiting.cancel();
            gate.release(1);
            assertEquals(Finish.CANCELLED, await(waiting).finish());
            assertFalse(running.result().isDone());
            running.cancel();
            running.cancel();
            gate.release(1);
            assertEquals(Finish.CANCELLED, await(running).finish());
            assertEquals("a", await(running).text(), "nothing comes after the cancel");
        }
    }

    @Test void aFailedStepFailsItsRequestsAndTheNextOnesRun() throws Exception {
        try (var fakes = Fakes.endless(4096); var scheduler = BatchScheduler.start(fakes.model, settings(64, 256, 2, 2))) {
            fakes.beforeStep = step -> { if (step == 1) throw new UnsupportedOperationException("no such kernel"); };
            assertInstanceOf(UnsupportedOperationException.class, failure(scheduler.submit(greedy(5), NOBODY)));
            assertEquals("abc", await(scheduler.submit(greedy(3), NOBODY)).text());
        }
    }

    @Test void aFailureOfOneRequestLeavesTheOthersAlone() throws Exception {
        try (var fakes = Fakes.reciting("a", "b", "c", "d", "e").logitsAfter(3, Float.NaN);
             var scheduler = BatchScheduler.start(fakes.model, settings(64, 256, 4, 4))) {
            var gate = gate(fakes);
            var thrown = new IllegalStateException("reader gone");
            var callback = scheduler.submit(greedy(2), piece -> { throw thrown; });
            var broken = scheduler.submit(greedy(new int[] {3}, 2), NOBODY);
            var healthy = scheduler.submit(greedy(new int[] {4}, 2), NOBODY);
            gate.release(100);
            assertEquals(thrown, failure(callback));
            assertInstanceOf(ArithmeticException.class, failure(broken));
            assertEquals("e", await(healthy).text());
        }
    }

    @Test void closeCancelsEverythingAndEndsTheThread() throws Exception {
        try (var fakes = Fakes.endless(4096)) {
            var scheduler = BatchScheduler.start(fakes.model, settings(64, 256, 1, 2));
            var running = scheduler.submit(greedy(1_000_000), NOBODY);
            var waiting = scheduler.submit(greedy(1_000_000), NOBODY);
            scheduler.close();
            assertTrue(running.result().isDone() && waiting.result().isDone());
            assertEquals(Finish.CANCELLED, await(waiting).finish());
            assertThrows(IllegalStateException.class, () -> scheduler.submit(greedy(1), NOBODY));
            scheduler.close();
        }
    }

    @Test void closeMayBeCalledFromACallback() throws Exception {
        try (var fakes = Fakes.endless(4096); var scheduler = BatchScheduler.start(fakes.model, settings(64, 256, 1, 2))) {
            Runnable close = scheduler::close;
            assertEquals(Finish.CANCELLED, await(scheduler.submit(greedy(50), piece -> close.run())).finish());
        }
    }

    @Test void finishedSequencesAreTakenUpAgain() throws Exception {
        try (var fakes = Fakes.endless(4096); var scheduler = BatchScheduler.start(fakes.model, settings(256, 512, 2, 4))) {
            assertEquals(0, await(scheduler.submit(greedy(prompt(40, 1), 4), NOBODY)).cachedTokens());
            assertEquals(0, await(scheduler.submit(greedy(prompt(40, 2), 4), NOBODY)).cachedTokens());
            var longer = Arrays.copyOf(prompt(40, 1), 50);
            assertEquals(40, await(scheduler.submit(greedy(longer, 1), NOBODY)).cachedTokens());
            assertEquals(39, await(scheduler.submit(greedy(prompt(40, 2), 1), NOBODY)).cachedTokens(), "the last token runs for its logits");
            var unlike = await(scheduler.submit(greedy(new int[] {2, 5, 5, 5}, 1), NOBODY));
            assertEquals(0, unlike.cachedTokens(), "one token in common is not worth a kept conversation");
        }
    }

    @Test void keptSequencesGiveWayLeastRecentlyUsedFirst() throws Exception {
        try (var fakes = Fakes.endless(4096); var scheduler = BatchScheduler.start(fakes.model, settings(96, 3 * 32, 1, 4))) {
            for (int token = 1; token <= 3; token++) await(scheduler.submit(greedy(prompt(20, token), 1), NOBODY));
            await(scheduler.submit(greedy(prompt(20, 4), 1), NOBODY));                           // three pages: the first must go
            assertEquals(19, await(scheduler.submit(greedy(prompt(20, 2), 1), NOBODY)).cachedTokens());
            assertEquals(0, await(scheduler.submit(greedy(prompt(20, 1), 1), NOBODY)).cachedTokens());
        }
    }

    @Test void whereTheCacheIsFullTheYoungestAnswerEnds() throws Exception {
        try (var fakes = Fakes.endless(4096); var scheduler = BatchScheduler.start(fakes.model, settings(96, 3 * 32, 2, 2))) {
            var gate = gate(fakes);
            var older = scheduler.submit(greedy(prompt(20, 1), 70), NOBODY);
            var younger = scheduler.submit(greedy(prompt(20, 2), 70), NOBODY);
            gate.release(1000);
            var ended = await(younger);
            assertEquals(Finish.LENGTH, ended.finish());
            assertEquals(13, ended.tokens().length, "the older takes the third page for its 33rd token, so the younger ends with 20 + 13");
            assertEquals(70, await(older).tokens().length);
        }
    }

    @Test void aRequestThatHasNotWrittenYetWaitsAgainInstead() throws Exception {
        try (var fakes = Fakes.endless(4096); var scheduler = BatchScheduler.start(fakes.model, settings(640, 20 * 32, 2, 2))) {
            var gate = gate(fakes);
            var older = scheduler.submit(greedy(prompt(31, 1), 5), NOBODY);
            var younger = scheduler.submit(greedy(prompt(19 * 32 - 1, 2), 1), NOBODY);
            gate.release(1000);
            assertEquals("bcdef", await(older).text());
            assertEquals("c", await(younger).text());
        }
    }

    @Test void nothingIsLostUnderRandomLoad() throws Exception {
        var random = new Random(SEED);
        try (var fakes = Fakes.endless(4096); var scheduler = BatchScheduler.start(fakes.model, settings(160, 400, 5, 1000))) {
            var tickets = new ArrayList<Ticket>();
            for (int i = 0; i < 300; i++) {
                boolean throwing = random.nextInt(10) == 0;
                tickets.add(scheduler.submit(greedy(prompt(1 + random.nextInt(150), random.nextInt(26)), random.nextInt(40)),
                    piece -> { if (throwing && piece.tokens() == 3) throw new IllegalStateException("reader gone"); }));
                if (random.nextInt(4) == 0) tickets.get(random.nextInt(tickets.size())).cancel();
            }
            for (var ticket : tickets) {
                try {
                    var result = await(ticket);
                    assertEquals(result.tokens().length, result.text().length(), "seed " + SEED);
                } catch (ExecutionException e) {
                    assertEquals("reader gone", e.getCause().getMessage(), "seed " + SEED);
                }
            }
            assertEquals(400 / 32 + 1, scheduler.availablePages(), "every page is free or kept, seed " + SEED);
        }
    }
}
