package inkstone.tokenizer.template;

import inkstone.tokenizer.template.Value.Bool;
import inkstone.tokenizer.template.Value.Dict;
import inkstone.tokenizer.template.Value.Generator;
import inkstone.tokenizer.template.Value.Int;
import inkstone.tokenizer.template.Value.None;
import inkstone.tokenizer.template.Value.Numeric;
import inkstone.tokenizer.template.Value.Real;
import inkstone.tokenizer.template.Value.Sequence;
import inkstone.tokenizer.template.Value.Undefined;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Python's operators on values: arithmetic, comparison, membership, indexing, iteration. */
final class Operators {
    private Operators() {}

    static Value arithmetic(Run run, String operator, Value left, Value right) {
        if (left instanceof Numeric a && right instanceof Numeric b) return Numbers.arithmetic(run, operator, a, b);
        if (left instanceof Text a && right instanceof Text b && operator.equals("+")) {
            if (a.isMarkup() == b.isMarkup()) return a.plus(run, b);
            return a.isMarkup() ? a.plus(run, Printing.escape(run, b)) : Printing.escape(run, a).plus(run, b);
        }
        if (left instanceof Text format && operator.equals("%")) return Formatting.percent(run, format, right);
        if (left instanceof Sequence a && right instanceof Sequence b && operator.equals("+") && a.kind() == b.kind() && a.kind().compareTo(Sequence.Kind.TUPLE) <= 0) {
            run.items((long) a.items().size() + b.items().size());
            var joined = new ArrayList<Value>(a.items().size() + b.items().size());
            joined.addAll(a.items());
            joined.addAll(b.items());
            return new Sequence(a.kind(), joined);
        }
        if (operator.equals("*")) {
            if (left instanceof Numeric times && !(left instanceof Real)) return repeat(run, right, Numbers.clamp(Numbers.whole(times)));
            if (right instanceof Numeric times && !(right instanceof Real)) return repeat(run, left, Numbers.clamp(Numbers.whole(times)));
        }
        refuseUndefined(run, left);
        refuseUndefined(run, right);
        throw run.fail("'%s' does not work between %s and %s", operator, left.type(), right.type());
    }

    private static Value repeat(Run run, Value value, int times) {
        if (value instanceof Text text) {
            var repeated = new Text.Builder(run).repeat(text, times).toText();
            return text.isMarkup() ? repeated.asMarkup() : repeated;
        }
        if (!(value instanceof Sequence sequence) || sequence.kind().compareTo(Sequence.Kind.TUPLE) > 0) throw run.fail("%s cannot be repeated", value.type());
        if (sequence.items().isEmpty() || times <= 0) return new Sequence(sequence.kind(), List.of());
        run.items((long) sequence.items().size() * times);
        var repeated = new ArrayList<Value>(sequence.items().size() * times);
        for (int i = 0; i < times; i++) repeated.addAll(sequence.items());
        return new Sequence(sequence.kind(), repeated);
    }

    static void refuseUndefined(Run run, Value value) {
        if (value instanceof Undefined undefined) throw run.fail("%s", undefined.why());
    }

    static Numeric numeric(Run run, String operator, Value value) {
        if (value instanceof Numeric number) return number;
        refuseUndefined(run, value);
        throw run.fail("'%s' needs a number, not %s", operator, value.type());
    }

    /** {@code ==}, through lists and dictionaries. */
    static boolean equal(Run run, Value a, Value b) {
        run.step(1);
        if (a == b) return !(a instanceof Real real && Double.isNaN(real.value()));
        return switch (a) {
            case Text text -> {
                if (!(b instanceof Text other) || other.chars().length() != text.chars().length()) yield false;
                run.step(text.chars().length() / 16);
                yield text.equals(other);
            }
            case Numeric number -> b instanceof Numeric other && Numbers.equal(number, other);
            case Sequence list -> b instanceof Sequence other && (list.kind() == other.kind() || list.isTuple() && other.isTuple()) && equalItems(run, list.items(), other.items());
            case Dict dict -> b instanceof Dict other && equalEntries(run, dict.entries(), other.entries());
            case Undefined _ -> b instanceof Undefined;
            default -> false;
        };
    }

