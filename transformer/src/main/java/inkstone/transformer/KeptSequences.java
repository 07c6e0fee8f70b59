package inkstone.transformer;

import java.util.ArrayList;
import java.util.List;

/**
 * Sequences of requests that have ended, kept for prompts that begin alike, least recently used first. Those are given up when pages are needed. None that is kept is
 * the beginning of another, so there are never more than pages. One thread.
 */
final class KeptSequences {
    private final List<Sequence> sequences = new ArrayList<>();

    boolean isEmpty() { return sequences.isEmpty(); }

    void keep(Sequence sequence) {
        sequence.truncate(sequence.cached());
        for (var other : sequences) {
            if (other.covers(sequence)) {
                sequence.truncate(0);
                touch(other);
                return;
            }
        }
        sequences.removeIf(other -> {
            if (!sequence.covers(other)) return false;
            other.truncate(0);
            return true;
        });
        sequences.add(sequence);
    }

    /** The most recently used of those that are kept, if it is. */
    void touch(Sequence sequence) { if (sequences.remove(sequence)) sequences.add(sequence); }

    void remove(Sequence sequence) { sequences.remove(sequence); }

    /** Gives up the least recently used. */
    void evict() { sequences.removeFirst().truncate(0); }

    /**
     * The sequence of this variant that saves this prompt most tokens if it becomes the prompt's own, where it loses no more of its own tokens by that than sharing its full pages
     * would leave to be read again; null where there is none.
     */
    Sequence continued(int[] prompt, CausalModel variant) {
        Sequence best = null;
        int longest = 0;
        for (var sequence : sequences) {
            if (!sequence.isOf(variant)) continue;
            int common = Math.min(sequence.commonPrefix(prompt), prompt.length - 1);
            int again = common - sequence.sharable(prompt, prompt.length);
            if (common > longest && sequence.cached() - common <= again) {
                best = sequence;
                longest = common;
            }
        }
        return best;
    }

    /** The sequence of this variant that can share most of these tokens, one of {@code running} rather than a kept one; null where none can share more than {@code have}. */
    Sequence donor(List<Sequence> running, CausalModel variant, int[] tokens, int length, int have) {
        Sequence best = null;
        int most = have;
        for (int i = 0; i < running.size() + sequences.size(); i++) {
            var sequence = i < running.size() ? running.get(i) : sequences.get(i - running.size());
            if (!sequence.isOf(variant)) continue;
            int sharable = sequence.sharable(tokens, length);
            if (sharable > most) {
                best = sequence;
                most = sharable;
            }
        }
        return best;
    }
}
