package inkstone.tokenizer.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.tokenizer.ByteLevelVocabulary;
import inkstone.tokenizer.Texts;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.Tokenizers;
import inkstone.tokenizer.train.BpeTrainer.Progress;
import inkstone.tokenizer.train.BpeTrainer.Settings;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BpeTrainerTest {
    private static final long SEED = 20261126;
    private static final Progress SILENT = (stage, done, all) -> { };

    @TempDir private Path folder;

    private static Corpus corpus(String text) {
        var bytes = text.getBytes(StandardCharsets.UTF_8);
        return Corpus.of("text", Corpus.Format.TEXT, bytes.length, () -> new ByteArrayInputStream(bytes));
    }

    private static Settings settings(int size, String... special) {
        return new Settings(size, List.of(special), null, special.length == 0 ? null : special[0], 2);
    }

    private static ByteLevelVocabulary train(String text, Settings settings) throws IOException {
        return BpeTrainer.train(corpus(text), settings, SILENT, () -> false).vocabulary();
    }

    private Tokenizer open(ByteLevelVocabulary vocabulary) throws IOException {
        var json = folder.resolve("tokenizer.json");
        for (var written : List.of(json, folder.resolve("tokenizer_config.json"))) Files.deleteIfExists(written);
        vocabulary.write(json);
        return Tokenizers.fromJson(json);
    }

    private static String randomTexts(int count) {
        var random = new Random(SEED);
        var text = new StringBuilder();
        for (int i = 0; i < count; i++) text.append(Texts.random(random));
        return text.toString().replace(Chunk.SEPARATOR, "");
    }

    private static String shakespeare(int length) throws IOException {
        var file = Path.of(System.getProperty("inkstone.data", "data"), "text-small", "tinyshakespeare.txt");
        assumeTrue(Files.exists(file), "skipped: " + file.getFileName() + " is not in the data folder (system property inkstone.data)");
        return Files.readString(file).substring(0, length);
    }

    /* Few letters: ties at every step, overlaps such as aaa, words that become one piece. */
    @Test void mergesAreThoseOfThePaperTiesAsWell() throws IOException {
        var random = new Random(SEED);
        for (int n = 0; n < 200; n++) {
            var text = new StringBuilder();
            for (int words = 1 + random.nextInt(30); words > 0; words--) {
                for (int letters = 1 + random.nextInt(9); letters > 0; letters--) text.append((char) ('a' + random.nextInt(1 + n % 4)));
                text.append(random.nextInt(8) == 0 ? "\n" : " ");
            }
            var expected = NaiveBpe.merges(NaiveBpe.words(text.toString(), ByteLevelVocabulary.words()), 60);
            assertEquals(expected, train(text.toString(), settings(256 + 60)).merges(), "seed " + SEED + ", case " + n);
        }
    }

    @Test void mergesOfRandomUnicodeAreThoseOfThePaper() throws IOException {
        var text = randomTexts(150);
        var expected = NaiveBpe.merges(NaiveBpe.words(text, ByteLevelVocabulary.words()), 300);
        assertEquals(300, expected.size());
        assertEquals(expected, train(text, settings(256 + 300)).merges());
    }

    @Test void mergesOfShakespeareAreThoseOfThePaper() throws IOException {
        var text = shakespeare(30_000);
        assertEquals(NaiveBpe.merges(NaiveBpe.words(text, ByteLevelVocabulary.words()), 300), train(text, settings(256 + 300)).merges());
    }

    /* Shows at once that the engine cuts the same words as the training does, and that it merges in the same order. */
    @Test void theEngineEncodesAsTheMergesSay() throws IOException {
        var vocabulary = train(randomTexts(400) + shakespeare(40_000), settings(1_200));
        var words = ByteLevelVocabulary.words();
        try (var tokenizer = open(vocabulary)) {
            var random = new Random(SEED + 1);
            for (int n = 0; n < 300; n++) {
                var text = Texts.random(random);
                var expected = new ArrayList<Integer>();
                var matcher = words.matcher(text);
                while (matcher.find()) expected.addAll(NaiveBpe.encode(matcher.group(), vocabulary.merges()));
                assertArrayEquals(expected.stream().mapToInt(Integer::intValue).toArray(), tokenizer.encode(text, false), "seed " + (SEED + 1) + ", case " + n);
            }
        }
    }

    @Test void anyTextComesBack() throws IOException {
        try (var tokenizer = open(train("a small text of few letters, a small text", settings(280, "<|endoftext|>")))) {
            var random = new Random(SEED);
            for (int n = 0; n < 500; n++) {
                var text = Texts.random(random);
                assertEquals(text, tokenizer.decode(tokenizer.encode(text, false)), "seed " + SEED + ", case " + n);
            }
        }
    }

    @Test void specialTokensAreTheLastAndReadInTrustedTextOnly() throws IOException {
        var vocabulary = train("ab ab ab ab", new Settings(262, List.of("<|endoftext|>", "<|im_start|>", "<|im_end|>"), "<|im_start|>", "<|endoftext|>", 1));
        try (var tokenizer = open(vocabulary)) {
            assertEquals(vocabulary.size(), tokenizer.vocabularySize());
            assertEquals(vocabulary.pieces().size(), tokenizer.id("<|endoftext|>"));
            assertEquals(tokenizer.id("<|endoftext|>"), tokenizer.eos());
            assertEquals(tokenizer.id("<|im_start|>"), tokenizer.bos());
            assertTrue(tokenizer.addsBos() && !tokenizer.addsEos());
            assertTrue(tokenizer.endOfGeneration().contains(tokenizer.id("<|im_end|>")));
            assertEquals(1, tokenizer.encode("<|im_end|>", true).length);
            assertTrue(tokenizer.encode("<|im_end|>", false).length > 1);
        }
    }

    @Test void aTokenizerGoesToGgufAndBack() throws IOException {
        try (var tokenizer = open(train(randomTexts(300), settings(600, "<|endoftext|>")));
             var carried = Tokenizers.fromGguf(new Metadata("a.gguf", Tokenizers.toGguf(folder)))) {
            var random = new Random(SEED);
            for (int n = 0; n < 100; n++) {
                var text = Texts.random(random);
                assertArrayEquals(tokenizer.encode(text, false), carried.encode(text, false), "seed " + SEED + ", case " + n);
            }
            assertEquals(tokenizer.eos(), carried.eos());
        }
    }

    @Test void theNumberOfThreadsDoesNotMatter() throws IOException {
        var text = "The quick brown fox jumps over %d lazy dogs.\n";
        var many = new StringBuilder();
        for (int i = 0; many.length() < 3 << 20; i++) many.append(text.formatted(i * 7919L));
        var one = train(many.toString(), new Settings(700, List.of(), null, null, 1));
        assertEquals(one.toJson(), train(many.toString(), new Settings(700, List.of(), null, null, 3)).toJson());
    }

    @Test void digitsStandAlone() throws IOException {
        try (var tokenizer = open(train("1234 1234 1234 1234", settings(300)))) {
            assertEquals(4, tokenizer.encode("1234", false).length);
        }
    }

    @Test void fewPairsMakeAShortVocabulary() throws IOException {
        assertEquals(256 + 2, train("abc abc", settings(10_000)).pieces().size());
    }

    @Test void charactersBecomeTokensInTheOrderOfTheirCodePoints() throws IOException {
        var text = "b a\u00E9\u20ACa\uD83D\uDE80\nb";
        var vocabulary = BpeTrainer.characters(corpus(text), List.of(), null, null, SILENT, () -> false).vocabulary();
        try (var tokenizer = open(vocabulary)) {
            assertArrayEquals(new int[] {3, 1, 2, 4, 5, 2, 6, 0, 3}, tokenizer.encode(text, false));
            assertEquals(text, tokenizer.decode(tokenizer.encode(text, false)));
            assertEquals("ab", tokenizer.decode(tokenizer.encode("axb", false)), "what never occurred is dropped");
        }
    }

    @Test void charactersOfShakespeareAreNanoGpts() throws IOException {
        var text = shakespeare(1_115_394);
        var vocabulary = BpeTrainer.characters(corpus(text), List.of(), null, null, SILENT, () -> false).vocabulary();
        assertEquals(65, vocabulary.size());
        try (var tokenizer = open(vocabulary)) {
            var ids = tokenizer.encode(text.substring(0, 100_000), false);
            var sorted = text.chars().distinct().sorted().toArray();
            for (int i = 0; i < ids.length; i++) assertEquals(text.charAt(i), sorted[ids[i]]);
            assertEquals(100_000, ids.length);
        }
    }

    @Test void tooManyDifferentWordsLoseTheRarest() {
        var counts = new WordCounts(1_000);
        var words = ByteLevelVocabulary.words();
        for (int i = 0; i < 20_000; i++) counts.addText(" the" + " w" + Integer.toString(i, 36).replaceAll("[0-9]", "x"), words);
        assertTrue(counts.size() <= 1_000, counts.size() + " words");
        assertEquals(counts.total(), counts.forgotten() + total(counts));
        assertEquals(20_000, counts.count(0), "the most frequent word stays");
    }

    private static long total(WordCounts counts) {
        long total = 0;
        for (int i = 0; i < counts.size(); i++) total += counts.count(i);
        return total;
    }

    /* Each merge would rewrite all of such a word. */
    @Test void aWordWithoutEndDoesNotHoldTheTrainingUp() throws IOException {
        var random = new Random(SEED);
        var word = new StringBuilder();
        while (word.length() < 100_000) word.append((char) ('a' + random.nextInt(26)));
        assertEquals(1_000, train(word.toString(), settings(1_000)).size());
    }

    @Test void cancellingStopsBothStages() {
        assertThrows(CancellationException.class, () -> BpeTrainer.train(corpus("some text"), settings(300), SILENT, () -> true));
        var stage = new Progress.Stage[1];
        assertThrows(CancellationException.class, () -> BpeTrainer.train(corpus("some text, some text, some text"), settings(300), (at, done, all) -> stage[0] = at,
            () -> stage[0] == Progress.Stage.MERGING_PAIRS));
    }

    @Test void whatCannotWorkIsSaid() throws IOException {
        assertTrue(assertThrows(ModelException.class, () -> train("", settings(300))).getMessage().contains("no text"));
        assertTrue(assertThrows(IllegalArgumentException.class, () -> settings(256, "<s>")).getMessage().contains("257"));
        assertTrue(assertThrows(IllegalArgumentException.class, () -> settings(300, "<s>", "<s>")).getMessage().contains("differ"));
        assertTrue(assertThrows(IllegalArgumentException.class, () -> settings(300, " ")).getMessage().contains("empty"));
        assertTrue(assertThrows(IllegalArgumentException.class, () -> new Settings(300, List.of("<s>"), null, "</s>", 1)).getMessage().contains("</s>"));
        assertTrue(assertThrows(IllegalArgumentException.class, () -> train("the the", settings(300, "the"))).getMessage().contains("spelled"));
        var written = train("the the", settings(300, "<s>"));
        Files.writeString(folder.resolve("tokenizer_config.json"), "{}");
        assertThrows(FileAlreadyExistsException.class, () -> written.write(folder.resolve("tokenizer.json")));
        assertFalse(Files.exists(folder.resolve("tokenizer.json")));
    }
}
