package inkstone.transformer.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.ModelException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenFileTest {
    private static final long SEED = 20261126;

    @TempDir private Path folder;

    @Test void tokensAndDocumentsComeBack() throws IOException {
        for (int vocabulary : new int[] {300, 1 << 16, (1 << 16) + 1}) {
            int[] first = {0, 1, vocabulary - 1}, second = {vocabulary - 2}, third = {7, 7, 7};
            try (var file = Written.of(folder, vocabulary, first, second, third)) {
                assertEquals(vocabulary, file.vocabularySize());
                assertEquals(7, file.tokens());
                assertEquals(3, file.documents());
                assertArrayEquals(first, Written.tokens(file, 0));
                assertArrayEquals(second, Written.tokens(file, 1));
                assertArrayEquals(third, Written.tokens(file, 2));
                assertArrayEquals(Written.TOKENIZER, file.tokenizer());
                assertArrayEquals(Written.INPUTS, file.inputs());
            }
        }
    }

    @Test void everyByteThatIsCutOrChangedIsNoticed() throws IOException {
        Path path;
        try (var file = Written.of(folder, 300, new int[] {1, 2, 3}, new int[] {4, 5})) { path = file.path(); }
        var whole = Files.readAllBytes(path);
        for (int length = 0; length < whole.length; length++) refused(path, Arrays.copyOf(whole, length));
        refused(path, Arrays.copyOf(whole, whole.length + 1));
        for (int i = 0; i < whole.length; i++) {
            var changed = whole.clone();
            changed[i] ^= 1 << i % 8;
            refused(path, changed);
        }
    }

    private static String refused(Path path, byte[] bytes) throws IOException {
        Files.write(path, bytes);
        return assertThrows(ModelException.class, () -> TokenFile.open(path).close()).getMessage();
    }

    /* As a program with a mistake would write them: the checksum is right. */
    @Test void numbersThatCannotBeAreRefused() throws IOException {
        Path path;
        try (var file = Written.of(folder, 300, new int[] {1, 2, 3, 4}, new int[] {5, 6, 7, 8})) { path = file.path(); }
        var whole = Files.readAllBytes(path);
        assertTrue(refused(path, changed(whole, 8, 2)).contains("version 2"));
        assertTrue(refused(path, changed(whole, 12, 3)).contains("3 bytes a token"));
        assertTrue(refused(path, changed(whole, 16, 0)).contains("vocabulary of 0"));
        assertTrue(refused(path, changed(whole, 16, 6)).contains("token 6 in a vocabulary of 6"));
        assertTrue(refused(path, changed(whole, 128 + 16, 9)).contains("document 1 ends at token 8, after one that ends at 9"));
        assertTrue(refused(path, changed(whole, 128 + 24, 7)).contains("documents of 7 tokens"));
        assertTrue(refused(path, changed(whole, whole.length - 32, -1)).contains("not 4,294,967,295 tokens"));
        assertTrue(refused(path, changed(whole, whole.length - 24, 3)).contains("3 documents"));
    }

    private static byte[] changed(byte[] whole, int at, int value) {
        var bytes = ByteBuffer.wrap(whole.clone()).order(ByteOrder.LITTLE_ENDIAN).putInt(at, value);
        var checksum = new CRC32C();
        checksum.update(bytes.array(), 0, whole.length - 16);
        return bytes.putLong(whole.length - 16, checksum.getValue()).array();
    }

    @Test void manyDocumentsAreSplitByTheSeed() throws IOException {
        var random = new Random(SEED);
        var documents = new int[200][];
        for (int i = 0; i < documents.length; i++) documents[i] = random.ints(1 + random.nextInt(50), 0, 300).toArray();
        try (var file = Written.of(folder, 300, documents)) {
            var split = file.split(0.1, 1);
            assertEquals(200, split.training().count() + split.validation().count());
            assertEquals(file.tokens(), split.training().tokens() + split.validation().tokens());
            assertTrue(split.validation().tokens() >= file.tokens() / 10 && split.validation().tokens() < file.tokens() / 10 + 51, split.validation().tokens() + " of " + file.tokens());
            var starts = new HashSet<Long>();
            for (long start : split.training().starts()) starts.add(start);
            for (long start : split.validation().starts()) assertTrue(starts.add(start), "a document is in one part only");
            assertArrayEquals(split.validation().starts(), file.split(0.1, 1).validation().starts());
            assertFalse(Arrays.equals(split.validation().starts(), file.split(0.1, 2).validation().starts()));
            assertEquals(0, file.split(0, 1).validation().count());
            assertThrows(IllegalArgumentException.class, () -> file.split(0.6, 1));
            assertEquals(file.tokens() - 200, file.all().targets());
        }
    }

    @Test void fewDocumentsKeepTheirEndsBack() throws IOException {
        try (var file = Written.of(folder, 300, new int[100], new int[1], new int[10])) {
            var split = file.split(0.1, 1);
            assertArrayEquals(new long[] {0, 101}, split.training().starts());
            assertArrayEquals(new long[] {90, 110}, split.training().ends());
            assertArrayEquals(new long[] {90, 100, 110}, split.validation().starts());
            assertArrayEquals(new long[] {100, 101, 111}, split.validation().ends());
        }
    }
}
