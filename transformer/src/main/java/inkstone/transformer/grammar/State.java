package inkstone.transformer.grammar;

import java.util.Arrays;

/** Everything a grammar may be in the middle of after some text: nodes that read a byte next, with the stacks under each. Interned by {@link Pushdown}. */
final class State {
    final int[] nodes;
    final Stacks[] stacks;
    /** The bottom of the stack was reached: the text may end here. */
    final boolean ends;
    /** Something was left out because it nests too deep. */
    final boolean cut;
    /* By class of byte, filled as needed. A State is safe to hand over in a race, as its fields are final. */
    final State[] next;
    private final int hash;
    /** Tokens that may follow, computed when first asked for; {@link TokenMasks} guards it. */
    TokenSet tokens;

    State(int[] nodes, Stacks[] stacks, boolean ends, boolean cut, int classes) {
        this.nodes = nodes;
        this.stacks = stacks;
        this.ends = ends;
        this.cut = cut;
        this.next = new State[classes];
        int hash = 31 * Arrays.hashCode(nodes) + (ends ? 1 : 0) + (cut ? 2 : 0);
        for (var set : stacks) hash = 31 * hash + System.identityHashCode(set);
        this.hash = hash;
    }

    /** Whether a text that got here can still be one of the grammar's. */
    boolean alive() { return nodes.length > 0 || ends; }

    @Override public boolean equals(Object other) {
        if (!(other instanceof State that) || ends != that.ends || cut != that.cut || !Arrays.equals(nodes, that.nodes)) return false;
        for (int i = 0; i < stacks.length; i++) if (stacks[i] != that.stacks[i]) return false;
        return true;
    }

    @Override public int hashCode() { return hash; }
}
