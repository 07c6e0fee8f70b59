package inkstone.tokenizer.template;

import static java.util.Map.entry;

import inkstone.tokenizer.template.Filters.Filter;
import inkstone.tokenizer.template.Value.Dict;
import inkstone.tokenizer.template.Value.Generator;
import inkstone.tokenizer.template.Value.Int;
import inkstone.tokenizer.template.Value.None;
import inkstone.tokenizer.template.Value.Sequence;
import inkstone.tokenizer.template.Value.Undefined;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Filters that go through lists. Where Jinja's are lazy the result can be taken only once, as there. */
final class ListFilters {
    static final Map<String, Filter> TABLE = Map.ofEntries(
            entry("batch", ListFilters::batch),
            entry("dictsort", ListFilters::dictSort),
            entry("first", (run, value, arguments) -> first(run, value)),
            entry("groupby", ListFilters::groupBy),
            entry("join", ListFilters::join),
            entry("last", (run, value, arguments) -> last(run, value)),
            entry("list", (run, value, arguments) -> copy(run, value)),
            entry("map", ListFilters::map),
            entry("max", (run, value, arguments) -> extreme(run, value, arguments, "max", 1)),
            entry("min", (run, value, arguments) -> extreme(run, value, arguments, "min", -1)),
            entry("reject", (run, value, arguments) -> choose(run, value, UnaryOperator.identity(), arguments, false)),
            entry("rejectattr", (run, value, arguments) -> choose(run, value, firstAttribute(run, arguments), arguments.from(1), false)),
            entry("reverse", (run, value, arguments) -> reverse(run, value)),
            entry("select", (run, value, arguments) -> choose(run, value, UnaryOperator.identity(), arguments, true)),
            entry("selectattr", (run, value, arguments) -> choose(run, value, firstAttribute(run, arguments), arguments.from(1), true)),
            entry("slice", ListFilters::slices),
            entry("sort", ListFilters::sort),
            entry("sum", ListFilters::sum),
            entry("unique", ListFilters::unique));

    private ListFilters() {}

    private static List<Value> items(Run run, Value value) {
        var items = Operators.iterate(run, value);
        run.items(items.size());
        return items;
    }

    /** For map and select, which take anything that is false as an empty list: {@code message.tool_calls|selectattr(...)} may meet None. */
    private static List<Value> itemsIfTrue(Run run, Value value) { return value.truthy() ? items(run, value) : List.of(); }

    private static Sequence copy(Run run, Value value) { return Sequence.list(new ArrayList<>(items(run, value))); }

    /** What gets {@code a.b.0} out of an item: every part is looked up as {@code item[part]}; None is the item itself. */
    private static UnaryOperator<Value> attribute(Run run, Value name, Value otherwise) {
        if (name == None.NONE) return UnaryOperator.identity();
        var parts = new ArrayList<Value>();
        if (name instanceof Text text) {
            run.items(text.chars().length());
            for (var part : text.chars().split("\\.", -1)) {
                boolean index = !part.isEmpty() && part.length() < 10 && part.chars().allMatch(c -> c >= '0' && c <= '9');
                parts.add(index ? Int.of(Integer.parseInt(part)) : Text.untrusted(part));
            }
        } else {
            parts.add(name);
        }
        return item -> {
            run.step(parts.size());
            for (var part : parts) {
                item = Operators.item(run, item, part);
                if (item instanceof Undefined && otherwise != None.NONE) item = otherwise;
            }
            return item;
        };
    }

    private static UnaryOperator<Value> firstAttribute(Run run, Arguments arguments) {
        if (arguments.positional().isEmpty()) throw run.fail("selectattr and rejectattr need the name of an attribute");
        return attribute(run, arguments.positional().getFirst(), None.NONE);
    }

    private static Value folded(Run run, Value value, boolean caseSensitive) { return value instanceof Text text && !caseSensitive ? text.lower(run) : value; }

    private static Value first(Run run, Value value) {
        var none = new Undefined("there is no first item, the list is empty");
        if (value instanceof Generator generator) return generator.next(none);
        if (value instanceof Text text) return text.isEmpty() ? none : text.slice(0, text.chars().offsetByCodePoints(0, 1));
        var items = Operators.iterate(run, value);
        return items.isEmpty() ? none : items.getFirst();
    }

    private static Value last(Run run, Value value) {
        if (value instanceof Generator) throw run.fail("last needs a list; put list before it");
        if (value instanceof Text text && !text.isEmpty()) return text.from(text.chars().offsetByCodePoints(text.chars().length(), -1));
        var items = Operators.iterate(run, value);
        return items.isEmpty() ? new Undefined("there is no last item, the list is empty") : items.getLast();
    }

