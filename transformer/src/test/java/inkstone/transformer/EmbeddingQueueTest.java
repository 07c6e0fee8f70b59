package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.DType;
import inkstone.tokenizer.MarkedText;
import inkstone.transformer.BatchScheduler.Settings;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Vectors of texts, through the scheduler that runs them. The fake model's hidden state of token t is 10 at t + 1. */
@Timeout(20)
class EmbeddingQueueTest {
    private static BatchScheduler start(LanguageModel model, int context) { return BatchScheduler.start(model, new Settings(context, 2 * context, DType.F32, 2, 2)); }

    private static CompletableFuture<List<float[]>> submit(Scheduler scheduler, int tokens) { return scheduler.embed(List.of(new int[tokens]), Pooling.MEAN); }

    private static List<float[]> await(CompletableFuture<List<float[]>> vectors) throws Exception { return vectors.get(10, TimeUnit.SECONDS); }

    private static float[] vector(Scheduler scheduler, Pooling pooling, int... tokens) throws Exception { return await(scheduler.embed(List.of(tokens), pooling)).getFirst(); }

    @Test void hiddenStatesArePooledAndTheVectorHasLengthOne() throws Exception {
        try (var fakes = Fakes.reciting("a", "b"); var scheduler = start(fakes.model, 64)) {
            float half = (float) Math.sqrt(0.5);
            assertArrayEquals(new float[] {0, half, half, 0}, vector(scheduler, Pooling.MEAN, 0, 1), 1e-6f);
            assertArrayEquals(new float[] {0, 0, 1, 0}, vector(scheduler, Pooling.LAST, 0, 1), 1e-6f);
            assertArrayEquals(new float[] {0, 1, 0, 0}, vector(scheduler, Pooling.CLS, 0, 1), 1e-6f);
            double fifth = Math.sqrt(0.2);
            assertArrayEquals(new float[] {0, (float) (2 * fifth), (float) fifth, 0}, vector(scheduler, Pooling.MEAN, 0, 0, 1), 1e-6f);
        }
    }

    /** Nothing is known of the pace at first, so a pass takes up to 32 tokens while an answer is written; then it is known to be slow, and takes 16 or one text. */
    @Test void answersGoOnBetweenPassesThatTakeWhatFits() throws Exception {
        var time = new AtomicLong();
        try (var fakes = Fakes.endless(4096); var scheduler = BatchScheduler.start(fakes.model, new Settings(64, 128, DType.F32, 2, 2), time::get)) {
            var gate = new Semaphore(0);
            fakes.beforeStep = step -> {
                gate.acquireUninterruptibly();
                if (fakes.steps.getLast() > 1) time.addAndGet(1_000_000_000);
            };
            var answer = scheduler.submit(Fakes.greedy(4), piece -> { });
            while (fakes.steps.isEmpty()) Thread.sleep(1);
            var first = scheduler.embed(List.of(new int[10], new int[15], new int[50], new int[5]), Pooling.MEAN);
            var second = submit(scheduler, 20);
            assertThrows(QueueFullException.class, () -> submit(scheduler, 1));
            gate.release(100);
            assertEquals("abcd", answer.result().get(10, TimeUnit.SECONDS).text());
            assertEquals(4, await(first).size());
            await(second);
            assertEquals(List.of(1, 25, 1, 20, 1, 50, 1, 5), fakes.steps, "the second request comes before the rest of the first");
        }
    }

    @Test void aFailureIsThatOfItsRequestOnly() throws Exception {
        try (var fakes = Fakes.reciting("a", "b").logitsAfter(2, Float.NaN); var scheduler = start(fakes.model, 64)) {
            var gate = new Semaphore(0);
            fakes.beforeStep = step -> gate.acquireUninterruptibly();
            var first = submit(scheduler, 1);
            while (fakes.steps.isEmpty()) Thread.sleep(1);
            var broken = scheduler.embed(List.of(new int[] {0}, new int[] {2}), Pooling.MEAN);
            var whole = scheduler.embed(List.of(new int[] {0, 1}, new int[] {1}), Pooling.LAST);
            gate.release(100);
            await(first);
            assertInstanceOf(ArithmeticException.class, assertThrows(ExecutionException.class, () -> await(broken)).getCause());
            assertArrayEquals(new float[] {0, 0, 1, 0}, await(whole).get(1), 1e-6f);
            assertEquals(List.of(1, 5), fakes.steps, "both requests in one pass");
        }
    }

