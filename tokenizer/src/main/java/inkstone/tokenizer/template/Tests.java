package inkstone.tokenizer.template;

import static java.util.Map.entry;

import inkstone.tokenizer.template.Value.Bool;
import inkstone.tokenizer.template.Value.Dict;
import inkstone.tokenizer.template.Value.Int;
import inkstone.tokenizer.template.Value.None;
import inkstone.tokenizer.template.Value.Numeric;
import inkstone.tokenizer.template.Value.Real;
import inkstone.tokenizer.template.Value.Sequence;
import inkstone.tokenizer.template.Value.Undefined;
import java.util.Map;

/** What {@code value is name(arguments)} asks. */
final class Tests {
    @FunctionalInterface
    private interface Test { boolean holds(Run run, Value value, Arguments arguments); }

    private static final Map<String, Test> TABLE = Map.ofEntries(
            entry("boolean", (run, value, arguments) -> value instanceof Bool),
            entry("callable", (run, value, arguments) -> value instanceof Value.Callable || value instanceof Undefined),
            entry("defined", (run, value, arguments) -> !(value instanceof Undefined)),
            entry("divisibleby", (run, value, arguments) -> remainder(run, value, other(run, "divisibleby", arguments)) == 0),
            entry("eq", compared("==")),
            entry("equalto", compared("==")),
            entry("==", compared("==")),
            entry("escaped", (run, value, arguments) -> value instanceof Text text && text.isMarkup()),
            entry("even", (run, value, arguments) -> remainder(run, value, Int.of(2)) == 0),
            entry("false", (run, value, arguments) -> value instanceof Bool bool && !bool.value()),
            entry("filter", (run, value, arguments) -> value instanceof Text name && Filters.exists(name.chars())),
            entry("float", (run, value, arguments) -> value instanceof Real),
            entry("ge", compared(">=")),
            entry(">=", compared(">=")),
            entry("greaterthan", compared(">")),
            entry("gt", compared(">")),
            entry(">", compared(">")),
            entry("in", compared("in")),
            entry("integer", (run, value, arguments) -> value instanceof Int),
            entry("iterable", (run, value, arguments) -> switch (value) {
                case Text _, Sequence _, Dict _, Value.Generator _, Undefined _, Loop _ -> true;
                default -> false;
            }),
            entry("le", compared("<=")),
            entry("<=", compared("<=")),
            entry("lessthan", compared("<")),
            entry("lt", compared("<")),
            entry("<", compared("<")),
            entry("lower", (run, value, arguments) -> method(run, value, "islower")),
            entry("mapping", (run, value, arguments) -> value instanceof Dict),
            entry("ne", compared("!=")),
            entry("!=", compared("!=")),
            entry("none", (run, value, arguments) -> value == None.NONE),
            entry("number", (run, value, arguments) -> value instanceof Numeric),
            entry("odd", (run, value, arguments) -> remainder(run, value, Int.of(2)) == 1),
            entry("sameas", (run, value, arguments) -> same(value, other(run, "sameas", arguments))),
            entry("sequence", (run, value, arguments) -> switch (value) {
                case Text _, Dict _, Undefined _ -> true;
                case Sequence list -> list.indexed();
                default -> false;
            }),
            entry("string", (run, value, arguments) -> value instanceof Text),
            entry("test", (run, value, arguments) -> value instanceof Text name && exists(name.chars())),
            entry("true", (run, value, arguments) -> value instanceof Bool bool && bool.value()),
            entry("undefined", (run, value, arguments) -> value instanceof Undefined),
            entry("upper", (run, value, arguments) -> method(run, value, "isupper")));

    private Tests() {}

    private static boolean exists(String name) { return TABLE.containsKey(name); }

    static boolean holds(Run run, String name, Value value, Arguments arguments) {
        var test = TABLE.get(name);
        if (test == null) throw run.fail("there is no test '%s'", name);
        run.step(1);
        return test.holds(run, value, arguments);
    }

    private static Test compared(String operator) {
        return (run, value, arguments) -> Operators.compares(run, operator, value, other(run, operator, arguments));
    }

    private static Value other(Run run, String name, Arguments arguments) { return arguments.bind(run, "the test '" + name + "'", "other").get(0); }

    private static double remainder(Run run, Value value, Value divisor) {
        var left = Operators.numeric(run, "%", value);
        return Numbers.real((Numeric) Numbers.arithmetic(run, "%", left, Operators.numeric(run, "%", divisor)));
    }

    private static boolean method(Run run, Value value, String name) {
        return TextMethods.TABLE.get(name).call(run, Printing.string(run, value), Arguments.NONE).truthy();
    }

    /** Python's {@code is}, as far as it is defined there: the same object, or the same small value. */
    private static boolean same(Value a, Value b) {
        return a == b || a.getClass() == b.getClass() && (a instanceof Numeric || a instanceof Text) && a.equals(b);
    }
}
