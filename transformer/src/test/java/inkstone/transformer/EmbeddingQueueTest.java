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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Vectors of texts, through the scheduler that runs them. The fake model's hidden state of token t is 10 at t + 1. */
@Timeout(20)
class EmbeddingQueueTest {
    private static BatchScheduler start(LanguageModel model, int context) { return BatchScheduler.start(model, new Settings(context, 2 * context, DType.F32, 2, 2)); }

    private static float[] await(CompletableFuture<float[]> vector) throws Exception { return vector.get(10, TimeUnit.SECONDS); }

    @Test void hiddenStatesArePooledAndTheVectorHasLengthOne() throws Exception {
        try (var fakes = Fakes.reciting("a", "b"); var scheduler = start(fakes.model, 64)) {
            float half = (float) Math.sqrt(0.5);
            assertArrayEquals(new float[] {0, half, half, 0}, await(scheduler.embed(new int[] {0, 1}, Pooling.MEAN)), 1e-6f);
            assertArrayEquals(new float[] {0, 0, 1, 0}, await(scheduler.embed(new int[] {0, 1}, Pooling.LAST)), 1e-6f);
            assertArrayEquals(new float[] {0, 1, 0, 0}, await(scheduler.embed(new int[] {0, 1}, Pooling.CLS)), 1e-6f);
            double fifth = Math.sqrt(0.2);
            assertArrayEquals(new float[] {0, (float) (2 * fifth), (float) fifth, 0}, await(scheduler.embed(new int[] {0, 0, 1}, Pooling.MEAN)), 1e-6f);
        }
    }

    @Test void answersGoOnBetweenTexts() throws Exception {
        try (var fakes = Fakes.endless(4096); var scheduler = start(fakes.model, 64)) {
            var gate = new Semaphore(0);
            fakes.beforeStep = step -> gate.acquireUninterruptibly();
            var answer = scheduler.submit(Fakes.greedy(4), piece -> { });
            while (fakes.steps.isEmpty()) Thread.sleep(1);
            var first = scheduler.embed(new int[10], Pooling.MEAN);
            var second = scheduler.embed(new int[20], Pooling.MEAN);
            assertThrows(QueueFullException.class, () -> scheduler.embed(new int[1], Pooling.MEAN));
            gate.release(100);
            assertEquals("abcd", answer.result().get(10, TimeUnit.SECONDS).text());
            await(first);
            await(second);
            assertEquals(List.of(1, 10, 1, 20, 1, 1), fakes.steps);
        }
    }

    @Test void aTextTakenBackIsNotRead() throws Exception {
        try (var fakes = Fakes.endless(4096); var scheduler = start(fakes.model, 64)) {
            var gate = new Semaphore(0);
            fakes.beforeStep = step -> gate.acquireUninterruptibly();
            var first = scheduler.embed(new int[10], Pooling.MEAN);
            while (fakes.steps.isEmpty()) Thread.sleep(1);
            var second = scheduler.embed(new int[20], Pooling.MEAN);
            second.cancel(false);
            var third = scheduler.embed(new int[30], Pooling.MEAN);
            gate.release(100);
            await(first);
            await(third);
            assertEquals(List.of(10, 30), fakes.steps);
        }
    }

    @Test void whatCannotBeReadIsRefusedAndAFailureIsItsOwnOnly() throws Exception {
        try (var fakes = Fakes.reciting("a", "b").logitsAfter(2, Float.NaN); var scheduler = start(fakes.model, 8)) {
            assertThrows(IllegalArgumentException.class, () -> scheduler.embed(new int[0], Pooling.MEAN));
            assertThrows(IllegalArgumentException.class, () -> scheduler.embed(new int[9], Pooling.MEAN));
            assertThrows(IllegalArgumentException.class, () -> scheduler.embed(new int[] {4}, Pooling.MEAN));
            assertThrows(IllegalArgumentException.class, () -> scheduler.embed(new int[] {-1}, Pooling.MEAN));
            var broken = scheduler.embed(new int[] {2}, Pooling.MEAN);
            assertInstanceOf(ArithmeticException.class, assertThrows(ExecutionException.class, () -> await(broken)).getCause());
            assertEquals(4, await(scheduler.embed(new int[8], Pooling.MEAN)).length);
        }
    }

    @Test void aClosedSchedulerFailsWhatWaits() throws Exception {
        try (var fakes = Fakes.endless(4096)) {
            var scheduler = start(fakes.model, 64);
            var gate = new Semaphore(0);
            fakes.beforeStep = step -> gate.acquireUninterruptibly();
            scheduler.embed(new int[1], Pooling.MEAN);
            while (fakes.steps.isEmpty()) Thread.sleep(1);
            var late = scheduler.embed(new int[1], Pooling.MEAN);
            var closing = Thread.ofVirtual().start(scheduler::close);
            while (closing.getState() != Thread.State.WAITING) Thread.sleep(1);
            gate.release(100);
            closing.join();
            assertThrows(ExecutionException.class, () -> await(late));
            assertThrows(IllegalStateException.class, () -> scheduler.embed(new int[1], Pooling.MEAN));
        }
    }

    @Test void aRealModelsVectorsAreTheSameTwiceAloneAndInACrowdAndNearForNearTexts() throws Exception {
        try (var backend = TestData.backend("cpu"); var model = Models.open(TestData.stories(), backend); var scheduler = BatchScheduler.start(model,
                new Settings(256, 512, DType.F32, 2, 8))) {
            var texts = List.of("Lily saw a big dog in the park.", "Tim saw a small dog in the garden.", "The rain fell and the boat sank.");
            var alone = new ArrayList<float[]>();
            for (var text : texts) alone.add(await(scheduler.embed(model.tokenizer().encodePrompt(MarkedText.untrusted(text)), Pooling.MEAN)));
            var crowd = texts.stream().map(text -> scheduler.embed(model.tokenizer().encodePrompt(MarkedText.untrusted(text)), Pooling.MEAN)).toList();
            for (int i = 0; i < texts.size(); i++) {
                assertArrayEquals(alone.get(i), await(crowd.get(i)), "bit for bit");
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
