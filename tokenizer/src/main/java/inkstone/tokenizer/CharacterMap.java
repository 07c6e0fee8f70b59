package inkstone.tokenizer;

import static java.nio.charset.StandardCharsets.UTF_8;

import inkstone.tensor.ModelException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayDeque;
import java.util.BitSet;

/**
 * Checks SentencePiece's precompiled character map (Kudo & Richardson 2018, arXiv:1808.06226): bytes of the trie, the trie as a double array of 32-bit units (Aoe 1989,
 * doi:10.1109/32.31365, in the layout of Darts-clone), and what its keys become, texts that each end in a zero. The engine follows its indices without a look and ends
 * the process where one leads outside, so everything that can be reached is looked at here.
 */
final class CharacterMap {
    /** The largest in use, NFKC with case folding, has 300 kB. */
    private static final int MOST_BYTES = 16 << 20;

    private CharacterMap() {}

    /** Throws where a map is not whole. */
    static void check(byte[] map) {
        var bytes = ByteBuffer.wrap(map).order(ByteOrder.LITTLE_ENDIAN);
        if (map.length < 8 || map.length > MOST_BYTES) throw wrong("has %d bytes", map.length);
        int trieBytes = bytes.getInt();
        if (trieBytes < 4 || trieBytes % 4 != 0 || trieBytes > map.length - 4) throw wrong("says that %d of its %d bytes are the trie", trieBytes, map.length);
        var units = new int[trieBytes / 4];
        bytes.asIntBuffer().get(units);
        var texts = ByteBuffer.wrap(map, 4 + trieBytes, map.length - 4 - trieBytes);
        try {
            UTF_8.newDecoder().decode(texts.duplicate());
        } catch (CharacterCodingException broken) {
            throw wrong("replaces by texts that are not UTF-8");
        }
        follow(units, texts.slice());
    }

    private static void follow(int[] units, ByteBuffer texts) {
        var seen = new BitSet(units.length);
        var waiting = new ArrayDeque<Integer>();
        waiting.add(offset(units[0]));
        while (!waiting.isEmpty()) {
            int base = waiting.poll();
            /* Children lie at base ^ byte, so one outside means that a byte leads outside. */
            if ((base | 0xFF) >= units.length) throw wrong("leads outside of its trie");
            if (seen.get(base)) continue;
            seen.set(base);
            for (int label = 1; label < 256; label++) {
                int unit = units[base ^ label];
                if (label(unit) != label) continue;
                int next = base ^ label ^ offset(unit);
                if (hasLeaf(unit)) requireText(units, next, texts);
                waiting.add(next);
            }
        }
    }

    private static void requireText(int[] units, int leaf, ByteBuffer texts) {
        if (leaf >= units.length) throw wrong("leads outside of its trie");
        int start = units[leaf] & 0x7FFFFFFF;
        if (start >= texts.limit() || (texts.get(start) & 0xC0) == 0x80) throw wrong("replaces by the text at %d, where none begins", start);
    }

    private static int offset(int unit) { return (unit >>> 10) << ((unit & 1 << 9) >>> 6); }
    private static int label(int unit) { return unit & (1 << 31 | 0xFF); }
    private static boolean hasLeaf(int unit) { return (unit & 1 << 8) != 0; }

    private static ModelException wrong(String message, Object... values) { return new ModelException("the character map " + message.formatted(values)); }
}
