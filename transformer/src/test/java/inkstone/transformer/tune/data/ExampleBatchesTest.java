package inkstone.transformer.tune.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.transformer.tune.data.ExampleBatches.Batch;
import inkstone.transformer.tune.data.ExampleBatches.Position;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ExampleBatchesTest {
    private static final long SEED = 7;

    /** Sequence i has the tokens 1000 i, 1000 i + 1, ...; the second half of each is learned. */
    private static ExampleSet examples(int count, int sequencesEach, int longest) {
        var random = new Random(SEED);
        var store = new TokenStore();
        for (int i = 0; i < count * sequencesEach; i++) {
            int length = 2 + random.nextInt(longest - 1), first = 1_000 * i;
            var learned = new boolean[length];
            Arrays.fill(learned, length / 2, length, true);
            store.add("test", new Example(IntStream.range(first, first + length).toArray(), learned));
        }
        return new ExampleSet(store, sequencesEach, IntStream.range(0, count).toArray(), false);
    }

    private static ArrayList<Batch> epoch(ExampleBatches batches) {
        var all = new ArrayList<Batch>();
        do all.add(batches.next()); while (batches.position().batch() < batches.batches());
        return all;
    }

    @Test void everyExampleComesWholeOnceInAnEpoch() {
        var examples = examples(5_000, 1, 60);
        var batches = new ExampleBatches(examples, 256, SEED, Position.START);
        for (int epoch = 0; epoch < 2; epoch++) {
            var seen = new HashSet<Integer>();
            long tokens = 0;
            for (var batch : epoch(batches)) {
                assertTrue(batch.tokens().length <= 256);
                int row = 0, learned = 0;
                for (int length : batch.lengths()) {
                    int sequence = batch.tokens()[row] / 1_000;
                    assertTrue(seen.add(sequence), "twice: " + sequence);
                    assertEquals(examples.length(sequence), length);
                    for (int t = 0; t < length; t++) {
                        assertEquals(1_000 * sequence + t, batch.tokens()[row + t]);
                        boolean target = t + 1 < length && t + 1 >= length / 2;
                        assertEquals(target ? 1_000 * sequence + t + 1 : -1, batch.targets()[row + t], "the target is the sequence's own next token");
                        if (target) learned++;
                    }
                    row += length;
                }
                assertEquals(batch.tokens().length, row);
                assertEquals(learned, batch.learned());
                tokens += row;
            }
            assertEquals(5_000, seen.size());
            assertEquals(examples.tokens(), tokens);
            assertTrue(tokens >= 0.97 * 256 * batches.batches(), "batches are full: " + tokens + " tokens in " + batches.batches());
        }
    }

    @Test void aRunGoesOnExactlyWhereItStood() {
        var examples = examples(300, 1, 40);
        var whole = new ExampleBatches(examples, 128, SEED, Position.START);
        for (int i = 0; i < 3 * whole.batches() / 2; i++) whole.next();
        var resumed = new ExampleBatches(examples, 128, SEED, whole.position());
        assertEquals(1, whole.position().epoch());
        for (int i = 0; i < 2 * whole.batches(); i++) {
            var expected = whole.next();
            var batch = resumed.next();
            assertArrayEquals(expected.tokens(), batch.tokens());
            assertArrayEquals(expected.lengths(), batch.lengths());
        }
    }

    @Test void epochsAndSeedsDiffer() {
        var examples = examples(300, 1, 40);
        var batches = new ExampleBatches(examples, 128, SEED, Position.START);
        var first = batches.batch(0);
        epoch(batches);
        batches.next();
        assertFalse(Arrays.equals(first.tokens(), batches.batch(0).tokens()));
        assertFalse(Arrays.equals(first.tokens(), new ExampleBatches(examples, 128, SEED + 1, Position.START).batch(0).tokens()));
    }

    @Test void pairsStayTogether() {
        var batches = new ExampleBatches(examples(200, 2, 30), 128, SEED, Position.START);
        for (var batch : epoch(batches)) {
            int row = 0;
            for (int i = 0; i < batch.lengths().length; row += batch.lengths()[i++]) {
                if (i % 2 == 1) assertEquals(1, batch.tokens()[row] / 1_000 % 2, "the rejected follows its chosen");
            }
            assertEquals(0, batch.lengths().length % 2);
        }
    }

    @Test void whatCannotBeIsRefused() {
        var examples = examples(10, 1, 40);
        assertTrue(assertThrows(IllegalArgumentException.class, () -> new ExampleBatches(examples, 8, SEED, Position.START)).getMessage().contains("a batch at most 8"));
        assertThrows(IllegalArgumentException.class, () -> new ExampleBatches(examples, 64, SEED, new Position(0, 1_000)));
        assertThrows(IllegalArgumentException.class, () -> new ExampleBatches(new ExampleSet(new TokenStore(), 1, new int[0], false), 64, SEED, Position.START));
    }
}
