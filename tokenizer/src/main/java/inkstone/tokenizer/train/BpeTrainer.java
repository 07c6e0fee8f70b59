package inkstone.tokenizer.train;

import inkstone.tensor.ModelException;
import inkstone.tokenizer.ByteLevelVocabulary;
import inkstone.tokenizer.ByteLevelVocabulary.Merge;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;

/**
 * Makes a tokenizer of texts: byte-level byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909; of bytes: Radford et al. 2019, GPT-2), or one token for each character.
 * Words are counted on several threads, then pairs are merged on one. The same texts give the same tokenizer, whatever the number of threads. Memory does not grow with
 * the texts but with the number of different words, of which {@value WordCounts#MOST_WORDS} are kept. Of chats the messages are read, not the template around them.
 */
public final class BpeTrainer {
    /** The bytes, which every vocabulary holds, so that any text can be encoded. */
    public static final int BYTES = 256;
    /** No model known has more; a file that would ask for more is a slip of the keyboard. */
    public static final int LARGEST_VOCABULARY = 1 << 20;

    /**
     * @param vocabularySize tokens, special ones included; fewer come out where no pair occurs twice any more
     * @param special control tokens, whose ids are the last
     * @param bos     the one of them that begins every text, or null
     * @param eos     the one of them that ends a text, or null
     */
    public record Settings(int vocabularySize, List<String> special, String bos, String eos, int threads) {
        /** @throws IllegalArgumentException where these do not go together */
        public Settings {
            special = List.copyOf(special);
            ByteLevelVocabulary.requireSpecial(special, bos, eos);
            int least = BYTES + special.size();
            if (vocabularySize < least || vocabularySize > LARGEST_VOCABULARY) {
                throw new IllegalArgumentException("the vocabulary should have %d (the bytes and the special tokens) to %d tokens, got %d".formatted(least, LARGEST_VOCABULARY, vocabularySize));
            }
        }
    }

    /** Told on the calling thread. */
    public interface Progress {
        enum Stage { READING_BYTES, MERGING_PAIRS }

        void at(Stage stage, long done, long all);
    }

    /**
     * @param bytes     of text that were read, unpacked
     * @param words     in them
     * @param different words, those forgotten not among them
     * @param forgotten words that were not counted in the end, as they were the rarest of too many
     * @param problems  rows of JSON that were passed over
     */
    public record Trained(ByteLevelVocabulary vocabulary, long bytes, long words, long different, long forgotten, Problems problems) {}

    private record Counted(WordCounts words, Problems problems) {}

    private BpeTrainer() {}

    /**
     * @param cancelled looked at between chunks of text and between merges
     * @throws ModelException        where the texts are empty or not UTF-8
     * @throws CancellationException when cancelled
     */
    public static Trained train(Corpus corpus, Settings settings, Progress progress, BooleanSupplier cancelled) throws IOException {
        var words = new WordCounts();
        var problems = new Problems();
        var pattern = ByteLevelVocabulary.words();
        long[] bytes = {0};
        try (var counting = new InOrder<Counted>(settings.threads, counted -> {
            words.addAll(counted.words);
            problems.addAll(counted.problems);
        })) {
            corpus.read(cancelled, (chunk, read) -> {
                bytes[0] += chunk.bytes().length;
                counting.submit(() -> {
                    var counted = new Counted(new WordCounts(), new Problems());
                    for (var text : texts(chunk.documents(counted.problems::add))) counted.words.addText(text, pattern);
                    return counted;
                });
                progress.at(Progress.Stage.READING_BYTES, read, corpus.bytes());
            });
            counting.finish();
        }
        if (words.total() == 0) throw noText(problems);
        return new Trained(vocabulary(words, settings, progress, cancelled), bytes[0], words.total(), words.size(), words.forgotten(), problems);
    }

