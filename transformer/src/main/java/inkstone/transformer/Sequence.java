package inkstone.transformer;

import java.util.Arrays;

/**
 * One line of tokens and the cache pages that hold its keys and values. The first {@link #cached} tokens are in the cache; those after wait for the next
 * {@link Engine#step}. Belongs to the thread of its engine.
 */
final class Sequence {
    private final KvCache cache;
    private int[] tokens;
    private int length, cached;
    private int[] pages = new int[8];
    private int pageCount;

    Sequence(KvCache cache, int capacity) {
        this.cache = cache;
        this.tokens = new int[capacity];
    }

    int length() { return length; }

    int cached() { return cached; }

    int pending() { return length - cached; }

    /** The tokens themselves, valid up to {@link #length}; not to be written. */
    int[] tokens() { return tokens; }

    int page(int index) { return pages[index]; }

    int pages() { return pageCount; }

    /** Where the cache keeps a position: page · pageSize + offset. */
    int slot(int position) { return pages[position / cache.pageSize()] * cache.pageSize() + position % cache.pageSize(); }

    void append(int token) {
        if (length == tokens.length) tokens = Arrays.copyOf(tokens, 2 * length + 16);
        tokens[length++] = token;
    }

    /** How many of the cached tokens begin {@code prompt}. */
    int commonPrefix(int[] prompt) {
        int mismatch = Arrays.mismatch(tokens, 0, cached, prompt, 0, prompt.length);
        return mismatch < 0 ? cached : mismatch;
    }

    /** Becomes {@code prompt}, keeping of the cache what the two have in common but for the last token, which must run for its logits; returns how many are kept. */
    int restart(int[] prompt) {
        truncate(Math.min(commonPrefix(prompt), prompt.length - 1));
        int kept = cached;
        if (tokens.length < prompt.length) tokens = Arrays.copyOf(tokens, prompt.length + 16);
        System.arraycopy(prompt, kept, tokens, kept, prompt.length - kept);
        length = prompt.length;
        return kept;
    }

    /** Takes pages until the first {@code count} positions have a place; false where the cache has no more, with what it had then kept. */
    boolean reserve(int count) {
        while (pageCount * cache.pageSize() < count) {
            int page = cache.take();
            if (page < 0) return false;
            if (pageCount == pages.length) pages = Arrays.copyOf(pages, 2 * pageCount);
            pages[pageCount++] = page;
        }
        return true;
    }

    /** The next {@code count} tokens have been through the model. */
    void advance(int count) { cached += count; }

    /**
     * Forgets what no step has cached, and all but the first {@code count} cached tokens, or all of them where they are in states that know no way back; gives back
     * the pages after them.
     */
    void truncate(int count) {
        length = cached = count >= cached ? cached : cache.recurrent() ? 0 : count;
        int needed = Math.ceilDiv(cached, cache.pageSize());
        while (pageCount > needed) cache.give(pages[--pageCount]);
    }
}
