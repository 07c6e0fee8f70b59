package inkstone.tokenizer.template;

import inkstone.tokenizer.template.Value.Bool;
import inkstone.tokenizer.template.Value.Callable;
import inkstone.tokenizer.template.Value.Int;
import inkstone.tokenizer.template.Value.Undefined;
import java.util.List;

/** The variable {@code loop} inside a for: where the loop is, its neighbours, and, for recursive loops, the loop itself as a function. */
final class Loop implements Value.Attributed, Callable {
    private final List<Value> items;
    private final int depth;
    private final Callable recursion;
    private int index = -1;
    private Value lastChanged;

    Loop(List<Value> items, int depth, Callable recursion) {
        this.items = items;
        this.depth = depth;
        this.recursion = recursion;
    }

    void next() { index++; }

    @Override public String type() { return "loop"; }

    @Override public Value call(Run run, Arguments arguments) { return recursion.call(run, arguments); }

    @Override public Value attribute(String name) {
        return switch (name) {
            case "index" -> Int.of(index + 1);
            case "index0" -> Int.of(index);
            case "revindex" -> Int.of(items.size() - index);
            case "revindex0" -> Int.of(items.size() - index - 1);
            case "first" -> Bool.of(index == 0);
            case "last" -> Bool.of(index == items.size() - 1);
            case "length" -> Int.of(items.size());
            case "previtem" -> index > 0 ? items.get(index - 1) : new Undefined("there is no item before the first");
            case "nextitem" -> index + 1 < items.size() ? items.get(index + 1) : new Undefined("there is no item after the last");
            case "depth" -> Int.of(depth);
            case "depth0" -> Int.of(depth - 1);
            case "cycle" -> (Callable) (run, arguments) -> {
                if (arguments.positional().isEmpty()) throw run.fail("loop.cycle needs something to go through");
                return arguments.positional().get(index % arguments.positional().size());
            };
            case "changed" -> (Callable) (run, arguments) -> {
                var now = Sequence.list(arguments.positional());
                boolean changed = lastChanged == null || !Operators.equal(run, lastChanged, now);
                lastChanged = now;
                return Bool.of(changed);
            };
            default -> new Undefined("loop has no attribute '" + name + "'");
        };
    }
}
