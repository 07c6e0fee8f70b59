package inkstone.transformer.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.ModelException;
import inkstone.transformer.train.Batches.Source;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BatchesTest {
    private static final long SEED = 20261126;
    private static final int CONTEXT = 16, ROWS = 3, LARGE = 70_000;

    @TempDir private Path folder;

    private TokenFile random(String name) throws IOException {
        var random = new Random(SEED);
        return Written.of(folder, name, LARGE, Written.counting(random.ints(60, 1, 90).toArray()));
    }

    /* Tokens count on through all documents, so a target that is not the token after its own, or of another document, shows. */
    private static void assertWhole(TokenBatch batch, TokenFile file) {
        assertEquals(batch.tokens().length, Arrays.stream(batch.lengths()).sum());
        int at = 0;
        for (int length : batch.lengths()) {
            assertTrue(length >= 1 && length <= CONTEXT, length + " tokens");
            int document = document(file, batch.tokens()[at]);
            for (int i = 0; i < length; i++, at++) {
                assertEquals(batch.tokens()[at] + 1, batch.targets()[at]);
                if (i > 0) assertEquals(batch.tokens()[at - 1] + 1, batch.tokens()[at]);
                assertEquals(document, document(file, batch.targets()[at]));
            }
        }
    }

    private static int document(TokenFile file, int token) {
        int document = 0;
        while (file.end(document) <= token) document++;
        return document;
    }

    @Test void everyPassTakesEachTargetOnceAndNeverMixesDocuments() throws IOException {
        try (var file = random("a.bin")) {
            var batches = new PackedBatches(file.all(), CONTEXT, ROWS, SEED);
            int targets = (int) file.all().targets();
            var seen = new ArrayList<Integer>();
            while (seen.size() < 3 * targets) {
                var batch = batches.next();
                assertEquals(CONTEXT * ROWS, batch.tokens().length);
                assertWhole(batch, file);
                for (int target : batch.targets()) seen.add(target);
            }
            var expected = new HashSet<>(seen);
            assertEquals(targets, expected.size());
            for (int pass = 0; pass < 3; pass++) assertEquals(expected, Set.copyOf(seen.subList(pass * targets, (pass + 1) * targets)), "pass " + pass);
            assertFalse(seen.subList(0, targets).equals(seen.subList(targets, 2 * targets)), "each pass has its order");
            assertTrue(batches.epoch(0) >= 2);
        }
    }

    @Test void aRunThatGoesOnSeesTheSameBatches() throws IOException {
        try (var file = random("a.bin"); var other = random("b.bin")) {
            var mixed = List.of(new Source(file.all(), 3), new Source(other.all(), 1));
            for (Supplier<Batches> made : List.<Supplier<Batches>>of(() -> new PackedBatches(file.all(), CONTEXT, ROWS, SEED), () -> new PackedBatches(mixed, CONTEXT, ROWS, SEED),
                () -> new RandomWindows(file.all(), CONTEXT, ROWS, SEED), () -> new RandomWindows(mixed, CONTEXT, ROWS, SEED))) {
                var batches = made.get();
                for (int n = 0; n < 150; n++) {
                    var again = made.get();
                    again.seek(batches.position());
                    for (var same = again.next(); same != null; same = null) {
                        var batch = batches.next();
                        assertArrayEquals(batch.tokens(), same.tokens());
                        assertArrayEquals(batch.targets(), same.targets());
                        assertArrayEquals(batch.lengths(), same.lengths());
                    }
                    assertEquals(batches.position(), again.position());
                }
            }
        }
    }

    @Test void windowsOfOneBatchDoNotComeBackInTheNext() throws IOException {
        try (var file = random("a.bin")) {
            var batches = new RandomWindows(file.all(), CONTEXT, ROWS, SEED);
            Set<Integer> last = Set.of();
            int again = 0;
            for (int n = 0; n < 50; n++) {
                var tokens = batches.next().tokens();
                var starts = IntStream.range(0, ROWS).mapToObj(row -> tokens[row * CONTEXT]).collect(Collectors.toSet());
                for (int start : starts) if (last.contains(start)) again++;
                last = starts;
            }
            assertTrue(again < 10, again + " of 150 windows came back in the next batch");
        }
    }

    @Test void theSeedDecidesTheOrder() throws IOException {
        try (var file = random("a.bin")) {
            assertArrayEquals(new PackedBatches(file.all(), CONTEXT, ROWS, 1).next().tokens(), new PackedBatches(file.all(), CONTEXT, ROWS, 1).next().tokens());
            assertFalse(Arrays.equals(new PackedBatches(file.all(), CONTEXT, ROWS, 1).next().tokens(), new PackedBatches(file.all(), CONTEXT, ROWS, 2).next().tokens()));
            assertFalse(Arrays.equals(new RandomWindows(file.all(), CONTEXT, ROWS, 1).next().tokens(), new RandomWindows(file.all(), CONTEXT, ROWS, 2).next().tokens()));
        }
    }

    @Test void aPositionOfOtherDataOrSettingsIsRefused() throws IOException {
        try (var file = random("a.bin")) {
            var position = new PackedBatches(file.all(), CONTEXT, ROWS, SEED).position();
            for (var other : List.of(new PackedBatches(file.all(), CONTEXT, ROWS, 1), new PackedBatches(file.all(), CONTEXT + 1, ROWS, SEED), new RandomWindows(file.all(), CONTEXT, ROWS, SEED),
                new PackedBatches(file.split(0.1, 1).training(), CONTEXT, ROWS, SEED))) {
                assertTrue(assertThrows(ModelException.class, () -> other.seek(position)).getMessage().contains("other data"));
            }
            var same = new PackedBatches(file.all(), CONTEXT, ROWS, SEED);
            var mark = position.substring(0, 8);
            for (var damaged : List.of(position + ":1", mark + " 0:0:0:x", mark + " 0:0:99999:0", mark + " 0:0:0:99", mark + " 0:-1:0:0", mark + " 0:0")) {
                assertTrue(assertThrows(ModelException.class, () -> same.seek(damaged)).getMessage().contains("damaged"), damaged);
            }
            assertThrows(ModelException.class, () -> same.seek(""));
        }
    }

    @Test void sourcesAreMixedByTheirWeights() throws IOException {
        try (var file = random("a.bin"); var other = Written.of(folder, "small.bin", LARGE, new int[] {LARGE - 1, LARGE - 1, LARGE - 1, LARGE - 1})) {
            var mixed = List.of(new Source(file.all(), 1), new Source(other.all(), 3));
            for (var batches : List.of(new PackedBatches(mixed, CONTEXT, ROWS, SEED), new RandomWindows(mixed, 3, 16, SEED))) {
                long small = 0, all = 0;
                for (int n = 0; n < 100; n++) {
                    var batch = batches.next();
                    small += Arrays.stream(batch.tokens()).filter(token -> token == LARGE - 1).count();
                    all += batch.tokens().length;
                    assertEquals(0.75, (double) small / all, CONTEXT / (double) all + 1e-9, "after batch " + n);
                }
            }
        }
    }

    @Test void windowsAreOfAnyPlaceAndRunAcrossDocuments() throws IOException {
        try (var file = Written.of(folder, LARGE, Written.counting(5, 1, 30, 7))) {
            var windows = new RandomWindows(file.all(), 8, 4, SEED);
            var starts = new HashSet<Integer>();
            for (int n = 0; n < 200; n++) {
                var batch = windows.next();
                assertArrayEquals(new int[] {8, 8, 8, 8}, batch.lengths());
                for (int i = 0; i < batch.tokens().length; i++) assertEquals(batch.tokens()[i - i % 8] + i % 8, batch.tokens()[i]);
                for (int i = 0; i < batch.tokens().length; i++) assertEquals(batch.tokens()[i] + 1, batch.targets()[i]);
                for (int row = 0; row < 4; row++) starts.add(batch.tokens()[8 * row]);
            }
            assertEquals(IntStream.range(0, 43 - 8).boxed().collect(Collectors.toSet()), starts, "every window is drawn");
        }
    }

    @Test void evaluationSeesEachTargetOnce() throws IOException {
        try (var file = random("a.bin")) {
            int seen = 0, last = -1;
            for (var batch : PackedBatches.inOrder(file.all(), CONTEXT, ROWS, Integer.MAX_VALUE)) {
                assertWhole(batch, file);
                assertTrue(batch.tokens().length <= CONTEXT * ROWS);
                seen += batch.tokens().length;
                for (int target : batch.targets()) assertTrue(target > last, "in order");
                last = batch.targets()[batch.tokens().length - 1];
            }
            assertEquals(file.all().targets(), seen);
            assertEquals(2, PackedBatches.inOrder(file.all(), CONTEXT, ROWS, 2).size());
        }
    }

    @Test void tooLittleToLearnFromIsSaid() throws IOException {
        try (var file = Written.of(folder, LARGE, new int[1], new int[1])) {
            assertTrue(assertThrows(ModelException.class, () -> new PackedBatches(file.all(), 8, 1, 1)).getMessage().contains("no document of two tokens"));
            assertTrue(assertThrows(ModelException.class, () -> PackedBatches.inOrder(file.all(), 8, 1, 1)).getMessage().contains("no document of two tokens"));
            assertTrue(assertThrows(ModelException.class, () -> new RandomWindows(file.all(), 2, 1, 1)).getMessage().contains("has 2 tokens"));
            assertThrows(IllegalArgumentException.class, () -> new PackedBatches(List.of(), 8, 1, 1));
            assertThrows(IllegalArgumentException.class, () -> new PackedBatches(file.all(), 0, 1, 1));
            assertThrows(IllegalArgumentException.class, () -> new PackedBatches(List.of(new Source(file.all(), 0)), 8, 1, 1));
        }
        try (var file = Written.of(folder, LARGE, new int[] {3, 4})) {
            var batch = new PackedBatches(file.all(), 8, 1, 1).next();
            assertArrayEquals(new int[] {1, 1, 1, 1, 1, 1, 1, 1}, batch.lengths(), "what is little comes again and again");
        }
    }
}
