package inkstone.transformer.grammar;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * Runs an {@link Automaton} over bytes, all its possible stacks at once, and remembers every step: a deterministic pushdown automaton that comes into being as
 * texts ask for it. A state is kept only if a text can still end from it within {@link Automaton#DEEPEST} calls, so there are no dead ends. Reading what is
 * known needs no lock; finding out more is synchronized.
 */
final class Pushdown {
    private static final int MOST_STATES = 20_000, MOST_WORK = 100_000;
    private static final Stacks[] NO_STACKS = {};

    private final Automaton automaton;
    /** Below this bottom lies the rest of the answer, whatever it is; half the depth is left for what is above. */
    private final Stacks anyBottom = new Stacks(new int[0], NO_STACKS, true, Automaton.DEEPEST / 2);
    private final Map<Stacks, Stacks> allStacks = new HashMap<>();
    private final Map<State, State> allStates = new HashMap<>();
    private final Stacks[] reached;
    private final IntList touched = new IntList();
    private final ArrayDeque<Integer> work = new ArrayDeque<>();
    private final State dead;
    private boolean ends, cut;
    private int done;

    Pushdown(Automaton automaton) {
        this.automaton = automaton;
        reached = new Stacks[automaton.nodes()];
        dead = new State(new int[0], NO_STACKS, false, false, automaton.classBytes().length);
        Arrays.fill(dead.next, dead);
    }

    State start() { return at(automaton.root(), new Stacks(new int[0], NO_STACKS, true, 0)); }

    /** Inside a rule, not knowing what called it: {@link State#ends} then says that the rule, or with it all that is known, is over. */
    State inside(int node) { return at(node, anyBottom); }

    private synchronized State at(int node, Stacks stacks) {
        begin();
        reach(node, intern(stacks));
        return finish();
    }

    State next(State state, int b) {
        var known = state.next[automaton.byteClass()[b]];
        return known != null ? known : find(state, automaton.byteClass()[b]);
    }

    private synchronized State find(State state, int byteClass) {
        begin();
        int b = automaton.classBytes()[byteClass];
        for (int i = 0; i < state.nodes.length; i++) {
            var steps = automaton.steps()[state.nodes[i]];
            for (int k = 0; k < steps.length; k += 3) if (b >= steps[k] && b <= steps[k + 1]) reach(steps[k + 2], state.stacks[i]);
        }
        return state.next[byteClass] = finish();
    }

    // ---- one step: reach nodes, follow what needs no byte, collect -----------------------------------------------------------------------------------

    private void begin() {
        if (allStates.size() > MOST_STATES || allStacks.size() > MOST_STATES) {             // those in use live on in their answers
            allStates.clear();
            allStacks.clear();
        }
        for (int i = 0; i < touched.size; i++) reached[touched.values[i]] = null;           // what a refused step left behind as well
        touched.size = 0;
        work.clear();
        ends = cut = false;
        done = 0;
    }

    private State finish() {
        while (!work.isEmpty()) follow(work.poll());
        Arrays.sort(touched.values, 0, touched.size);
        var nodes = new IntList();
        for (int i = 0; i < touched.size; i++) if (automaton.steps()[touched.values[i]].length > 0) nodes.add(touched.values[i]);
        var stacks = new Stacks[nodes.size];
        for (int i = 0; i < stacks.length; i++) stacks[i] = reached[nodes.values[i]];
        if (stacks.length == 0 && !ends && !cut) return dead;
        var state = new State(nodes.toArray(), stacks, ends, cut, automaton.classBytes().length);
        var same = allStates.putIfAbsent(state, state);
        return same == null ? state : same;
    }

    private void reach(int node, Stacks stacks) {
        if (stacks.depth() + automaton.least()[node] > Automaton.DEEPEST) {
            cut |= automaton.least()[node] < Automaton.NEVER;
            return;
        }
        var before = reached[node];
        var both = before == null ? stacks : union(before, stacks);
        if (both == before) return;
        if (before == null) touched.add(node);
        reached[node] = both;
        work.add(node);
    }

    private void follow(int node) {
        if (++done > MOST_WORK) throw tooAmbiguous();
        var stacks = reached[node];
        for (int target : automaton.jumps()[node]) reach(target, stacks);
        if (automaton.last()[node]) {
            ends |= stacks.bottom();
            for (int i = 0; i < stacks.returns().length; i++) reach(stacks.returns()[i], stacks.below()[i]);
        }
        var calls = automaton.calls()[node];
        for (int i = 0; i < calls.length; i += 2) {
            int callee = calls[i], returnTo = calls[i + 1];
            if (automaton.last()[returnTo]) {
                reach(callee, stacks);
            } else if (stacks.depth() + automaton.least()[returnTo] <= Automaton.DEEPEST) {
                reach(callee, intern(new Stacks(new int[] {returnTo}, new Stacks[] {stacks}, false, stacks.depth() + 1)));
            } else {
                cut |= automaton.least()[returnTo] < Automaton.NEVER;
            }
        }
    }

    private static IllegalArgumentException tooAmbiguous() {
        return new IllegalArgumentException("the grammar is too ambiguous: too many of its rules fit the text so far; join alternatives that begin alike");
    }

    // ---- sets of stacks ----------------------------------------------------------------------------------------------------------------------------

    private Stacks intern(Stacks stacks) {
        var same = allStacks.putIfAbsent(stacks, stacks);
        return same == null ? stacks : same;
    }

    /** Recursion is as deep as the stacks. */
    private Stacks union(Stacks a, Stacks b) {
        if (a == b) return a;
        if (++done > MOST_WORK) throw tooAmbiguous();
        int i = 0, j = 0, n = 0;
        var returns = new int[a.returns().length + b.returns().length];
        var below = new Stacks[returns.length];
        while (i < a.returns().length || j < b.returns().length) {
            int left = i < a.returns().length ? a.returns()[i] : Integer.MAX_VALUE, right = j < b.returns().length ? b.returns()[j] : Integer.MAX_VALUE;
            returns[n] = Math.min(left, right);
            if (left == right) below[n++] = union(a.below()[i++], b.below()[j++]);
            else below[n++] = left < right ? a.below()[i++] : b.below()[j++];
        }
        return intern(new Stacks(Arrays.copyOf(returns, n), Arrays.copyOf(below, n), a.bottom() || b.bottom(), Math.max(a.depth(), b.depth())));
    }
}