    private static Value reverse(Run run, Value value) {
        var items = new ArrayList<>(items(run, value));
        Collections.reverse(items);
        if (!(value instanceof Text)) return new Generator(items);
        var out = new Text.Builder(run);
        for (var character : items) out.append((Text) character);
        return out.toText();
    }

    private static Value join(Run run, Value value, Arguments arguments) {
        var given = arguments.bind(run, "join", "d", "attribute");
        var separator = Printing.string(run, given.get(0, Text.EMPTY));
        var getter = attribute(run, given.get(1, None.NONE), None.NONE);
        var out = new Text.Builder(run);
        boolean first = true;
        for (var item : items(run, value)) {
            if (!first) out.append(separator);
            first = false;
            out.append(Printing.string(run, getter.apply(item)));
        }
        return out.toText();
    }

    /** By attribute, or through the filter whose name comes first. */
    private static Value map(Run run, Value value, Arguments arguments) {
        var mapped = new ArrayList<Value>();
        if (arguments.positional().isEmpty() && arguments.named().containsKey("attribute")) {
            var given = arguments.bind(run, "map", "attribute", "default");
            var getter = attribute(run, given.get(0), given.get(1, None.NONE));
            for (var item : itemsIfTrue(run, value)) mapped.add(getter.apply(item));
        } else {
            if (arguments.positional().isEmpty() || !(arguments.positional().getFirst() instanceof Text name)) {
                throw run.fail("map needs the name of a filter or an attribute");
            }
            for (var item : itemsIfTrue(run, value)) mapped.add(Filters.apply(run, name.chars(), item, arguments.from(1)));
        }
        return new Generator(mapped);
    }

    /** The items for which the test that comes first in the arguments holds, or truth where there is none. */
    private static Value choose(Run run, Value value, UnaryOperator<Value> getter, Arguments arguments, boolean wanted) {
        var chosen = new ArrayList<Value>();
        for (var item : itemsIfTrue(run, value)) {
            var part = getter.apply(item);
            boolean holds;
            if (arguments.positional().isEmpty()) {
                holds = part.truthy();
            } else {
                if (!(arguments.positional().getFirst() instanceof Text test)) throw run.fail("the name of a test must be text");
                holds = Tests.holds(run, test.chars(), part, arguments.from(1));
            }
            if (holds == wanted) chosen.add(item);
        }
        return new Generator(chosen);
    }

    private static Value sort(Run run, Value value, Arguments arguments) {
        var given = arguments.bind(run, "sort", "reverse", "case_sensitive", "attribute");
        boolean caseSensitive = given.flag(1, false);
        var getters = new ArrayList<UnaryOperator<Value>>();
        if (given.set(2) && given.get(2) instanceof Text names) {
            for (var name : names.chars().split(",", -1)) getters.add(attribute(run, Text.untrusted(name), None.NONE));
        } else {
            getters.add(attribute(run, given.get(2, None.NONE), None.NONE));
        }
        record Keyed(List<Value> keys, Value item) {}
        var keyed = new ArrayList<Keyed>();
        for (var item : items(run, value)) keyed.add(new Keyed(getters.stream().map(getter -> folded(run, getter.apply(item), caseSensitive)).toList(), item));
        Comparator<Keyed> order = (a, b) -> Operators.compare(run, Sequence.list(a.keys), Sequence.list(b.keys));
        keyed.sort(given.flag(0, false) ? order.reversed() : order);
        return Sequence.list(keyed.stream().map(Keyed::item).toList());
    }

    private static Value dictSort(Run run, Value value, Arguments arguments) {
        var given = arguments.bind(run, "dictsort", "case_sensitive", "by", "reverse");
        Operators.refuseUndefined(run, value);
        if (!(value instanceof Dict dict)) throw run.fail("dictsort needs a dictionary, not %s", value.type());
        var by = given.has(1) ? given.text(1).chars() : "key";
        if (!by.equals("key") && !by.equals("value")) throw run.fail("dictsort sorts by 'key' or 'value'");
        int index = by.equals("key") ? 0 : 1;
        boolean caseSensitive = given.flag(0, false);
        var pairs = new ArrayList<>(Methods.entries(run, dict));
        UnaryOperator<Value> key = pair -> folded(run, ((Sequence) pair).items().get(index), caseSensitive);
        Comparator<Value> order = (a, b) -> Operators.compare(run, key.apply(a), key.apply(b));
        pairs.sort(given.flag(2, false) ? order.reversed() : order);
        return Sequence.list(pairs);
    }

