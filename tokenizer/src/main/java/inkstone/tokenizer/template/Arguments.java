package inkstone.tokenizer.template;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The arguments of a call: those by position, then those by name. */
record Arguments(List<Value> positional, Map<String, Value> named) {
    static final Arguments NONE = new Arguments(List.of(), Map.of());

    static Arguments of(Value... positional) { return new Arguments(List.of(positional), Map.of()); }

    int count() { return positional.size() + named.size(); }

    /** The arguments without the first {@code count} by position. */
    Arguments from(int count) { return new Arguments(positional.subList(count, positional.size()), named); }

    /** Puts the arguments in the order of the parameters of a built-in; what it has no parameter for is an error. */
    Bound bind(Run run, String function, String... parameters) {
        if (positional.size() > parameters.length) {
            throw run.fail("%s takes at most %d arguments, not %d", function, parameters.length, positional.size());
        }
        var values = new ArrayList<Value>(positional);
        while (values.size() < parameters.length) values.add(Bound.ABSENT);
        named.forEach((name, value) -> {
            int index = List.of(parameters).indexOf(name);
            if (index < 0) throw run.fail("%s has no argument called %s", function, name);
            if (values.get(index) != Bound.ABSENT) throw run.fail("%s got its argument %s twice", function, name);
            values.set(index, value);
        });
        return new Bound(run, function, parameters, values);
    }

    /** Arguments by the index of their parameter. */
    record Bound(Run run, String function, String[] parameters, List<Value> values) {
        private static final Value ABSENT = new Value.Undefined("the argument was not given");

        boolean has(int index) { return values.get(index) != ABSENT; }

        /** Whether the argument was given and is not None. */
        boolean set(int index) { return has(index) && values.get(index) != Value.None.NONE; }

        Value get(int index) {
            if (!has(index)) throw run.fail("%s needs its argument %s", function, parameters[index]);
            return values.get(index);
        }

        Value get(int index, Value otherwise) { return has(index) ? values.get(index) : otherwise; }

        boolean flag(int index, boolean otherwise) { return has(index) ? values.get(index).truthy() : otherwise; }

        Text text(int index) {
            if (get(index) instanceof Text text) return text;
            throw run.fail("%s needs text for %s, not %s", function, parameters[index], get(index).type());
        }

        /** A whole number, cut off at the ends of int: nothing here is that long. */
        int integer(int index) {
            return switch (get(index)) {
                case Value.Int number -> Numbers.clamp(number.value());
                case Value.Bool bool -> bool.value() ? 1 : 0;
                default -> throw run.fail("%s needs a whole number for %s, not %s", function, parameters[index], get(index).type());
            };
        }

        int integer(int index, int otherwise) { return has(index) ? integer(index) : otherwise; }
    }
}
