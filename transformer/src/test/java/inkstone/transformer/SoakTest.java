package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.DType;
import inkstone.transformer.BatchScheduler.Settings;
import inkstone.transformer.grammar.Grammars;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/**
 * A day's traffic in ten seconds ({@code -Dinkstone.soak=600} for ten minutes): requests of several clients come and go at random, some held to a grammar, are cancelled,
 * do not fit, have readers that fail; texts are embedded between them; answers are guessed ahead by a draft model that errs, and by look-up. The text of each is right,
 * nothing is lost, memory stays flat and no page is in use at the end.
 */
class SoakTest {
    private static final long SECONDS = Long.getLong("inkstone.soak", 10), SEED = 17;
    private static final int CONTEXT = 256, LAST_ALLOWED = 13;

    private record Sent(int[] prompt, boolean failing, boolean constrained, Ticket ticket) {}

    private record Embedding(int[] text, CompletableFuture<List<float[]>> vectors) {}

    private final Random random = new Random(SEED);
    private final List<int[]> conversations = new ArrayList<>();
    private int finished, cancelled, failed, tooLong, queueFull, embedded, constrained;
    private Guesses guesses = Guesses.NONE;
    private Grammars grammars;

    @Test void aDayOfTraffic() throws InterruptedException {
        for (int i = 0; i < 5; i++) conversations.add(random.ints(1 + random.nextInt(150), 1, i == 0 ? 3 : 27).toArray());
        long end = System.nanoTime() + SECONDS * 1_000_000_000, usedEarly = 0, usedLate = 0;
        int round = 0;
        var ticks = new AtomicLong();                                                     // all steps take the same time, so every guess is worth making
        try (var fakes = Fakes.remembering(CONTEXT); var small = Fakes.misremembering(CONTEXT, 6)) {
            grammars = new Grammars(fakes.model.tokenizer());
            var schedulers = new ArrayList<BatchScheduler>();
            for (var speculation : List.of(new Speculation(5, small.model), Speculation.lookup(5))) {
                schedulers.add(BatchScheduler.start(fakes.model, new Settings(CONTEXT, 900, DType.F32, 6, 20, speculation), () -> ticks.addAndGet(1_000)));
            }
            for (; System.nanoTime() < end; round++) {
                wave(schedulers.get(round % 2));
                fakes.steps.clear();
                small.steps.clear();
                if (round == 50) usedEarly = heap();
            }
            usedLate = heap();
            for (var scheduler : schedulers) {
                scheduler.close();
                assertEquals(0, scheduler.pagesInUse());
            }
        }
        var told = ("seed %d, %d rounds: %d finished, %d of all held to a grammar, %d cancelled, %d failed, %d longer than the context, %d not let into the queue, %d embedded, "
            + "%d of %d guesses right; heap %,d KiB early, %,d KiB late, no page in use at the end").formatted(SEED, round, finished, constrained, cancelled, failed, tooLong,
            queueFull, embedded, guesses.right(), guesses.made(), usedEarly >> 10, usedLate >> 10);
        System.out.println(told);
        assertTrue(round > 50 && finished > 100 && constrained > 10 && cancelled > 10 && failed > 10 && tooLong > 10 && queueFull > 0 && embedded > 10, told);
        assertTrue(guesses.right() > 1_000 && guesses.right() < guesses.made(), told);
        assertTrue(usedLate < usedEarly + (4 << 20), "the heap grew; " + told);
    }

    private void wave(BatchScheduler scheduler) throws InterruptedException {
        var sent = new ArrayList<Sent>();
        var embeddings = new ArrayList<Embedding>();
        for (int i = random.nextInt(60); i >= 0; i--) {
            try {
                if (random.nextInt(10) == 0) {
                    var text = random.ints(1 + random.nextInt(CONTEXT), 1, 27).toArray();
                    embeddings.add(new Embedding(text, scheduler.embed(List.of(text), Pooling.LAST)));
                } else {
                    sent.add(submit(scheduler));
                }
            } catch (ContextFullException full) {
                tooLong++;
            } catch (QueueFullException full) {
                queueFull++;
            }
            if (!sent.isEmpty() && random.nextInt(6) == 0) sent.get(random.nextInt(sent.size())).ticket.cancel();
            if (random.nextInt(20) == 0) Thread.sleep(1);
        }
        for (var request : sent) check(request);
        for (var each : embeddings) {
            var expected = new float[Fakes.Rememberer.VOCABULARY];
            expected[Fakes.remembered(each.text, 1)[0]] = 1;
            assertArrayEquals(expected, each.vectors.orTimeout(30, TimeUnit.SECONDS).join().getFirst(), "seed " + SEED);
            embedded++;
        }
    }

    private Sent submit(BatchScheduler scheduler) {
        var prompt = prompt();
        boolean failing = random.nextInt(20) == 0, held = random.nextInt(5) == 0;
        var request = Fakes.greedy(prompt, random.nextInt(120)).withClient("client " + random.nextInt(3) / 2);
        if (held) request = request.withConstraint(() -> grammars.gbnf("root ::= [a-m]+"));
        return new Sent(prompt, failing, held, scheduler.submit(request, piece -> {
            if (failing) throw new IllegalStateException("reader gone");
        }));
    }

    private int[] prompt() {
        var conversation = conversations.get(random.nextInt(conversations.size()));
        int kept = random.nextInt(conversation.length + 1), added = 1 + random.nextInt(130) + (random.nextInt(15) == 0 ? 150 : 0);
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
        assertArrayEquals(Fakes.remembered(request.prompt, result.tokens().length, request.constrained ? LAST_ALLOWED : 26), result.tokens(), "seed " + SEED);
        guesses = guesses.plus(result.guesses());
        if (request.constrained) constrained++;
        if (result.finish() == GenerationResult.Finish.CANCELLED) cancelled++;
        else finished++;
    }

    private static long heap() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }
}
