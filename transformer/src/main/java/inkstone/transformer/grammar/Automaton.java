package inkstone.transformer.grammar;

/**
 * A grammar as one small automaton per rule that reads bytes and calls other rules. Made by {@link AutomatonBuilder}; immutable, any thread.
 *
 * @param steps       [node] {first byte, last byte, target} after {first byte, last byte, target} ...
 * @param jumps       [node] targets that need no byte
 * @param calls       [node] {rule's first node, node to return to} ...
 * @param last        whether the node ends its rule; nothing leads out of it. A call that returns to such a node nests nothing: the callee stands in for its
 *                    caller, so that lists written as right recursion need no depth
 * @param least       how many calls a text must nest, at least, between the node and the end of its rule; {@link #NEVER} where no text gets there
 * @param root        first node of the root rule
 * @param byteClass   bytes with the same class are alike to every node
 * @param classBytes  one byte of each class
 */
record Automaton(int[][] steps, int[][] jumps, int[][] calls, boolean[] last, int[] least, int root, int[] byteClass, int[] classBytes) {
    /** Calls within calls that a text may have, and through that the depth of JSON that an answer may reach. */
    static final int DEEPEST = 256;
    static final int NEVER = 1 << 20;

    int nodes() { return steps.length; }
}
