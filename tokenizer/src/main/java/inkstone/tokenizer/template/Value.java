package inkstone.tokenizer.template;

import java.math.BigInteger;
import java.util.List;
import java.util.Map;

/**
 * What an expression of a template evaluates to: as much of Python's values as templates need. Never a Java object of the caller's, so a
 * template can reach nothing but what is listed here. All are immutable except {@link Generator}, namespaces and loops.
 * {@code equals} is Python's {@code ==} for values that may be dictionary keys; {@link Operators#equal} is the general one, with limits.
 */
sealed interface Value permits Text, Value.Numeric, Value.None, Value.Undefined, Value.Sequence, Value.Generator, Value.Dict, Value.Attributed, Value.Callable {
    /** Numbers and booleans: True is 1 in arithmetic and as a dictionary key. */
    sealed interface Numeric extends Value permits Int, Real, Bool {}

    record Int(BigInteger value) implements Numeric, Comparable<Int> {
        static Int of(long value) { return new Int(BigInteger.valueOf(value)); }
        @Override public boolean equals(Object other) { return other instanceof Numeric number && Numbers.equal(this, number); }
        @Override public int hashCode() { return Double.hashCode(value.doubleValue()); }
        @Override public int compareTo(Int other) { return value.compareTo(other.value); }
    }

    record Real(double value) implements Numeric {
        @Override public boolean equals(Object other) { return other instanceof Numeric number && Numbers.equal(this, number); }
        @Override public int hashCode() { return Double.hashCode(value + 0.0); }
    }

    record Bool(boolean value) implements Numeric {
        static final Bool TRUE = new Bool(true);
        static final Bool FALSE = new Bool(false);
        static Bool of(boolean value) { return value ? TRUE : FALSE; }
        @Override public boolean equals(Object other) { return other instanceof Numeric number && Numbers.equal(this, number); }
        @Override public int hashCode() { return Double.hashCode(value ? 1 : 0); }
    }

    enum None implements Value { NONE }

    /** A name or attribute that is not there: prints as nothing, and {@code why} is the error of most other uses. */
    record Undefined(String why) implements Value {}

    /** Lists, tuples and the other things with a length and an order. GROUP is groupby's pair of grouper and list. */
    record Sequence(Kind kind, List<Value> items) implements Value {
        enum Kind { LIST, TUPLE, GROUP, RANGE, KEYS, VALUES, ITEMS }
        static Sequence list(List<Value> items) { return new Sequence(Kind.LIST, items); }
        static Sequence tuple(Value... items) { return new Sequence(Kind.TUPLE, List.of(items)); }
        boolean isTuple() { return kind == Kind.TUPLE || kind == Kind.GROUP; }
        boolean indexed() { return kind.compareTo(Kind.RANGE) <= 0; }
    }

    /** What Python's lazy filters give: items that can be taken once. They are computed at once here; only the taking is lazy. */
    final class Generator implements Value {
        private List<Value> left;
        Generator(List<Value> items) { left = items; }

        List<Value> drain() {
            var all = left;
            left = List.of();
            return all;
        }

        /** The next item, or the value given where none is left. */
        Value next(Value otherwise) {
            if (left.isEmpty()) return otherwise;
            var first = left.getFirst();
            left = left.subList(1, left.size());
            return first;
        }
    }

    /** In the order of insertion. */
    record Dict(Map<Value, Value> entries) implements Value {}

    /** An object with named parts: namespace, loop, cycler. */
    non-sealed interface Attributed extends Value {
        String type();
        /** The part, or {@link Undefined}. */
        Value attribute(String name);
    }

    @FunctionalInterface
    non-sealed interface Callable extends Value {
        Value call(Run run, Arguments arguments);
    }

    default boolean truthy() {
        return switch (this) {
            case Text text -> !text.isEmpty();
            case Int number -> number.value.signum() != 0;
            case Real number -> number.value != 0;
            case Bool bool -> bool.value;
            case None _, Undefined _ -> false;
            case Sequence sequence -> !sequence.items.isEmpty();
            case Dict dict -> !dict.entries.isEmpty();
            case Generator _, Attributed _, Callable _ -> true;
        };
    }

    /** Python's name of the type, for messages. */
    default String type() {
        return switch (this) {
            case Text _ -> "str";
            case Int _ -> "int";
            case Real _ -> "float";
            case Bool _ -> "bool";
            case None _ -> "NoneType";
            case Undefined _ -> "Undefined";
            case Sequence sequence -> switch (sequence.kind) {
                case LIST -> "list";
                case TUPLE, GROUP -> "tuple";
                case RANGE -> "range";
                case KEYS -> "dict_keys";
                case VALUES -> "dict_values";
                case ITEMS -> "dict_items";
            };
            case Generator _ -> "generator";
            case Dict _ -> "dict";
            case Attributed object -> object.type();
            case Callable _ -> "function";
        };
    }
}