    private static Value groupBy(Run run, Value value, Arguments arguments) {
        var given = arguments.bind(run, "groupby", "attribute", "default", "case_sensitive");
        var getter = attribute(run, given.get(0), given.get(1, None.NONE));
        boolean caseSensitive = given.flag(2, false);
        UnaryOperator<Value> folded = item -> folded(run, getter.apply(item), caseSensitive);
        var items = new ArrayList<>(items(run, value));
        items.sort((a, b) -> Operators.compare(run, folded.apply(a), folded.apply(b)));
        var groups = new ArrayList<Value>();
        for (int from = 0, to; from < items.size(); from = to) {
            var key = getter.apply(items.get(from));
            to = from + 1;
            while (to < items.size() && Operators.equal(run, folded.apply(items.get(from)), folded.apply(items.get(to)))) to++;
            groups.add(new Sequence(Sequence.Kind.GROUP, List.of(key, Sequence.list(List.copyOf(items.subList(from, to))))));
        }
        return Sequence.list(groups);
    }

    private static Value unique(Run run, Value value, Arguments arguments) {
        var given = arguments.bind(run, "unique", "case_sensitive", "attribute");
        var getter = attribute(run, given.get(1, None.NONE), None.NONE);
        var seen = new HashSet<Value>();
        var unique = new ArrayList<Value>();
        for (var item : items(run, value)) {
            if (seen.add(Operators.key(run, folded(run, getter.apply(item), given.flag(0, false))))) unique.add(item);
        }
        return new Generator(unique);
    }

    private static Value extreme(Run run, Value value, Arguments arguments, String name, int sign) {
        var given = arguments.bind(run, name, "case_sensitive", "attribute");
        var getter = attribute(run, given.get(1, None.NONE), None.NONE);
        Value best = new Undefined("there is no %s, the list is empty".formatted(name)), bestKey = best;
        for (var item : items(run, value)) {
            var key = folded(run, getter.apply(item), given.flag(0, false));
            if (bestKey == best && best instanceof Undefined || sign * Operators.compare(run, key, bestKey) > 0) {
                best = item;
                bestKey = key;
            }
        }
        return best;
    }

    private static Value sum(Run run, Value value, Arguments arguments) {
        var given = arguments.bind(run, "sum", "attribute", "start");
        var getter = attribute(run, given.get(0, None.NONE), None.NONE);
        var total = given.get(1, Int.of(0));
        if (total instanceof Text) throw run.fail("sum does not add texts; use join");
        for (var item : items(run, value)) total = Operators.arithmetic(run, "+", total, getter.apply(item));
        return total;
    }

    /** Lists of {@code linecount} items, the last filled up if there is something to fill with. */
    private static Value batch(Run run, Value value, Arguments arguments) {
        var given = arguments.bind(run, "batch", "linecount", "fill_with");
        int size = given.integer(0);
        if (size < 1) throw run.fail("batch needs at least one item a row");
        var items = items(run, value);
        var batches = new ArrayList<Value>();
        for (int from = 0; from < items.size(); from += Math.min(size, items.size() - from)) {
            var batch = new ArrayList<>(items.subList(from, (int) Math.min((long) from + size, items.size())));
            fill(run, batch, given.get(1, None.NONE), size);
            batches.add(Sequence.list(batch));
        }
        return new Generator(batches);
    }

    private static void fill(Run run, List<Value> row, Value filling, int size) {
        if (filling == None.NONE) return;
        run.items(size);
        while (row.size() < size) row.add(filling);
    }

    /** {@code slices} lists of about equal length. */
    private static Value slices(Run run, Value value, Arguments arguments) {
        var given = arguments.bind(run, "slice", "slices", "fill_with");
        int count = given.integer(0);
        if (count < 1) throw run.fail("slice needs at least one row");
        run.items(count);
        var items = items(run, value);
        int size = items.size() / count, longer = items.size() % count, from = 0;
        var rows = new ArrayList<Value>();
        for (int i = 0; i < count; i++) {
            int to = from + size + (i < longer ? 1 : 0);
            var row = new ArrayList<>(items.subList(from, to));
            if (i >= longer) fill(run, row, given.get(1, None.NONE), size + 1);
            rows.add(Sequence.list(row));
            from = to;
        }
        return new Generator(rows);
    }
}
