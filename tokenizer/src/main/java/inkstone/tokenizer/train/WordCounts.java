package inkstone.tokenizer.train;

import java.util.Arrays;
import java.util.regex.Pattern;

/**
 * How often each word of a text occurs, words as bytes of UTF-8. An open hash table over one array of bytes: about 40 bytes a word. One thread.
 * Words of more than {@value #LONGEST} bytes count as several, as no pair would merge so far and each merge would rewrite all of them.
 */
final class WordCounts {
    static final int LONGEST = 252;
    /** As many different words are kept at most: 0.7 GB of memory while pairs are merged, with words of 10 bytes. Where texts have more, those that are rarest are forgotten. */
    static final int MOST_WORDS = 4_000_000;

    private static final int MOST_BYTES = 256 << 20;

    private final int mostWords;
    private int size;
    private byte[] bytes = new byte[1 << 12];
    private int[] starts = new int[1 << 9];
    private long[] counts = new long[1 << 9];
    private int[] table = new int[1 << 10];
    private byte[] word = new byte[LONGEST + 4];
    private long total, forgotten;

    WordCounts() { this(MOST_WORDS); }

    WordCounts(int mostWords) { this.mostWords = mostWords; }

    int size() { return size; }
    /** Of all words, those forgotten as well. */
    long total() { return total; }
    /** Occurrences of words that were forgotten. */
    long forgotten() { return forgotten; }
    long count(int index) { return counts[index]; }
    int length(int index) { return starts[index + 1] - starts[index]; }
    byte at(int index, int position) { return bytes[starts[index] + position]; }

    void addText(String text, Pattern words) {
        var matcher = words.matcher(text);
        while (matcher.find()) addWord(text, matcher.start(), matcher.end());
    }

    private void addWord(String text, int from, int to) {
        int length = 0;
        for (int i = from, c; i < to; i += Character.charCount(c)) {
            c = text.codePointAt(i);
            if (c < 0x80) word[length++] = (byte) c;
            else length = addMultibyte(c, length);
            if (length >= LONGEST) {
                add(word, 0, length, 1);
                length = 0;
            }
        }
        if (length > 0) add(word, 0, length, 1);
    }

    private int addMultibyte(int code, int length) {
        if (code < 0x800) {
            word[length++] = (byte) (0xC0 | code >> 6);
        } else {
            if (code >= Character.MIN_SURROGATE && code <= Character.MAX_SURROGATE) code = 0xFFFD;         // half a pair, which JSON may escape
            if (code < 0x10000) {
                word[length++] = (byte) (0xE0 | code >> 12);
            } else {
                word[length++] = (byte) (0xF0 | code >> 18);
                word[length++] = (byte) (0x80 | code >> 12 & 0x3F);
            }
            word[length++] = (byte) (0x80 | code >> 6 & 0x3F);
        }
        word[length++] = (byte) (0x80 | code & 0x3F);
        return length;
    }

    /** Adds what another has counted. */
    void addAll(WordCounts other) {
        for (int i = 0; i < other.size; i++) add(other.bytes, other.starts[i], other.starts[i + 1], other.counts[i]);
    }

    private void add(byte[] source, int from, int to, long count) {
        total += count;
        int slot = slot(source, from, to);
        if (table[slot] != 0) {
            counts[table[slot] - 1] += count;
            return;
        }
        if (size == mostWords || starts[size] > MOST_BYTES - (to - from)) {
            forgetRarest();
            slot = slot(source, from, to);
        }
        append(source, from, to, count);
        table[slot] = size;
        if (2 * size > table.length) rehash(2 * table.length);
    }

    private void append(byte[] source, int from, int to, long count) {
        int start = starts[size], end = start + to - from;
        if (size + 2 > starts.length) {
            starts = Arrays.copyOf(starts, 2 * starts.length);
            counts = Arrays.copyOf(counts, starts.length);
        }
        if (end > bytes.length) bytes = Arrays.copyOf(bytes, Math.max(end, 2 * bytes.length));
        System.arraycopy(source, from, bytes, start, to - from);
        counts[size++] = count;
        starts[size] = end;
    }

    /* Where a word is or belongs; 0 in the table is empty, else a word's index and one. */
    private int slot(byte[] source, int from, int to) {
        int hash = 0;
        for (int i = from; i < to; i++) hash = 31 * hash + source[i];
        int mask = table.length - 1, slot = (hash ^ hash >>> 15) * 0x9E3779B1 >>> 7 & mask;
        while (table[slot] != 0) {
            int index = table[slot] - 1;
            if (Arrays.equals(bytes, starts[index], starts[index + 1], source, from, to)) return slot;
            slot = slot + 1 & mask;
        }
        return slot;
    }

    private void rehash(int capacity) {
        table = new int[capacity];
        for (int i = 0; i < size; i++) table[slot(bytes, starts[i], starts[i + 1])] = i + 1;
    }

    /* Half of the words go, those that occur least often; of equally rare ones all. */
    private void forgetRarest() {
        var sorted = Arrays.copyOf(counts, size);
        Arrays.sort(sorted);
        long rare = sorted[size / 2];
        int kept = 0, end = 0;
        for (int i = 0; i < size; i++) {
            int start = starts[i], length = starts[i + 1] - start;
            if (counts[i] <= rare) {
                forgotten += counts[i];
                continue;
            }
            System.arraycopy(bytes, start, bytes, end, length);
            starts[kept] = end;
            counts[kept++] = counts[i];
            end += length;
        }
        size = kept;
        starts[size] = end;
        rehash(table.length);
    }
}
