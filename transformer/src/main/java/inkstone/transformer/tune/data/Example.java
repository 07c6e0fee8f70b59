package inkstone.transformer.tune.data;

import java.util.Arrays;

/**
 * One sequence to train on.
 *
 * @param learned whether token i is a target, to be predicted from those before it; never true of the first
 */
public record Example(int[] tokens, boolean[] learned) {
    public Example {
        if (tokens.length != learned.length) throw new IllegalArgumentException("%d tokens, %d marks".formatted(tokens.length, learned.length));
    }

    /** Number of targets. */
    public int targets() {
        int targets = 0;
        for (boolean is : learned) if (is) targets++;
        return targets;
    }

    /** The first tokens of it. */
    Example cut(int length) { return new Example(Arrays.copyOf(tokens, length), Arrays.copyOf(learned, length)); }
}
