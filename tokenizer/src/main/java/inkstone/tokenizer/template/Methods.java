package inkstone.tokenizer.template;

import inkstone.tokenizer.template.Value.Callable;
import inkstone.tokenizer.template.Value.Dict;
import inkstone.tokenizer.template.Value.Generator;
import inkstone.tokenizer.template.Value.Int;
import inkstone.tokenizer.template.Value.None;
import inkstone.tokenizer.template.Value.Sequence;
import inkstone.tokenizer.template.Value.Undefined;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What stands behind the point: methods of texts, lists and dictionaries, and the parts of objects. Those that change their object are
 * refused, as in Jinja's immutable sandbox.
 */
final class Methods {
    /** A method with the object it is called on. */
    @FunctionalInterface
    interface Method<T extends Value> { Value call(Run run, T object, Arguments arguments); }

    private static final Set<String> CHANGING = Set.of("append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update");

    private static final Map<String, Method<Dict>> DICT = Map.of(
            "get", Methods::get,
            "items", (run, dict, arguments) -> new Sequence(Sequence.Kind.ITEMS, entries(run, dict)),
            "keys", (run, dict, arguments) -> new Sequence(Sequence.Kind.KEYS, Operators.iterate(run, dict)),
            "values", (run, dict, arguments) -> {
                run.items(dict.entries().size());
                return new Sequence(Sequence.Kind.VALUES, new ArrayList<>(dict.entries().values()));
            },
            "copy", (run, dict, arguments) -> dict);

    private static final Map<String, Method<Sequence>> LIST = Map.of(
            "index", (run, list, arguments) -> {
                var given = arguments.bind(run, "index", "value");
                for (int i = 0; i < list.items().size(); i++) {
                    if (Operators.equal(run, list.items().get(i), given.get(0))) return Int.of(i);
                }
                throw run.fail("index found no such item in the list");
            },
            "count", (run, list, arguments) -> {
                var wanted = arguments.bind(run, "count", "value").get(0);
                int count = 0;
                for (var item : list.items()) if (Operators.equal(run, item, wanted)) count++;
                return Int.of(count);
            },
            "copy", (run, list, arguments) -> list);

    private Methods() {}

    /** The method or part of that name, or undefined. */
    static Value of(Value object, String name) {
        return switch (object) {
            case Text text -> bound(TextMethods.TABLE.get(name), text, name);
            case Dict dict -> DICT.containsKey(name) ? bound(DICT.get(name), dict, name) : missing(object, name, CHANGING.contains(name));
            case Sequence sequence when sequence.kind() == Sequence.Kind.GROUP && name.equals("grouper") -> sequence.items().get(0);
            case Sequence sequence when sequence.kind() == Sequence.Kind.GROUP && name.equals("list") -> sequence.items().get(1);
            case Sequence sequence when sequence.kind() == Sequence.Kind.LIST || sequence.indexed() && !name.equals("copy") ->
                LIST.containsKey(name) ? bound(LIST.get(name), sequence, name) : missing(object, name, sequence.kind() == Sequence.Kind.LIST && CHANGING.contains(name));
            case Value.Attributed parts -> parts.attribute(name);
            default -> missing(object, name, false);
        };
    }

    private static <T extends Value> Value bound(Method<T> method, T object, String name) {
        if (method == null) return missing(object, name, false);
        return (Callable) (run, arguments) -> {
            run.step(1);
            return method.call(run, object, arguments);
        };
    }

    private static Undefined missing(Value object, String name, boolean changing) {
        return new Undefined(changing ? "%s.%s would change its object, which templates must not".formatted(object.type(), name)
                : "'%s object' has no attribute '%s'".formatted(object.type(), name));
    }

    private static Value get(Run run, Dict dict, Arguments arguments) {
        var given = arguments.bind(run, "get", "key", "default");
        var value = dict.entries().get(Operators.key(run, given.get(0)));
        return value != null ? value : given.get(1, None.NONE);
    }

    /** The entries as pairs. */
    static List<Value> entries(Run run, Dict dict) {
        run.items(dict.entries().size());
        var pairs = new ArrayList<Value>(dict.entries().size());
        dict.entries().forEach((key, value) -> pairs.add(Sequence.tuple(key, value)));
        return pairs;
    }

    /** The same, as the filter items gives it: nothing for what is undefined. */
    static Value items(Run run, Value value, Arguments arguments) {
        arguments.bind(run, "items");
        return switch (value) {
            case Undefined _ -> new Generator(List.of());
            case Dict dict -> new Generator(entries(run, dict));
            default -> throw run.fail("items needs a dictionary, not %s", value.type());
        };
    }
}
