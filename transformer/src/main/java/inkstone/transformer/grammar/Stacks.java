package inkstone.transformer.grammar;

import java.util.Arrays;

/**
 * Where a rule may return to: a set of call stacks, as a tree that branches from the top down and shares its branches. Interned by {@link Pushdown}: equal sets
 * are the same object. After M. Tomita's graph-structured stack (1987).
 *
 * @param returns nodes to return to, ascending
 * @param below   where the rule of each of those returns to
 * @param bottom  whether the set holds the empty stack: the answer, or the part of it that is looked at, may end
 * @param depth   of the deepest stack
 */
record Stacks(int[] returns, Stacks[] below, boolean bottom, int depth) {
    @Override public boolean equals(Object other) {
        if (!(other instanceof Stacks that) || bottom != that.bottom || depth != that.depth || !Arrays.equals(returns, that.returns)) return false;
        for (int i = 0; i < below.length; i++) if (below[i] != that.below[i]) return false;
        return true;
    }

    @Override public int hashCode() {
        int hash = 31 * Arrays.hashCode(returns) + depth + (bottom ? 7 : 0);
        for (var stacks : below) hash = 31 * hash + System.identityHashCode(stacks);
        return hash;
    }
}
