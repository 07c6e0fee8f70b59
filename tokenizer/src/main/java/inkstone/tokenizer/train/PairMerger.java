package inkstone.tokenizer.train;

import inkstone.tokenizer.ByteLevelVocabulary.Merge;
import java.util.Arrays;
import java.util.PriorityQueue;

/**
 * Finds the merges of byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909): again and again the pair of neighbours that occurs most often becomes one piece. Of pairs that
 * occur equally often the one with the smaller left id goes first, then the one with the smaller right id, so the pieces known longest. A pair that occurs once is not merged.
 *
 * <p>Pairs are counted once. A merge then rewrites the words that hold the pair, which each pair lists, and changes the counts of the pairs in those words only. The most
 * frequent pair comes from a priority queue whose entries may be out of date: counts of a pair only fall once its pieces are known, so an entry that says too much is put
 * back with what is true. Memory is about 8 bytes for each byte of the different words, and 60 for each different pair. One thread.
 */
final class PairMerger {
    /** A pair's place in the queue. @param pair left id in the upper half, right id in the lower */
    private record Candidate(long count, long pair) implements Comparable<Candidate> {
        @Override public int compareTo(Candidate other) { return count != other.count ? Long.compare(other.count, count) : Long.compare(pair, other.pair); }
    }

    private static final int LEAST_COUNT = 2;
    private static final long EMPTY = -1;
    private static final int[] NONE = {};

    private final long[] wordCounts;
    private final int[] starts, lengths, symbols;
    private final PriorityQueue<Candidate> queue = new PriorityQueue<>();
    private int pieces;

    /* An open hash table of pairs, with the occurrences of each and the words in which they are or were. */
    private long[] pairs = new long[1 << 12];
    private long[] counts = new long[1 << 12];
    private int[][] words = new int[1 << 12][];
    private int[] wordsFilled = new int[1 << 12];
    private int pairsFilled;

    /* Pairs that the current merge made. */
    private long[] made = new long[64];
    private int madeFilled;

    /** @param pieceOfByte id of each byte's piece @param pieces how many pieces there are */
    PairMerger(WordCounts counted, int[] pieceOfByte, int pieces) {
        this.pieces = pieces;
        int n = counted.size(), all = 0;
        wordCounts = new long[n];
        starts = new int[n];
        lengths = new int[n];
        for (int word = 0; word < n; word++) all += counted.length(word);
        symbols = new int[all];
        Arrays.fill(pairs, EMPTY);
        for (int word = 0, at = 0; word < n; word++) {
            wordCounts[word] = counted.count(word);
            starts[word] = at;
            lengths[word] = counted.length(word);
            for (int i = 0; i < lengths[word]; i++) symbols[at++] = pieceOfByte[counted.at(word, i) & 0xFF];
            for (int i = starts[word]; i < at - 1; i++) add(pair(symbols[i], symbols[i + 1]), word, wordCounts[word]);
        }
        queueMade();
    }

    /** The next merge, whose piece's id is the next free one; or null where no pair occurs often enough. */
    Merge next() {
        for (Candidate best = queue.poll(); best != null; best = queue.poll()) {
            int slot = slot(best.pair);
            if (counts[slot] == best.count) {
                merge(best.pair, slot);
                return new Merge((int) (best.pair >>> 32), (int) best.pair);
            }
            queue(best.pair, counts[slot]);
            if (counts[slot] == 0) forget(slot);
        }
        return null;
    }

    private void merge(long pair, int slot) {
        int left = (int) (pair >>> 32), right = (int) pair, union = pieces++;
        int[] holders = words[slot];
        int holderCount = wordsFilled[slot];
        forget(slot);
        for (int i = 0; i < holderCount; i++) rewrite(holders[i], left, right, union);
        queueMade();
    }

    private void forget(int slot) {
        words[slot] = NONE;
        wordsFilled[slot] = 0;
    }

    private void rewrite(int word, int left, int right, int union) {
        int start = starts[word], end = start + lengths[word], first = start;
        while (first < end - 1 && (symbols[first] != left || symbols[first + 1] != right)) first++;
        if (first >= end - 1) return;                                           // an earlier merge took the pair out of this word
        long count = wordCounts[word];
        int from = Math.max(start, first - 1);                                  // no pair before it changes
        for (int i = from; i < end - 1; i++) counts[slot(pair(symbols[i], symbols[i + 1]))] -= count;
        int to = first;
        for (int i = first; i < end; i++) {
            boolean both = symbols[i] == left && i + 1 < end && symbols[i + 1] == right;
            symbols[to++] = both ? union : symbols[i];
            if (both) i++;
        }
        lengths[word] = to - start;
        for (int i = from; i < to - 1; i++) {
            if (symbols[i] == union || symbols[i + 1] == union) add(pair(symbols[i], symbols[i + 1]), word, count);
            else counts[slot(pair(symbols[i], symbols[i + 1]))] += count;       // an old pair lists the word already
        }
    }

    private static long pair(int left, int right) { return (long) left << 32 | right; }

    private void add(long pair, int word, long count) {
        int slot = slot(pair);
        if (pairs[slot] == EMPTY) {
            if (2 * ++pairsFilled > pairs.length) {
                grow();
                slot = slot(pair);
            }
            pairs[slot] = pair;
            words[slot] = NONE;
            if (madeFilled == made.length) made = Arrays.copyOf(made, 2 * madeFilled);
            made[madeFilled++] = pair;
        }
        counts[slot] += count;
        int filled = wordsFilled[slot];
        if (filled > 0 && words[slot][filled - 1] == word) return;
        if (filled == words[slot].length) words[slot] = Arrays.copyOf(words[slot], Math.max(2, filled + filled / 2));
        words[slot][filled] = word;
        wordsFilled[slot]++;
    }

    private int slot(long pair) {
        int mask = pairs.length - 1, slot = (int) ((pair ^ pair >>> 32) * 0x9E3779B97F4A7C15L >>> 40) & mask;
        while (pairs[slot] != pair && pairs[slot] != EMPTY) slot = slot + 1 & mask;
        return slot;
    }

    private void grow() {
        var oldPairs = pairs;
        var oldCounts = counts;
        var oldWords = words;
        var oldFilled = wordsFilled;
        int capacity = 2 * pairs.length;
        pairs = new long[capacity];
        Arrays.fill(pairs, EMPTY);
        counts = new long[capacity];
        words = new int[capacity][];
        wordsFilled = new int[capacity];
        for (int old = 0; old < oldPairs.length; old++) {
            if (oldPairs[old] == EMPTY) continue;
            int slot = slot(oldPairs[old]);
            pairs[slot] = oldPairs[old];
            counts[slot] = oldCounts[old];
            words[slot] = oldWords[old];
            wordsFilled[slot] = oldFilled[old];
        }
    }

    private void queueMade() {
        for (int i = 0; i < madeFilled; i++) queue(made[i], counts[slot(made[i])]);
        madeFilled = 0;
    }

    private void queue(long pair, long count) { if (count >= LEAST_COUNT) queue.add(new Candidate(count, pair)); }
}
