package inkstone.transformer.grammar;

import inkstone.transformer.grammar.Expression.Call;
import inkstone.transformer.grammar.Expression.Choice;
import inkstone.transformer.grammar.Expression.OneOf;
import inkstone.transformer.grammar.Expression.Repeat;
import inkstone.transformer.grammar.Expression.Sequence;
import inkstone.transformer.grammar.Expression.Words;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Compiles rules to an {@link Automaton} (K. Thompson's construction, CACM 11:6, 1968) and refuses those that could not be followed: undefined names, rules that
 * begin with themselves, rules without a finite text, and grammars that are too large. Small rules called in a loop are built into their caller, so that the
 * inside of a string is one automaton and its token mask holds wherever the string stands (Dong et al. 2024, XGrammar, arXiv:2411.15100).
 */
final class AutomatonBuilder {
    static final int MOST_NODES = 100_000;
    private static final int LARGEST_INLINE = 128, DEEPEST_INLINE = 8, LONGEST_INLINING_LOOP = 64;

    private final Map<String, Expression> rules;
    private final Map<String, Integer> numbers = new HashMap<>();
    private final Map<String, Integer> inlineSizes = new HashMap<>();
    private final List<IntList> steps = new ArrayList<>(), jumps = new ArrayList<>(), calls = new ArrayList<>();
    private final int[] first, last;

    private AutomatonBuilder(Map<String, Expression> rules) {
        this.rules = rules;
        first = new int[rules.size()];
        last = new int[rules.size()];
    }

    static Automaton build(Map<String, Expression> rules) {
        if (!rules.containsKey("root")) throw new IllegalArgumentException("the grammar has no rule \"root\"; it is where an answer begins");
        return new AutomatonBuilder(new LinkedHashMap<>(rules)).build();
    }

    private Automaton build() {
        for (var name : rules.keySet()) {
            int rule = numbers.size();
            numbers.put(name, rule);
            first[rule] = node();
            last[rule] = node();
        }
        rules.forEach((name, expression) -> {
            int rule = numbers.get(name);
            build(expression, first[rule], last[rule], false);
        });
        var ends = new boolean[steps.size()];
        for (int node : last) ends[node] = true;
        refuseLeftRecursion(cheapest(ends, true));
        var least = cheapest(ends, false);
        int root = first[numbers.get("root")];
        if (least[root] >= Automaton.NEVER) throw new IllegalArgumentException("no finite text fits: what the grammar asks for always contains itself again");
        if (least[root] > Automaton.DEEPEST) {
            throw new IllegalArgumentException("the shortest text that fits nests rules %d deep; at most %d are followed".formatted(least[root], Automaton.DEEPEST));
        }
        var byteClass = byteClasses();
        var classBytes = new int[Arrays.stream(byteClass).max().orElse(0) + 1];
        for (int b = 255; b >= 0; b--) classBytes[byteClass[b]] = b;
        return new Automaton(arrays(steps), arrays(jumps), arrays(calls), ends, least, root, byteClass, classBytes);
    }

    // ---- nodes -------------------------------------------------------------------------------------------------------------------------------------

    private int node() {
        if (steps.size() >= MOST_NODES) {
            throw new IllegalArgumentException("the grammar is too large: it needs more than %d states; use smaller bounds or fewer alternatives".formatted(MOST_NODES));
        }
        steps.add(new IntList());
        jumps.add(new IntList());
        calls.add(new IntList());
        return steps.size() - 1;
    }

    private void step(int from, int firstByte, int lastByte, int to) { steps.get(from).add(firstByte, lastByte, to); }

    /** Adds ways from one node to the other. Nothing is added into {@code from} or out of {@code to}, so neighbours may share both. */
    private void build(Expression expression, int from, int to, boolean inLoop) {
        switch (expression) {
            case Words(var texts) -> words(texts, from, to);
            case OneOf(var set) -> characters(set, from, to);
            case Sequence(var parts) -> {
                if (parts.isEmpty()) jumps.get(from).add(to);
                int at = from;
                for (int i = 0; i < parts.size(); i++) {
                    int next = i == parts.size() - 1 ? to : node();
                    build(parts.get(i), at, next, inLoop);
                    at = next;
                }
            }
            case Choice(var alternatives) -> { for (var alternative : alternatives) build(alternative, from, to, inLoop); }
            case Repeat(var part, int min, int max) -> repeat(part, min, max, from, to);
            case Call(var name) -> {
                var rule = numbers.get(name);
                if (rule == null) throw new IllegalArgumentException("rule \"%s\" is used but not defined".formatted(name));
                if (inLoop && inlineSize(name, 0) <= LARGEST_INLINE) build(rules.get(name), from, to, true);
                else calls.get(from).add(first[rule], to);
            }
        }
    }

    private void repeat(Expression part, int min, int max, int from, int to) {
        boolean unbounded = max == Repeat.UNBOUNDED, inLoop = unbounded || max > 1 && max <= LONGEST_INLINING_LOOP;
        int at = from;
        for (int i = 0; i < (unbounded ? min : max); i++) {
            if (i >= min) jumps.get(at).add(to);
            int next = i == max - 1 ? to : node();
            build(part, at, next, inLoop);
            at = next;
        }
        if (unbounded) {
            int again = node(), done = node();
            jumps.get(at).add(again);
            build(part, again, done, true);
            jumps.get(done).add(again);
            jumps.get(again).add(to);
        } else if (max == 0) {
            jumps.get(from).add(to);
        }
    }

    /** A prefix tree: a thousand words that begin alike are one state at first. */
    private void words(List<byte[]> texts, int from, int to) {
        var children = new HashMap<Long, Integer>();
        for (var text : texts) {
            if (text.length == 0) jumps.get(from).add(to);
            int at = from;
            for (int i = 0; i < text.length; i++) {
                int b = text[i] & 0xFF;
                if (i == text.length - 1) {
                    step(at, b, b, to);
                } else {
                    long edge = (long) at << 8 | b;
                    var child = children.get(edge);
                    if (child == null) {
                        child = node();
                        children.put(edge, child);
                        step(at, b, b, child);
                    }
                    at = child;
                }
            }
        }
    }

    private void characters(CharacterSet set, int from, int to) {
        var tails = new HashMap<List<Integer>, Integer>();
        for (var ranges : set.utf8()) {
            int at = to;
            var tail = List.<Integer>of();
            for (int k = ranges.length - 2; k > 0; k -= 2) {
                var longer = new ArrayList<>(tail);
                longer.add(ranges[k]);
                longer.add(ranges[k + 1]);
                tail = longer;
                var known = tails.get(tail);
                if (known == null) {
                    known = node();
                    tails.put(tail, known);
                    step(known, ranges[k], ranges[k + 1], at);
                }
                at = known;
            }
            step(from, ranges[0], ranges[1], at);
        }
    }

    /** Rough count of nodes that a rule takes when it and all that it calls are written out; huge where it calls itself or deep. */
    private int inlineSize(String rule, int depth) {
        var known = inlineSizes.get(rule);
        if (known != null) return known;
        if (depth > DEEPEST_INLINE || !rules.containsKey(rule)) return Automaton.NEVER;
        inlineSizes.put(rule, Automaton.NEVER);                                          // what it is while it is looked at: a rule within itself
        int size = size(rules.get(rule), depth);
        inlineSizes.put(rule, size);
        return size;
    }

    private int size(Expression expression, int depth) {
        long size = switch (expression) {
            case Words(var texts) -> texts.stream().mapToLong(text -> text.length).sum();
            case OneOf(var set) -> 1 + set.bounds().length / 2;
            case Sequence(var parts) -> parts.size() + parts.stream().mapToLong(part -> size(part, depth)).sum();
            case Choice(var alternatives) -> alternatives.stream().mapToLong(part -> size(part, depth)).sum();
            case Repeat(var part, int min, int max) -> (long) (max == Repeat.UNBOUNDED ? min + 1 : max) * (1 + size(part, depth));
            case Call(var rule) -> inlineSize(rule, depth + 1);
        };
        return (int) Math.min(size, Automaton.NEVER);
    }

    // ---- checks ------------------------------------------------------------------------------------------------------------------------------------

    /**
     * For each node the least nesting of calls on a way to the end of its rule, NEVER where there is none; with {@code silent} only ways without a byte count.
     * D. Knuth's generalisation of Dijkstra's algorithm (1977), as a work list.
     */
    private int[] cheapest(boolean[] ends, boolean silent) {
        int nodes = steps.size();
        var dependents = new IntList[nodes];
        Arrays.setAll(dependents, _ -> new IntList());
        for (int node = 0; node < nodes; node++) {
            if (!silent) for (int i = 2; i < steps.get(node).size; i += 3) dependents[steps.get(node).values[i]].add(node);
            for (int i = 0; i < jumps.get(node).size; i++) dependents[jumps.get(node).values[i]].add(node);
            for (int i = 0; i < calls.get(node).size; i += 2) {
                dependents[calls.get(node).values[i]].add(node);
                dependents[calls.get(node).values[i + 1]].add(node);
            }
        }
        var cost = new int[nodes];
        Arrays.fill(cost, Automaton.NEVER);
        var work = new ArrayDeque<Integer>();
        for (int node = 0; node < nodes; node++) {
            if (ends[node]) {
                cost[node] = 0;
                work.add(node);
            }
        }
        while (!work.isEmpty()) {
            var changed = dependents[work.poll()];
            for (int i = 0; i < changed.size; i++) {
                int node = changed.values[i], least = cost(node, ends, cost, silent);
                if (least < cost[node]) {
                    cost[node] = least;
                    work.add(node);
                }
            }
        }
        return cost;
    }

    private int cost(int node, boolean[] ends, int[] cost, boolean silent) {
        int least = cost[node];
        var bytes = steps.get(node);
        if (!silent) for (int i = 2; i < bytes.size; i += 3) least = Math.min(least, cost[bytes.values[i]]);
        var silently = jumps.get(node);
        for (int i = 0; i < silently.size; i++) least = Math.min(least, cost[silently.values[i]]);
        var called = calls.get(node);
        for (int i = 0; i < called.size; i += 2) {
            int callee = called.values[i], returnTo = called.values[i + 1];
            least = Math.min(least, Math.max(cost[callee] + (ends[returnTo] ? 0 : 1), cost[returnTo]));        // a call at the end nests nothing, see Automaton
        }
        return least;
    }

    /** A rule that begins with itself, perhaps behind rules that may be empty, would be called for ever before the first byte. */
    private void refuseLeftRecursion(int[] silentCost) {
        var ruleAt = new HashMap<Integer, Integer>();
        for (int rule = 0; rule < first.length; rule++) ruleAt.put(first[rule], rule);
        var beginsWith = new int[first.length][];
        var callers = new int[first.length];
        for (int rule = 0; rule < first.length; rule++) {
            beginsWith[rule] = calledBeforeAnyByte(first[rule], silentCost).stream().mapToInt(ruleAt::get).toArray();
            for (int callee : beginsWith[rule]) callers[callee]++;
        }
        var free = new ArrayDeque<Integer>();
        for (int rule = 0; rule < callers.length; rule++) if (callers[rule] == 0) free.add(rule);
        int sorted = 0;
        for (; !free.isEmpty(); sorted++) for (int callee : beginsWith[free.poll()]) if (--callers[callee] == 0) free.add(callee);
        if (sorted == first.length) return;
        var names = rules.keySet().toArray(String[]::new);
        int at = 0;
        while (callers[at] == 0) at++;
        for (int i = 0; i < first.length; i++) {                                        // walk until surely inside a cycle, not on the way out of one
            for (int callee : beginsWith[at]) {
                if (callers[callee] > 0) {
                    at = callee;
                    break;
                }
            }
        }
        throw new IllegalArgumentException("rule \"%s\" begins with itself (left recursion); write the repetition with * or + instead".formatted(names[at]));
    }

    private Set<Integer> calledBeforeAnyByte(int start, int[] silentCost) {
        var called = new LinkedHashSet<Integer>();
        var seen = new HashSet<Integer>(List.of(start));
        var work = new ArrayDeque<Integer>(seen);
        while (!work.isEmpty()) {
            int node = work.poll();
            var silently = jumps.get(node);
            for (int i = 0; i < silently.size; i++) if (seen.add(silently.values[i])) work.add(silently.values[i]);
            var calling = calls.get(node);
            for (int i = 0; i < calling.size; i += 2) {
                called.add(calling.values[i]);
                boolean mayBeEmpty = silentCost[calling.values[i]] < Automaton.NEVER;
                if (mayBeEmpty && seen.add(calling.values[i + 1])) work.add(calling.values[i + 1]);
            }
        }
        return called;
    }

    private int[] byteClasses() {
        var starts = new boolean[257];
        for (var ranges : steps) {
            for (int i = 0; i < ranges.size; i += 3) {
                starts[ranges.values[i]] = true;
                starts[ranges.values[i + 1] + 1] = true;
            }
        }
        var classes = new int[256];
        for (int b = 1; b < 256; b++) classes[b] = classes[b - 1] + (starts[b] ? 1 : 0);
        return classes;
    }

    private static int[][] arrays(List<IntList> lists) { return lists.stream().map(IntList::toArray).toArray(int[][]::new); }
}
