package inkstone.tokenizer.template;

import inkstone.tokenizer.template.Value.Callable;
import inkstone.tokenizer.template.Value.Dict;
import inkstone.tokenizer.template.Value.Int;
import inkstone.tokenizer.template.Value.None;
import inkstone.tokenizer.template.Value.Sequence;
import inkstone.tokenizer.template.Value.Undefined;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.AbstractList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The functions every template can call. */
final class Globals {
    static final Map<String, Callable> FUNCTIONS = Map.of(
            "range", Globals::range,
            "dict", Globals::dict,
            "namespace", (run, arguments) -> new Namespace(((Dict) dict(run, arguments)).entries()),
            "cycler", (run, arguments) -> new Cycler(arguments.positional()),
            "joiner", Globals::joiner,
            "raise_exception", (run, arguments) -> {
                throw new IllegalArgumentException(Printing.string(run, arguments.bind(run, "raise_exception", "message").get(0)).chars());
            },
            "strftime_now", (run, arguments) -> Text.untrusted(date(run, arguments.bind(run, "strftime_now", "format").text(0).chars())));

    private Globals() {}

    /** The whole numbers of a range, made when they are asked for. */
    static final class Range extends AbstractList<Value> {
        private final long start, stop, step;
        private final int size;

        Range(long start, long stop, long step, int size) {
            this.start = start;
            this.stop = stop;
            this.step = step;
            this.size = size;
        }

        Range slice(int from, int to, int stride, int count) { return new Range(start + from * step, start + to * step, step * stride, count); }

        @Override public Value get(int index) { return Int.of(start + index * step); }
        @Override public int size() { return size; }
        @Override public String toString() { return "range(" + start + ", " + stop + (step == 1 ? "" : ", " + step) + ")"; }
    }

    private static Value range(Run run, Arguments arguments) {
        var given = arguments.bind(run, "range", "start", "stop", "step");
        long start = given.has(1) ? given.integer(0) : 0, stop = given.has(1) ? given.integer(1) : given.integer(0), step = given.integer(2, 1);
        if (step == 0) throw run.fail("range has the step 0");
        long size = Math.max(0, step > 0 ? (stop - start + step - 1) / step : (start - stop - step - 1) / -step);
        if (size > Run.MAX_RANGE) throw run.fail("range would have %,d numbers; at most %,d", size, Run.MAX_RANGE);
        run.step(size);
        return new Sequence(Sequence.Kind.RANGE, new Range(start, stop, step, (int) size));
    }

    private static Value dict(Run run, Arguments arguments) {
        var entries = new LinkedHashMap<Value, Value>();
        if (!arguments.positional().isEmpty()) {
            var source = new Arguments(arguments.positional(), Map.of()).bind(run, "dict", "entries").get(0);
            if (source instanceof Dict dict) {
                run.items(dict.entries().size());
                entries.putAll(dict.entries());
            } else {
                for (var pair : Operators.iterate(run, source)) {
                    var parts = Operators.iterate(run, pair);
                    if (parts.size() != 2) throw run.fail("dict needs pairs of a key and a value");
                    entries.put(Operators.key(run, parts.get(0)), parts.get(1));
                }
            }
        }
        arguments.named().forEach((name, value) -> entries.put(Text.untrusted(name), value));
        return new Dict(entries);
    }

    private static Value joiner(Run run, Arguments arguments) {
        var separator = arguments.bind(run, "joiner", "sep").get(0, Text.untrusted(", "));
        var used = new boolean[1];
        return (Callable) (caller, none) -> {
            if (used[0]) return separator;
            used[0] = true;
            return Text.EMPTY;
        };
    }

    /** An object whose parts a template may set, also from inside loops, whose own variables end with each turn. */
    static final class Namespace implements Value.Attributed {
        private final Map<String, Value> parts = new HashMap<>();

        Namespace(Map<Value, Value> entries) { entries.forEach((name, value) -> parts.put(name.toString(), value)); }

        void set(String name, Value value) { parts.put(name, value); }

        @Override public String type() { return "Namespace"; }
        @Override public Value attribute(String name) { return parts.getOrDefault(name, new Undefined("the namespace has no attribute '" + name + "'")); }
    }

    /** Goes through its items again and again. */
    private static final class Cycler implements Value.Attributed {
        private final List<Value> items;
        private int at;

        Cycler(List<Value> items) { this.items = items; }

        @Override public String type() { return "Cycler"; }

        @Override public Value attribute(String name) {
            return switch (name) {
                case "current" -> current();
                case "next" -> (Callable) (run, arguments) -> {
                    var current = current();
                    at++;
                    return current;
                };
                case "reset" -> (Callable) (run, arguments) -> {
                    at = 0;
                    return None.NONE;
                };
                default -> new Undefined("a cycler has no attribute '" + name + "'");
            };
        }

        private Value current() { return items.isEmpty() ? new Undefined("a cycler has no items") : items.get(at % items.size()); }
    }

    /** The time of the run's clock as C's strftime writes it in the C locale; {@code %-d} is a number without leading zero. */
    private static String date(Run run, String format) {
        if (format.length() > 1_000) throw run.fail("strftime_now takes formats of at most 1,000 characters");
        var now = ZonedDateTime.now(run.clock());
        var text = new StringBuilder();
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%' || i + 1 == format.length()) {
                text.append(c);
                continue;
            }
            c = format.charAt(++i);
            run.step(200);
            boolean bare = c == '-' && i + 1 < format.length();
            if (bare) c = format.charAt(++i);
            var field = field(run, now, c);
            text.append(bare ? field.replaceFirst("^[0 ]+(?=.)", "") : field);
        }
        return text.toString();
    }

    private static String field(Run run, ZonedDateTime now, char letter) {
        if (letter == 'u') return String.valueOf(now.getDayOfWeek().getValue());
        var pattern = switch (letter) {
            case 'a' -> "EEE";
            case 'A' -> "EEEE";
            case 'b', 'h' -> "MMM";
            case 'B' -> "MMMM";
            case 'c' -> "EEE MMM ppd HH:mm:ss yyyy";
            case 'd' -> "dd";
            case 'D', 'x' -> "MM/dd/yy";
            case 'e' -> "ppd";
            case 'f' -> "SSSSSS";
            case 'F' -> "yyyy-MM-dd";
            case 'H' -> "HH";
            case 'I' -> "hh";
            case 'j' -> "DDD";
            case 'm' -> "MM";
            case 'M' -> "mm";
            case 'p' -> "a";
            case 'R' -> "HH:mm";
            case 'S' -> "ss";
            case 'T', 'X' -> "HH:mm:ss";
            case 'y' -> "yy";
            case 'Y' -> "yyyy";
            case 'z' -> "xx";
            case 'Z' -> "zzz";
            case '%' -> "'%'";
            default -> throw run.fail("strftime_now does not know '%%%s'", letter);
        };
        return DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(now);
    }
}