    @Test void aTextTakenBackIsNotRead() throws Exception {
        try (var fakes = Fakes.endless(4096); var scheduler = start(fakes.model, 64)) {
            var gate = new Semaphore(0);
            fakes.beforeStep = step -> gate.acquireUninterruptibly();
            var first = submit(scheduler, 10);
            while (fakes.steps.isEmpty()) Thread.sleep(1);
            var second = submit(scheduler, 20);
            second.cancel(false);
            var third = submit(scheduler, 30);
            gate.release(100);
            await(first);
            await(third);
            assertEquals(List.of(10, 30), fakes.steps);
        }
    }

    @Test void whatCannotBeReadIsRefused() throws Exception {
        try (var fakes = Fakes.reciting("a", "b").logitsAfter(2, Float.NaN); var scheduler = start(fakes.model, 8)) {
            assertThrows(IllegalArgumentException.class, () -> submit(scheduler, 0));
            assertThrows(IllegalArgumentException.class, () -> submit(scheduler, 9));
            assertThrows(IllegalArgumentException.class, () -> scheduler.embed(List.of(new int[] {4}), Pooling.MEAN));
            assertThrows(IllegalArgumentException.class, () -> scheduler.embed(List.of(new int[] {-1}), Pooling.MEAN));
            var broken = scheduler.embed(List.of(new int[] {2}), Pooling.MEAN);
            assertInstanceOf(ArithmeticException.class, assertThrows(ExecutionException.class, () -> await(broken)).getCause());
            assertThrows(IllegalArgumentException.class, () -> scheduler.embed(List.of(), Pooling.MEAN));
            assertEquals(4, await(submit(scheduler, 8)).getFirst().length);
        }
    }

    @Test void aClosedSchedulerFailsWhatWaits() throws Exception {
        try (var fakes = Fakes.endless(4096)) {
            var scheduler = start(fakes.model, 64);
            var gate = new Semaphore(0);
            fakes.beforeStep = step -> gate.acquireUninterruptibly();
            submit(scheduler, 1);
            while (fakes.steps.isEmpty()) Thread.sleep(1);
            var late = submit(scheduler, 1);
            var closing = Thread.ofVirtual().start(scheduler::close);
            while (closing.getState() != Thread.State.WAITING) Thread.sleep(1);
            gate.release(100);
            closing.join();
            assertThrows(ExecutionException.class, () -> await(late));
            assertThrows(IllegalStateException.class, () -> submit(scheduler, 1));
        }
    }

    @Test void aRealModelsVectorsAreTheSameTwiceAloneAndInACrowdAndNearForNearTexts() throws Exception {
        try (var backend = TestData.backend("cpu"); var model = Models.open(TestData.stories(), backend); var scheduler = BatchScheduler.start(model,
                new Settings(256, 512, DType.F32, 2, 8))) {
            var texts = List.of("Lily saw a big dog in the park.", "Tim saw a small dog in the garden.", "The rain fell and the boat sank.");
            var tokens = texts.stream().map(text -> model.tokenizer().encodePrompt(MarkedText.untrusted(text))).toList();
            var alone = new ArrayList<float[]>();
            for (var text : tokens) alone.add(vector(scheduler, Pooling.MEAN, text));
            assertArrayEquals(alone.getFirst(), vector(scheduler, Pooling.MEAN, tokens.getFirst()), "bit for bit");
            var crowd = await(scheduler.embed(tokens, Pooling.MEAN));
            for (int i = 0; i < texts.size(); i++) {
                /* More rows may take other matrix kernels, which add in another order. */
                assertArrayEquals(alone.get(i), crowd.get(i), 2e-6f);
                assertEquals(1, dot(alone.get(i), alone.get(i)), 1e-5);
            }
            assertTrue(dot(alone.get(0), alone.get(1)) > dot(alone.get(0), alone.get(2)), "two dogs are nearer than a dog and a boat");
            assertFalse(Arrays.equals(alone.get(0), alone.get(1)));
        }
    }

    private static double dot(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) sum += (double) a[i] * b[i];
        return sum;
    }
}
