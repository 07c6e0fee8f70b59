package inkstone.transformer.train;

import inkstone.transformer.Packed;

/**
 * What is carried forward at once: sequences lying one after the other.
 *
 * @param tokens  of all sequences
 * @param targets the token that comes after each
 * @param lengths tokens of each sequence, as {@link Packed#of} takes them: no sequence sees another
 */
public record Batch(int[] tokens, int[] targets, int[] lengths) {
    public int size() { return tokens.length; }
}