    private static boolean equalItems(Run run, List<Value> a, List<Value> b) {
        if (a.size() != b.size()) return false;
        run.enter();
        for (int i = 0; i < a.size(); i++) {
            if (!equal(run, a.get(i), b.get(i))) return false;
        }
        run.leave();
        return true;
    }

    private static boolean equalEntries(Run run, Map<Value, Value> a, Map<Value, Value> b) {
        if (a.size() != b.size()) return false;
        run.enter();
        for (var entry : a.entrySet()) {
            var other = b.get(entry.getKey());
            if (other == null || !equal(run, entry.getValue(), other)) return false;
        }
        run.leave();
        return true;
    }

    /** Order of two values, for {@code <} and sorting. */
    static int compare(Run run, Value a, Value b) {
        run.step(1);
        if (a instanceof Numeric x && b instanceof Numeric y) return Numbers.compare(x, y);
        if (a instanceof Text x && b instanceof Text y) {
            run.step(Math.min(x.chars().length(), y.chars().length()) / 16);
            return x.compareTo(y);
        }
        if (a instanceof Sequence x && b instanceof Sequence y && x.indexed() && (x.kind() == y.kind() || x.isTuple() && y.isTuple())) {
            run.enter();
            int order = 0, shorter = Math.min(x.items().size(), y.items().size());
            for (int i = 0; i < shorter && order == 0; i++) {
                if (!equal(run, x.items().get(i), y.items().get(i))) order = compare(run, x.items().get(i), y.items().get(i));
            }
            run.leave();
            return order != 0 ? order : Integer.compare(x.items().size(), y.items().size());
        }
        refuseUndefined(run, a);
        refuseUndefined(run, b);
        throw run.fail("%s and %s have no order", a.type(), b.type());
    }

    static boolean compares(Run run, String operator, Value a, Value b) {
        return switch (operator) {
            case "==" -> equal(run, a, b);
            case "!=" -> !equal(run, a, b);
            case "in" -> contains(run, b, a);
            case "not in" -> !contains(run, b, a);
            default -> {
                boolean unordered = a instanceof Real x && Double.isNaN(x.value()) || b instanceof Real y && Double.isNaN(y.value());
                int order = compare(run, a, b);
                yield !unordered && switch (operator) { case "<" -> order < 0; case "<=" -> order <= 0; case ">" -> order > 0; default -> order >= 0; };
            }
        };
    }

    static boolean contains(Run run, Value container, Value item) {
        return switch (container) {
            case Text text -> {
                if (!(item instanceof Text part)) {
                    refuseUndefined(run, item);
                    throw run.fail("'in' on text needs text, not %s", item.type());
                }
                run.step((text.chars().length() + part.chars().length()) / 4);
                yield Text.indexOf(text.chars(), part.chars(), 0) >= 0;
            }
            case Dict dict -> dict.entries().containsKey(key(run, item));
            default -> {
                for (var candidate : iterate(run, container)) {
                    if (equal(run, candidate, item)) yield true;
                }
                yield false;
            }
        };
    }

    /** The value if it can be a dictionary key; its parts are counted, for hashing walks through all of them. */
    static Value key(Run run, Value value) {
        run.step(1);
        switch (value) {
            case Text text -> run.step(text.chars().length() / 16);
            case Sequence tuple when tuple.isTuple() -> {
                run.enter();
                for (var item : tuple.items()) key(run, item);
                run.leave();
            }
            case Sequence _, Dict _, Generator _ -> throw run.fail("%s cannot be a key of a dictionary", value.type());
            default -> {}
        }
        return value;
    }

    /** What a for loop over the value goes through. */
    static List<Value> iterate(Run run, Value value) {
        return switch (value) {
            case Sequence sequence -> sequence.items();
            case Dict dict -> {
                run.items(dict.entries().size());
                yield List.copyOf(dict.entries().keySet());
            }
            case Generator generator -> generator.drain();
            case Text text -> {
                run.items(text.length());
                var characters = new ArrayList<Value>(text.length());
                for (int i = 0, end; i < text.chars().length(); i = end) {
                    end = text.chars().offsetByCodePoints(i, 1);
                    characters.add(text.slice(i, end).asPlain());
                }
                yield characters;
            }
            case Undefined _ -> List.of();
            default -> throw run.fail("%s cannot be gone through item by item", value.type());
        };
    }

