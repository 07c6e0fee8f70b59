package inkstone.transformer.grammar;

import java.util.Arrays;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Which tokens of one {@link Vocabulary} may follow each {@link State} of one grammar (Willard & Louf 2023, arXiv:2307.09702). For each node of the automaton the
 * tree of tokens is walked once, not knowing what lies below in the stack; for a state only what leaves its rule in the middle of a token is walked again with the
 * stack that is there (Dong et al. 2024, XGrammar, arXiv:2411.15100). Kept for as long as memory allows. Any thread.
 */
final class TokenMasks {
    private static final long MOST_BYTES = 64L << 20;

    private final Vocabulary vocabulary;
    private final Pushdown pushdown;
    private final ConcurrentHashMap<Integer, Inside> insides = new ConcurrentHashMap<>();
    private final AtomicLong bytesOfInsides = new AtomicLong();

    /**
     * What may follow a node whatever its rule returns to.
     *
     * @param sure tokens that fit in the rule, or end with it
     * @param open nodes of the vocabulary's tree where the rule may be over: everything below depends on the stack
     */
    private record Inside(TokenSet sure, int[] open) {}

    TokenMasks(Automaton automaton, Vocabulary vocabulary) {
        this.vocabulary = vocabulary;
        pushdown = new Pushdown(automaton);
    }

    Pushdown pushdown() { return pushdown; }
    Vocabulary vocabulary() { return vocabulary; }

    TokenSet after(State state) {
        var known = state.tokens;
        return known != null ? known : (state.tokens = find(state));                    // a record of final fields: a race costs a second look only
    }

    private TokenSet find(State state) {
        var sum = new long[vocabulary.tokens() + 63 >> 6];
        boolean shallow = true;
        for (var stacks : state.stacks) shallow &= stacks.depth() <= Automaton.DEEPEST / 2;
        if (!shallow) {
            walk(state, 0, vocabulary.size(), sum, null);
        } else {
            for (int node : state.nodes) {
                var inside = insides.get(node);
                if (inside == null) inside = look(node);
                inside.sure().addTo(sum);
                for (int root : inside.open()) {
                    var there = at(state, root);
                    if (there.alive()) {
                        vocabulary.addTokens(root, sum);
                        walkBelow(there, root, sum);
                    }
                }
            }
        }
        return TokenSet.of(sum);
    }

    private Inside look(int node) {
        var sum = new long[vocabulary.tokens() + 63 >> 6];
        var open = new IntList();
        walk(pushdown.inside(node), 0, vocabulary.size(), sum, open);
        var inside = new Inside(TokenSet.of(sum), open.toArray());
        if (bytesOfInsides.addAndGet(inside.sure().bytes() + 4L * inside.open().length) > MOST_BYTES) {
            insides.clear();
            bytesOfInsides.set(0);
        }
        insides.put(node, inside);
        return inside;
    }

    private State at(State state, int treeNode) {
        int parent = vocabulary.parent(treeNode);
        return pushdown.next(parent < 0 ? state : at(state, parent), vocabulary.edge(treeNode));
    }

    private void walkBelow(State state, int treeNode, long[] sum) { walk(state, treeNode + 1, vocabulary.end(treeNode), sum, null); }

    /** Adds the tokens of the tree's nodes [from, to), siblings and what is below them, that may follow the state; {@code open} collects where it may be over. */
    private void walk(State state, int from, int to, long[] sum, IntList open) {
        if (from >= to) return;
        var path = new State[vocabulary.deepest() + 1];
        path[vocabulary.depth(from) - 1] = state;
        int opened = from;                                                               // nodes before this are below an open one
        for (int node = from; node < to; ) {
            int depth = vocabulary.depth(node);
            var there = pushdown.next(path[depth - 1], vocabulary.edge(node));
            if (open != null && node >= opened && (there.ends || there.cut) && (there.cut || vocabulary.end(node) > node + 1)) {
                open.add(node);
                opened = vocabulary.end(node);
            }
            if (there.alive()) {
                vocabulary.addTokens(node, sum);
                path[depth] = there;
            }
            node = there.nodes.length > 0 ? node + 1 : vocabulary.end(node);
        }
    }

}