    private static ByteLevelVocabulary vocabulary(WordCounts words, Settings settings, Progress progress, BooleanSupplier cancelled) {
        var pieces = new ArrayList<byte[]>();
        var identity = new int[BYTES];
        for (int b = 0; b < BYTES; b++) {
            pieces.add(new byte[] {(byte) b});
            identity[b] = b;
        }
        var merges = new ArrayList<Merge>();
        int most = settings.vocabularySize - BYTES - settings.special.size();
        var merger = new PairMerger(words, identity, BYTES);
        while (merges.size() < most) {
            Corpus.requireWanted(cancelled);
            var merge = merger.next();
            if (merge == null) break;
            merges.add(merge);
            pieces.add(joined(pieces.get(merge.left()), pieces.get(merge.right())));
            progress.at(Progress.Stage.MERGING_PAIRS, merges.size(), most);
        }
        return new ByteLevelVocabulary(pieces, merges, settings.special, settings.bos, settings.eos);
    }

    private static ModelException noText(Problems problems) {
        var found = problems.count() == 0 ? "" : "; first of %d rows passed over: %s".formatted(problems.count(), problems.first().getFirst());
        return new ModelException("there is no text in these files to learn from" + found);
    }

    /** What people and models wrote in these documents. */
    private static List<String> texts(List<Document> documents) {
        var texts = new ArrayList<String>();
        for (var document : documents) {
            switch (document) {
                case Document.Text text -> texts.add(text.text());
                case Document.Chat chat -> {
                    for (var message : chat.messages()) {
                        if (message.get("content") instanceof String text) texts.add(text);
                        else if (message.get("content") instanceof List<?> parts) {
                            for (var part : parts) if (part instanceof Map<?, ?> map && map.get("text") instanceof String text) texts.add(text);
                        }
                    }
                }
            }
        }
        return texts;
    }

    /**
     * One token for each character that occurs, in the order of their code points; other characters cannot be encoded and are dropped. A character of several bytes is merged of
     * them, so the bytes and what comes between take ids as well, after the characters'.
     *
     * @throws ModelException        where the texts are empty or not UTF-8, or have more characters than a vocabulary holds
     * @throws CancellationException when cancelled
     */
    public static Trained characters(Corpus corpus, List<String> special, String bos, String eos, Progress progress, BooleanSupplier cancelled) throws IOException {
        ByteLevelVocabulary.requireSpecial(special, bos, eos);
        var characters = new BitSet();
        var problems = new Problems();
        long[] counted = {0, 0};
        corpus.read(cancelled, (chunk, read) -> {
            counted[0] += chunk.bytes().length;
            for (var text : texts(chunk.documents(problems::add))) {
                text.codePoints().forEach(code -> characters.set(code >= Character.MIN_SURROGATE && code <= Character.MAX_SURROGATE ? 0xFFFD : code));
                counted[1] += text.length();
            }
            progress.at(Progress.Stage.READING_BYTES, read, corpus.bytes());
        });
        if (characters.isEmpty()) throw noText(problems);
        return new Trained(ofCharacters(characters, special, bos, eos), counted[0], counted[1], characters.cardinality(), 0, problems);
    }

    private static ByteLevelVocabulary ofCharacters(BitSet characters, List<String> special, String bos, String eos) {
        var pieces = new ArrayList<byte[]>();
        var ids = new HashMap<String, Integer>();
        characters.stream().forEach(code -> put(Character.toString(code).getBytes(StandardCharsets.UTF_8), pieces, ids));
        var merges = new LinkedHashSet<Merge>();
        for (int code : characters.stream().toArray()) {
            var bytes = Character.toString(code).getBytes(StandardCharsets.UTF_8);
            for (int length = 2; length <= bytes.length; length++) {
                int left = put(Arrays.copyOf(bytes, length - 1), pieces, ids), right = put(new byte[] {bytes[length - 1]}, pieces, ids);
                put(Arrays.copyOf(bytes, length), pieces, ids);
                merges.add(new Merge(left, right));
            }
        }
        return new ByteLevelVocabulary(pieces, List.copyOf(merges), special, bos, eos);
    }

    private static int put(byte[] piece, List<byte[]> pieces, Map<String, Integer> ids) {
        return ids.computeIfAbsent(new String(piece, StandardCharsets.ISO_8859_1), absent -> {
            pieces.add(piece);
            return pieces.size() - 1;
        });
    }

    private static byte[] joined(byte[] left, byte[] right) {
        var both = new byte[left.length + right.length];
        System.arraycopy(left, 0, both, 0, left.length);
        System.arraycopy(right, 0, both, left.length, right.length);
        return both;
    }
}
