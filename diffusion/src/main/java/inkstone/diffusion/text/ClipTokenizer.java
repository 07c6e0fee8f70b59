package inkstone.diffusion.text;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import java.util.zip.GZIPInputStream;

/**
 * Text to the 49,408 tokens of CLIP (Radford et al. 2021, arXiv:2103.00020): byte pair encoding (Sennrich et al. 2015, arXiv:1508.07909) of lower-case words, of which the last piece carries
 * an end mark. Checkpoints in one file carry no vocabulary, so the merges come with the program. Immutable; any thread may use it.
 */
public final class ClipTokenizer {
    /** Ends a text. */
    public static final int END = 49407;
    public static final int VOCABULARY = 49408;
    /** Rows of a text encoder: start, 75 tokens, end. */
    public static final int LENGTH = 77;

    private static final int START = 49406;
    private static final String MERGES = "clip-merges.txt.gz", WORD_END = "</w>";
    private static final int BYTES = 256, MERGE_COUNT = VOCABULARY - 2 - 2 * BYTES;
    /** Words kept, so that a prompt that changes by a word costs that word. */
    private static final int MOST_KEPT = 10_000;
    private static final Pattern WORDS = Pattern.compile("<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|\\p{L}+|\\p{N}|[^\\s\\p{L}\\p{N}]+", Pattern.UNICODE_CHARACTER_CLASS);

    /** Two pieces that become one. */
    private record Pair(String left, String right) {}

    private final Map<Pair, Integer> ranks = HashMap.newHashMap(MERGE_COUNT);
    private final Map<String, Integer> ids = HashMap.newHashMap(VOCABULARY);
    private final String[] characters = new String[BYTES];
    private final Map<String, int[]> words = new ConcurrentHashMap<>();

    /** With the merges of CLIP, a resource of the program. */
    public ClipTokenizer() {
        try (var stream = ClipTokenizer.class.getResourceAsStream(MERGES)) {
            read(new GZIPInputStream(stream));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void read(InputStream merges) throws IOException {
        byteCharacters();
        try (var lines = new BufferedReader(new InputStreamReader(merges, StandardCharsets.UTF_8))) {
            lines.readLine();                                                       // the version of the format
            for (int rank = 0; rank < MERGE_COUNT; rank++) {
                var line = lines.readLine();
                int space = line.indexOf(' ');
                var pair = new Pair(line.substring(0, space), line.substring(space + 1));
                ranks.put(pair, rank);
                ids.put(pair.left + pair.right, 2 * BYTES + rank);
            }
        }
        ids.put("<|startoftext|>", START);
        ids.put("<|endoftext|>", END);
    }

    /** Each byte as a printable character, as in GPT-2: printable ones of Latin-1 are themselves, and come first in the vocabulary; the others follow U+0100. */
    private void byteCharacters() {
        int next = 0, other = 0x100;
        for (int pass = 0; pass < 2; pass++) for (int b = 0; b < BYTES; b++) {
            boolean printable = b >= '!' && b <= '~' || b >= 161 && b <= 172 || b >= 174;
            if (printable != (pass == 0)) continue;
            characters[b] = String.valueOf((char) (printable ? b : other++));
            ids.put(characters[b], next);
            ids.put(characters[b] + WORD_END, BYTES + next++);
        }
    }

    /** Tokens of a text, without start and end, as many as there are. */
    public int[] encode(String text) {
        var tokens = new ArrayList<Integer>();
        var normal = Normalizer.normalize(text, Normalizer.Form.NFC).toLowerCase(Locale.ROOT);
        for (var matcher = WORDS.matcher(normal); matcher.find(); ) for (int token : word(matcher.group())) tokens.add(token);
        return tokens.stream().mapToInt(Integer::intValue).toArray();
    }

    private int[] word(String word) {
        if (word.equals("<|startoftext|>") || word.equals("<|endoftext|>")) return new int[] {ids.get(word)};
        if (words.size() > MOST_KEPT) words.clear();
        return words.computeIfAbsent(word, this::merged);
    }

    private int[] merged(String word) {
        var pieces = new ArrayList<String>();
        for (byte b : word.getBytes(StandardCharsets.UTF_8)) pieces.add(characters[b & 0xFF]);
        pieces.set(pieces.size() - 1, pieces.getLast() + WORD_END);
        while (pieces.size() > 1) {
            Pair best = null;
            for (int i = 0, lowest = Integer.MAX_VALUE; i + 1 < pieces.size(); i++) {
                var pair = new Pair(pieces.get(i), pieces.get(i + 1));
                int rank = ranks.getOrDefault(pair, Integer.MAX_VALUE);
                if (rank < lowest) {
                    lowest = rank;
                    best = pair;
                }
            }
            if (best == null) break;
            join(pieces, best);
        }
        return pieces.stream().mapToInt(ids::get).toArray();
    }

    /** Every place of the pair, from the left. */
    private static void join(List<String> pieces, Pair pair) {
        for (int i = 0; i + 1 < pieces.size(); i++) {
            if (!pieces.get(i).equals(pair.left) || !pieces.get(i + 1).equals(pair.right)) continue;
            pieces.set(i, pair.left + pair.right);
            pieces.remove(i + 1);
        }
    }
}
