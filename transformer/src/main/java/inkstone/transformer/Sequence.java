package inkstone.transformer;

import java.util.Arrays;

/**
 * One line of tokens and the cache pages that hold its keys and values. The first {@link #cached} tokens are in the cache; those after wait for the next
 * {@link Engine#step}. Full pages may be held by other sequences as well, the page that is written by this one only. A {@link Draft} keeps its keys and values at the
 * same places and may be behind: what it lacks in a page that several hold, each of them may write, for they hold the same tokens. Keys and values are those of one variant of
 * the model, and sequences of several share nothing. Belongs to the thread of its engine.
 */
final class Sequence {
    private final KvCache cache;
    private int[] tokens;
    private int length, cached, drafted;
    private int[] pages = new int[8];
    private int pageCount;

    private CausalModel variant;

    Sequence(KvCache cache, int capacity, CausalModel variant) {
        this.cache = cache;
        this.variant = variant;
        this.tokens = new int[capacity];
    }

    /** The model that reads and writes it. */
    CausalModel variant() { return variant; }

    /** Whether this variant's keys and values are in it. */
    boolean isOf(CausalModel model) { return variant == model; }

    /** It goes on with this variant: what another has cached is forgotten. */
    void become(CausalModel model) {
        if (!isOf(model)) truncate(0);
        variant = model;
    }

    int length() { return length; }

    int cached() { return cached; }

    /** How many of the tokens have been through the draft model, if there is one. */
    int drafted() { return drafted; }

    /** Cached tokens that the draft model must read before it can guess. */
    int pendingDraft() { return Math.max(0, cached - drafted); }

    void drafted(int count) { drafted = count; }

    int pending() { return length - cached; }

    /** The tokens themselves, valid up to {@link #length}; not to be written. */
    int[] tokens() { return tokens; }

    int page(int index) { return pages[index]; }

    int pages() { return pageCount; }

    /** Tokens that may still be appended before another page is needed. */
    int room() { return pageCount * cache.pageSize() - length; }

    /** Where a position's key and value are to be written: page · pageSize + offset. */
    int slot(int position) {
        int page = pages[position / cache.pageSize()];
        assert position < cached || !cache.shared(page) : "position %d of page %d is not this sequence's to write".formatted(position, page);
        return page * cache.pageSize() + position % cache.pageSize();
    }

    void append(int token) {
        if (length == tokens.length) tokens = Arrays.copyOf(tokens, 2 * length + 16);
        tokens[length++] = token;
    }

    /** How many of the cached tokens begin {@code prompt}. */
    int commonPrefix(int[] prompt) {
        int mismatch = Arrays.mismatch(tokens, 0, cached, prompt, 0, prompt.length);
        return mismatch < 0 ? cached : mismatch;
    }

    /** Takes back the last {@code count} tokens, guesses that have run; until {@link #settle} their keys and values lie beyond the end. */
    void retract(int count) { length -= count; }

    /** After {@link #retract}: only the first {@code count} tokens came as guessed, so the cache holds no more; pages after those tokens that stand are given back. */
    void settle(int count) {
        cached = count;
        drafted = Math.min(drafted, cached);
        giveBack(length);
    }

    /** Whether every cached token of {@code other} is cached here too. */
    boolean covers(Sequence other) { return other.isOf(variant) && other.cached <= cached && Arrays.mismatch(tokens, 0, other.cached, other.tokens, 0, other.cached) < 0; }

    /** Of the first tokens of {@code prompt} those whose pages here are full, but for the prompt's last token, which must run for its logits. */
    int sharable(int[] prompt, int length) { return wholePages(cached, prompt, length); }

    /** What {@link #sharable} will be when all tokens that wait here have run. */
    int sharableLater(int[] prompt, int length) { return wholePages(this.length, prompt, length); }

    private int wholePages(int end, int[] prompt, int length) {
        int mismatch = Arrays.mismatch(tokens, 0, end, prompt, 0, length - 1);
        int common = mismatch < 0 ? Math.min(end, length - 1) : mismatch;
        return common - common % cache.pageSize();
    }

    /** Holds the pages of the first {@code count} tokens together with {@code donor}, whose {@link #sharable} tokens they are, instead of computing them again. */
    void share(Sequence donor, int count) {
        assert count % cache.pageSize() == 0 && count > cached && count <= donor.cached : "%d tokens of %d for %d".formatted(count, donor.cached, cached);
        int own = cached - cached % cache.pageSize();                                  // tokens of pages that stay
        drafted = Math.min(drafted, own) < own ? drafted : Math.max(own, Math.min(donor.drafted, count));
        for (int page = cached / cache.pageSize(); page < count / cache.pageSize(); page++) {
            if (page < pageCount) cache.give(pages[page]);
            else add();
            pages[page] = donor.pages[page];
            cache.share(pages[page]);
        }
        cached = count;
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
            add();
            pages[pageCount - 1] = page;
        }
        return true;
    }

    private void add() {
        if (pageCount == pages.length) pages = Arrays.copyOf(pages, 2 * pageCount);
        pageCount++;
    }

    /** The next {@code count} tokens have been through the model. */
    void advance(int count) { cached += count; }

    /**
     * Forgets what no step has cached, and all but the first {@code count} cached tokens, or all of them where they are in states that know no way back; gives back
     * the pages after them. Where these end inside a page that others
     * hold too, that page goes as well: what follows could not be written there.
     */
    void truncate(int count) {
        int kept = count >= cached ? cached : cache.recurrent() ? 0 : count, rest = kept % cache.pageSize();
        if (rest > 0 && cache.shared(pages[kept / cache.pageSize()])) kept -= rest;
        length = cached = kept;
        drafted = Math.min(drafted, kept);
        giveBack(kept);
    }

    /** Pages that the first {@code count} tokens do not need. */
    private void giveBack(int count) {
        int needed = Math.ceilDiv(count, cache.pageSize());
        while (pageCount > needed) cache.give(pages[--pageCount]);
    }
}
