package inkstone.transformer.grammar;

import java.util.Arrays;

/**
 * A set of tokens, of which it says only one: the few that are in it, or one bit per token.
 *
 * @param few  ids, or null
 * @param bits 64 tokens a long, or null
 */
record TokenSet(int[] few, long[] bits) {
    /** A list is kept where it takes less memory than the bits and is quicker to apply. */
    static TokenSet of(long[] bits) {
        int count = 0;
        for (long word : bits) count += Long.bitCount(word);
        if (count > bits.length) return new TokenSet(null, bits.clone());
        var few = new int[count];
        int n = 0;
        for (int i = 0; i < bits.length; i++) for (long word = bits[i]; word != 0; word &= word - 1) few[n++] = 64 * i + Long.numberOfTrailingZeros(word);
        return new TokenSet(few, null);
    }

    boolean isEmpty() { return few != null && few.length == 0; }

    long bytes() { return few != null ? 4L * few.length : 8L * bits.length; }

    void addTo(long[] sum) {
        if (few != null) for (int token : few) sum[token >> 6] |= 1L << token;
        else for (int i = 0; i < bits.length; i++) sum[i] |= bits[i];
    }

    /** Minus infinity for every logit outside the set, but for {@code spared} tokens. */
    void mask(float[] logits, int offset, int vocabulary, int[] spared) {
        if (few != null) {
            var kept = new float[few.length + spared.length];
            for (int i = 0; i < few.length; i++) kept[i] = few[i] < vocabulary ? logits[offset + few[i]] : 0;
            for (int i = 0; i < spared.length; i++) if (spared[i] < vocabulary) kept[few.length + i] = logits[offset + spared[i]];
            Arrays.fill(logits, offset, offset + vocabulary, Float.NEGATIVE_INFINITY);
            for (int i = 0; i < few.length; i++) if (few[i] < vocabulary) logits[offset + few[i]] = kept[i];
            for (int i = 0; i < spared.length; i++) if (spared[i] < vocabulary) logits[offset + spared[i]] = kept[few.length + i];
            return;
        }
        var kept = new float[spared.length];
        for (int i = 0; i < spared.length; i++) if (spared[i] < vocabulary) kept[i] = logits[offset + spared[i]];
        int words = Math.min(bits.length, vocabulary + 63 >> 6);
        for (int i = 0; i < words; i++) {
            if (bits[i] == 0) Arrays.fill(logits, offset + 64 * i, offset + Math.min(vocabulary, 64 * i + 64), Float.NEGATIVE_INFINITY);
            else for (long out = ~bits[i]; out != 0; out &= out - 1) {
                int token = 64 * i + Long.numberOfTrailingZeros(out);
                if (token >= vocabulary) break;
                logits[offset + token] = Float.NEGATIVE_INFINITY;
            }
        }
        if (64 * words < vocabulary) Arrays.fill(logits, offset + 64 * words, offset + vocabulary, Float.NEGATIVE_INFINITY);
        for (int i = 0; i < spared.length; i++) if (spared[i] < vocabulary) logits[offset + spared[i]] = kept[i];
    }
}