    /** len() */
    static int length(Run run, Value value) {
        return switch (value) {
            case Text text -> text.length();
            case Sequence sequence -> sequence.items().size();
            case Dict dict -> dict.entries().size();
            case Undefined _ -> 0;
            default -> throw run.fail("%s has no length", value.type());
        };
    }

    /** {@code object.name}: a method or part if there is one, else the entry of a dictionary. */
    static Value attribute(Run run, Value object, Text name) {
        refuseUndefined(run, object);
        var method = Methods.of(object, name.chars());
        if (method instanceof Undefined && object instanceof Dict dict) {
            var entry = dict.entries().get(name);
            if (entry != null) return entry;
        }
        return method;
    }

    /** {@code object[key]}: an item if there is one, else a method or part of that name. */
    static Value item(Run run, Value object, Value key) {
        refuseUndefined(run, object);
        if (object instanceof Dict dict && !(key instanceof Sequence list && !list.isTuple() || key instanceof Dict)) {
            var entry = dict.entries().get(key(run, key));
            if (entry != null) return entry;
        } else if (key instanceof Numeric number && !(key instanceof Real)) {
            int index = Numbers.clamp(Numbers.whole(number));
            if (object instanceof Text text) {
                int from = index < 0 ? index + text.length() : index;
                if (from >= 0 && from < text.length()) {
                    int offset = text.offset(run, from);
                    return text.slice(offset, text.chars().offsetByCodePoints(offset, 1));
                }
            } else if (object instanceof Sequence sequence && sequence.indexed()) {
                int from = index < 0 ? index + sequence.items().size() : index;
                if (from >= 0 && from < sequence.items().size()) return sequence.items().get(from);
            }
        }
        if (key instanceof Text name) return Methods.of(object, name.chars());
        return new Undefined("%s has no item %s".formatted(object.type(), key instanceof Numeric ? Printing.string(run, key).chars() : "of type " + key.type()));
    }

    /** {@code object[start:stop:step]} */
    static Value slice(Run run, Value object, Value start, Value stop, Value step) {
        refuseUndefined(run, object);
        int stride = bound(run, step, 1);
        if (stride == 0) throw run.fail("a slice has the step 0");
        if (!(object instanceof Text || object instanceof Sequence sequence && sequence.indexed())) throw run.fail("a %s cannot be sliced", object.type());
        int length = length(run, object);
        int from = clip(bound(run, start, stride > 0 ? 0 : Integer.MAX_VALUE), length, stride);
        int to = clip(bound(run, stop, stride > 0 ? Integer.MAX_VALUE : Integer.MIN_VALUE), length, stride);
        if (object instanceof Text text && stride == 1) return from < to ? text.slice(text.offset(run, from), text.offset(run, to)) : Text.EMPTY;
        long count = Math.max(0, stride > 0 ? ((long) to - from + stride - 1) / stride : ((long) from - to - stride - 1L) / -(long) stride);
        run.items(count);
        var items = iterate(run, object);
        if (items instanceof Globals.Range range) return new Sequence(Sequence.Kind.RANGE, range.slice(from, to, stride, (int) count));
        var chosen = new ArrayList<Value>();
        for (long i = 0, at = from; i < count; i++, at += stride) chosen.add(items.get((int) at));
        if (object instanceof Text text) {
            var builder = new Text.Builder(run);
            for (var item : chosen) builder.append((Text) item);
            return text.isMarkup() ? builder.toText().asMarkup() : builder.toText();
        }
        var kind = ((Sequence) object).kind();
        return new Sequence(kind == Sequence.Kind.LIST ? kind : Sequence.Kind.TUPLE, chosen);
    }

    private static int bound(Run run, Value value, int otherwise) {
        return switch (value) {
            case None _ -> otherwise;
            case Int number -> Numbers.clamp(number.value());
            case Bool bool -> bool.value() ? 1 : 0;
            default -> throw run.fail("the bounds of a slice must be whole numbers, not %s", value.type());
        };
    }

    /** A bound of a slice inside 0..length, or -1..length-1 when going backwards. */
    private static int clip(int bound, int length, int stride) {
        long at = bound < 0 ? (long) bound + length : bound;
        return Math.clamp(at, stride > 0 ? 0 : -1, stride > 0 ? length : length - 1);
    }
}
