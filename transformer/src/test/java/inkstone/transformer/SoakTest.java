package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.DType;
import inkstone.transformer.BatchScheduler.Settings;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/**
 * A day's traffic in ten seconds ({@code -Dinkstone.soak=600} for ten minutes): requests come and go at random, are cancelled, do not fit, have readers that fail. The
 * text of each is right, nothing is lost, memory stays flat and no page is in use at the end.
 */
class SoakTest {
    private static final long SECONDS = Long.getLong("inkstone.soak", 10), SEED = 17;
    private static final int CONTEXT = 256;

    private record Sent(int[] prompt, boolean failing, Ticket ticket) {}

    private final Random random = new Random(SEED);
    private final List<int[]> conversations = new ArrayList<>();
    private int finished, cancelled, failed, refused;

    @Test void aDayOfTraffic() throws InterruptedException {
        for (int i = 0; i < 5; i++) conversations.add(random.ints(1 + random.nextInt(150), 1, 27).toArray());
        long end = System.nanoTime() + SECONDS * 1_000_000_000, usedEarly = 0, usedLate = 0;
        int round = 0;
        try (var fakes = Fakes.remembering(CONTEXT)) {
            var scheduler = BatchScheduler.start(fakes.model, new Settings(CONTEXT, 900, DType.F32, 6, 20));
            for (; System.nanoTime() < end; round++) {
                wave(scheduler);
                fakes.steps.clear();
                if (round == 50) usedEarly = heap();
            }
            usedLate = heap();
            scheduler.close();
            assertEquals(0, scheduler.pagesInUse());
        }
        var told = "seed %d, %d rounds: %d finished, %d cancelled, %d failed, %d refused".formatted(SEED, round, finished, cancelled, failed, refused);
        assertTrue(round > 50 && finished > 100 && cancelled > 10 && failed > 10 && refused > 10, told);
        assertTrue(usedLate < usedEarly + (4 << 20), "the heap grew from %,d to %,d bytes; %s".formatted(usedEarly, usedLate, told));
    }

    private void wave(BatchScheduler scheduler) throws InterruptedException {
        var sent = new ArrayList<Sent>();
        for (int i = random.nextInt(30); i >= 0; i--) {
            var prompt = prompt();
            boolean failing = random.nextInt(20) == 0;
            try {
                sent.add(new Sent(prompt, failing, scheduler.submit(Fakes.greedy(prompt, random.nextInt(120)), piece -> {
                    if (failing) throw new IllegalStateException("reader gone");
                })));
            } catch (QueueFullException | ContextFullException full) {
                refused++;
            }
            if (!sent.isEmpty() && random.nextInt(6) == 0) sent.get(random.nextInt(sent.size())).ticket.cancel();
            if (random.nextInt(10) == 0) Thread.sleep(1);
        }
        for (var request : sent) check(request);
    }

    private int[] prompt() {
        var conversation = conversations.get(random.nextInt(conversations.size()));
        int kept = random.nextInt(conversation.length + 1), added = 1 + random.nextInt(130);
        var prompt = Arrays.copyOf(conversation, kept + added);
        for (int i = kept; i < prompt.length; i++) prompt[i] = 1 + random.nextInt(26);
        return prompt;
    }

    private void check(Sent request) {
        GenerationResult result;
        try {
            result = request.ticket.result().orTimeout(30, TimeUnit.SECONDS).join();
        } catch (CompletionException problem) {
            assertTrue(request.failing && "reader gone".equals(problem.getCause().getMessage()), () -> "seed " + SEED + ": " + problem.getCause());
            failed++;
            return;
        }
        assertArrayEquals(Fakes.remembered(request.prompt, result.tokens().length), result.tokens(), "seed " + SEED);
        if (result.finish() == GenerationResult.Finish.CANCELLED) cancelled++;
        else finished++;
    }

    private static long heap() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }
}
