package inkstone.tokenizer.template;

import static java.util.Map.entry;

import inkstone.tokenizer.template.Arguments.Bound;
import inkstone.tokenizer.template.Methods.Method;
import inkstone.tokenizer.template.Value.Bool;
import inkstone.tokenizer.template.Value.Int;
import inkstone.tokenizer.template.Value.Sequence;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntPredicate;

/** The methods of Python's str. Each charges for the characters it will look at before it does. */
final class TextMethods {
    static final Map<String, Method<Text>> TABLE = Map.ofEntries(
            entry("capitalize", (run, text, arguments) -> capitalize(run, text)),
            entry("casefold", (run, text, arguments) -> text.map(run, s -> s.toUpperCase(Locale.ROOT).toLowerCase(Locale.ROOT))),
            entry("center", (run, text, arguments) -> justify(run, text, arguments.bind(run, "center", "width", "fillchar"), 'c')),
            entry("count", (run, text, arguments) -> count(run, text, arguments.bind(run, "count", "sub", "start", "end"))),
            entry("endswith", (run, text, arguments) -> affix(run, text, arguments.bind(run, "endswith", "suffix", "start", "end"), false)),
            entry("find", (run, text, arguments) -> Int.of(find(run, text, arguments.bind(run, "find", "sub", "start", "end"), true))),
            entry("format", Formatting::braces),
            entry("index", (run, text, arguments) -> found(run, find(run, text, arguments.bind(run, "index", "sub", "start", "end"), true))),
            entry("isalnum", (run, text, arguments) -> every(run, text, c -> Character.isLetterOrDigit(c) || Chars.isNumeric(c))),
            entry("isalpha", (run, text, arguments) -> every(run, text, Character::isLetter)),
            entry("isascii", (run, text, arguments) -> Bool.of(text.isEmpty() || every(run, text, c -> c < 128).value())),
            entry("isdecimal", (run, text, arguments) -> every(run, text, Character::isDigit)),
            entry("isdigit", (run, text, arguments) -> every(run, text, c -> Character.isDigit(c) || "²³¹⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉".indexOf(c) >= 0)),
            entry("islower", (run, text, arguments) -> cased(run, text, Character::isLowerCase)),
            entry("isnumeric", (run, text, arguments) -> every(run, text, Chars::isNumeric)),
            entry("isspace", (run, text, arguments) -> every(run, text, Chars::isSpace)),
            entry("istitle", (run, text, arguments) -> Bool.of(cased(run, text, c -> true).value() && title(run, text).equals(text))),
            entry("isupper", (run, text, arguments) -> cased(run, text, Character::isUpperCase)),
            entry("join", (run, text, arguments) -> join(run, text, arguments.bind(run, "join", "iterable").get(0))),
            entry("ljust", (run, text, arguments) -> justify(run, text, arguments.bind(run, "ljust", "width", "fillchar"), 'l')),
            entry("lower", (run, text, arguments) -> text.lower(run)),
            entry("lstrip", (run, text, arguments) -> strip(run, text, arguments.bind(run, "lstrip", "chars"), true, false)),
            entry("partition", (run, text, arguments) -> partition(run, text, arguments.bind(run, "partition", "sep"), true)),
            entry("removeprefix", (run, text, arguments) -> remove(run, text, arguments.bind(run, "removeprefix", "prefix"), true)),
            entry("removesuffix", (run, text, arguments) -> remove(run, text, arguments.bind(run, "removesuffix", "suffix"), false)),
            entry("replace", (run, text, arguments) -> {
                var given = arguments.bind(run, "replace", "old", "new", "count");
                return replace(run, text, given.text(0), given.text(1), given.integer(2, -1));
            }),
            entry("rfind", (run, text, arguments) -> Int.of(find(run, text, arguments.bind(run, "rfind", "sub", "start", "end"), false))),
            entry("rindex", (run, text, arguments) -> found(run, find(run, text, arguments.bind(run, "rindex", "sub", "start", "end"), false))),
            entry("rjust", (run, text, arguments) -> justify(run, text, arguments.bind(run, "rjust", "width", "fillchar"), 'r')),
            entry("rpartition", (run, text, arguments) -> partition(run, text, arguments.bind(run, "rpartition", "sep"), false)),
            entry("rsplit", (run, text, arguments) -> Sequence.list(split(run, text, arguments.bind(run, "rsplit", "sep", "maxsplit"), false))),
            entry("rstrip", (run, text, arguments) -> strip(run, text, arguments.bind(run, "rstrip", "chars"), false, true)),
            entry("split", (run, text, arguments) -> Sequence.list(split(run, text, arguments.bind(run, "split", "sep", "maxsplit"), true))),
            entry("splitlines", (run, text, arguments) -> Sequence.list(lines(run, text, arguments.bind(run, "splitlines", "keepends").flag(0, false)))),
            entry("startswith", (run, text, arguments) -> affix(run, text, arguments.bind(run, "startswith", "prefix", "start", "end"), true)),
            entry("strip", (run, text, arguments) -> strip(run, text, arguments.bind(run, "strip", "chars"), true, true)),
            entry("swapcase", (run, text, arguments) -> swapCase(run, text)),
            entry("title", (run, text, arguments) -> title(run, text)),
            entry("upper", (run, text, arguments) -> text.upper(run)),
            entry("zfill", (run, text, arguments) -> zeros(run, text, arguments.bind(run, "zfill", "width").integer(0))));

    private TextMethods() {}

    private static Bool every(Run run, Text text, IntPredicate test) {
        run.step(text.chars().length() / 4);
        return Bool.of(!text.isEmpty() && text.chars().codePoints().allMatch(test));
    }

    /** Whether there are letters with a case and all of them pass. */
    private static Bool cased(Run run, Text text, IntPredicate test) {
        run.step(text.chars().length() / 4);
        return Bool.of(text.chars().codePoints().anyMatch(Chars::isCased) && text.chars().codePoints().filter(Chars::isCased).allMatch(test));
    }

    static Text capitalize(Run run, Text text) {
        if (text.isEmpty()) return text;
        int first = text.chars().offsetByCodePoints(0, 1);
        return titleCase(run, text.slice(0, first)).plus(run, text.from(first).lower(run));
    }

    private static Text titleCase(Run run, Text character) {
        return character.map(run, s -> {
            int c = s.codePointAt(0), title = Character.toTitleCase(c);
            return title != c || s.length() > Character.charCount(c) ? Character.toString(title) : s.toUpperCase(Locale.ROOT);
        });
    }

    /** str.title: a letter after anything but a letter is large. */
    private static Text title(Run run, Text text) {
        var out = new Text.Builder(run);
        boolean inside = false;
        for (int i = 0, end; i < text.chars().length(); i = end) {
            end = text.chars().offsetByCodePoints(i, 1);
            boolean cased = Chars.isCased(text.chars().codePointAt(i));
            var character = text.slice(i, end);
            out.append(!cased ? character : inside ? character.lower(run) : titleCase(run, character));
            inside = cased;
        }
        return out.toText();
    }

    private static Text swapCase(Run run, Text text) {
        var out = new Text.Builder(run);
        for (int i = 0, end; i < text.chars().length(); i = end) {
            end = text.chars().offsetByCodePoints(i, 1);
            var character = text.slice(i, end);
            out.append(Character.isUpperCase(text.chars().codePointAt(i)) ? character.lower(run) : character.upper(run));
        }
        return out.toText();
    }

    private static Text justify(Run run, Text text, Bound given, char side) {
        var fill = given.has(1) ? given.text(1) : Text.untrusted(" ");
        if (fill.length() != 1) throw run.fail("%s needs one character to fill with", given.function());
        return pad(run, text, given.integer(0), fill, side);
    }

    static Text pad(Run run, Text text, int width, Text fill, char side) {
        int missing = width - text.length();
        if (missing <= 0) return text;
        int left = side == 'l' ? 0 : side == 'r' ? missing : missing / 2 + (missing & width & 1);
        return new Text.Builder(run).repeat(fill, left).append(text).repeat(fill, missing - left).toText();
    }

    private static Text zeros(Run run, Text text, int width) {
        int sign = text.chars().startsWith("-") || text.chars().startsWith("+") ? 1 : 0;
        return new Text.Builder(run).append(text, 0, sign).repeat(Text.untrusted("0"), (long) width - text.length()).append(text, sign, text.chars().length()).toText();
    }

    private static Value strip(Run run, Text text, Bound given, boolean left, boolean right) {
        return strip(run, text, given.set(0) ? given.text(0).chars() : "", !given.set(0), left, right);
    }

    /** Without the characters at the ends that are in {@code set}, or that are white space. */
    static Text strip(Run run, Text text, String set, boolean space, boolean left, boolean right) {
        var chars = text.chars();
        run.step(1 + chars.length() / 16 + Math.multiplyFull(set.length(), Math.min(chars.length(), 1 << 16)) / 256);
        if (set.length() > 256) throw run.fail("strip takes at most 256 different characters");
        int from = 0, to = chars.length();
        for (int c; left && from < to; from += Character.charCount(c)) {
            c = chars.codePointAt(from);
            if (space ? !Chars.isSpace(c) : set.indexOf(c) < 0) break;
        }
        for (int c; right && from < to; to -= Character.charCount(c)) {
            c = chars.codePointBefore(to);
            if (space ? !Chars.isSpace(c) : set.indexOf(c) < 0) break;
        }
        return text.slice(from, to);
    }

    private static Value remove(Run run, Text text, Bound given, boolean prefix) {
        var affix = given.text(0).chars();
        run.step(affix.length() / 16);
        if (prefix) return text.chars().startsWith(affix) ? text.from(affix.length()) : text;
        return !affix.isEmpty() && text.chars().endsWith(affix) ? text.slice(0, text.chars().length() - affix.length()) : text;
    }

    /** The part of the text that the optional arguments 1 and 2 choose, as slices do. */
    private static Text range(Run run, Text text, Bound given) {
        if (!given.set(1) && !given.set(2)) return text;
        return (Text) Operators.slice(run, text, given.get(1, Value.None.NONE), given.get(2, Value.None.NONE), Value.None.NONE);
    }

    private static Value affix(Run run, Text whole, Bound given, boolean prefix) {
        var text = range(run, whole, given);
        var candidates = given.get(0) instanceof Sequence tuple && tuple.isTuple() ? tuple.items() : List.<Value>of(given.text(0));
        for (var candidate : candidates) {
            if (!(candidate instanceof Text affix)) throw run.fail("%s needs texts, not %s", given.function(), candidate.type());
            run.step(1 + affix.chars().length() / 16);
            if (prefix ? text.chars().startsWith(affix.chars()) : text.chars().endsWith(affix.chars())) return Bool.TRUE;
        }
        return Bool.FALSE;
    }

    private static Value found(Run run, int position) {
        if (position < 0) throw run.fail("index found no such text");
        return Int.of(position);
    }

    /** The code point where the first or last occurrence begins, or -1. */
    private static int find(Run run, Text text, Bound given, boolean first) {
        var part = range(run, text, given);
        var wanted = given.text(0).chars();
        run.step((part.chars().length() + wanted.length()) / 4);
        int at = first ? Text.indexOf(part.chars(), wanted, 0) : lastIndexOf(part.chars(), wanted);
        if (at < 0) return -1;
        int start = given.set(1) ? ((Text) Operators.slice(run, text, Value.None.NONE, given.get(1), Value.None.NONE)).length() : 0;
        return start + part.codePoint(at);
    }

    private static int lastIndexOf(String text, String wanted) {
        int at = Text.indexOf(reversed(text), reversed(wanted), 0);
        return at < 0 ? -1 : text.length() - at - wanted.length();
    }

    private static String reversed(String text) { return new StringBuilder(text).reverse().toString(); }

    private static Value count(Run run, Text text, Bound given) {
        var part = range(run, text, given).chars();
        var wanted = given.text(0).chars();
        run.step((part.length() + wanted.length()) / 4);
        if (wanted.isEmpty()) return Int.of(part.codePointCount(0, part.length()) + 1);
        int count = 0;
        for (int at = Text.indexOf(part, wanted, 0); at >= 0; at = Text.indexOf(part, wanted, at + wanted.length())) count++;
        return Int.of(count);
    }

    private static Value partition(Run run, Text text, Bound given, boolean first) {
        var separator = given.text(0);
        if (separator.isEmpty()) throw run.fail("partition needs a separator that is not empty");
        run.step((text.chars().length() + separator.chars().length()) / 4);
        int at = first ? Text.indexOf(text.chars(), separator.chars(), 0) : lastIndexOf(text.chars(), separator.chars());
        if (at < 0) return first ? Sequence.tuple(text, Text.EMPTY, Text.EMPTY) : Sequence.tuple(Text.EMPTY, Text.EMPTY, text);
        return Sequence.tuple(text.slice(0, at), separator, text.from(at + separator.chars().length()));
    }

    /** {@code limit} below 0 replaces all. */
    static Text replace(Run run, Text text, Text old, Text replacement, int limit) {
        var chars = text.chars();
        run.step((chars.length() + old.chars().length()) / 4);
        var out = new Text.Builder(run);
        int from = 0;
        for (int count = 0; limit < 0 || count < limit; count++) {
            int at = Text.indexOf(chars, old.chars(), from);
            if (old.isEmpty()) {
                if (count > text.length()) break;
                at = count == 0 ? 0 : chars.offsetByCodePoints(from, 1);
            }
            if (at < 0) break;
            out.append(text, from, at).append(text.isMarkup() ? Printing.escape(run, replacement) : replacement);
            from = at + old.chars().length();
        }
        var replaced = out.append(text, from, chars.length()).toText();
        return text.isMarkup() ? replaced.asMarkup() : replaced;
    }

    private static Value join(Run run, Text separator, Value items) {
        var out = new Text.Builder(run);
        boolean first = true;
        for (var item : Operators.iterate(run, items)) {
            if (!(item instanceof Text text)) throw run.fail("join needs texts, but one item is %s", item.type());
            if (!first) out.append(separator);
            first = false;
            out.append(separator.isMarkup() ? Printing.escape(run, text) : text);
        }
        return separator.isMarkup() ? out.toText().asMarkup() : out.toText();
    }

    private static List<Value> split(Run run, Text text, Bound given, boolean forward) {
        int limit = given.integer(1, -1);
        if (limit < 0) limit = Integer.MAX_VALUE;
        run.step((text.chars().length() + 8) / 4);
        if (!given.set(0)) return forward ? words(run, text, limit) : wordsFromEnd(run, text, limit);
        var separator = given.text(0);
        if (separator.isEmpty()) throw run.fail("split needs a separator that is not empty");
        run.step(separator.chars().length() / 4);
        return forward ? parts(run, text, separator.chars(), limit) : partsFromEnd(run, text, separator.chars(), limit);
    }

    private static List<Value> parts(Run run, Text text, String separator, int limit) {
        var parts = new ArrayList<Value>();
        int from = 0;
        for (int at; parts.size() < limit && (at = Text.indexOf(text.chars(), separator, from)) >= 0; from = at + separator.length()) add(run, parts, text.slice(from, at));
        add(run, parts, text.from(from));
        return parts;
    }

    private static List<Value> partsFromEnd(Run run, Text text, String separator, int limit) {
        var parts = new ArrayList<Value>();
        String chars = reversed(text.chars()), wanted = reversed(separator);
        int length = chars.length(), from = 0;
        for (int at; parts.size() < limit && (at = Text.indexOf(chars, wanted, from)) >= 0; from = at + wanted.length()) add(run, parts, text.slice(length - at, length - from));
        add(run, parts, text.slice(0, length - from));
        Collections.reverse(parts);
        return parts;
    }

    private static List<Value> words(Run run, Text text, int limit) {
        var words = new ArrayList<Value>();
        var chars = text.chars();
        for (int at = Chars.skipSpace(chars, 0), end; at < chars.length(); at = Chars.skipSpace(chars, end)) {
            end = at;
            if (words.size() == limit) {
                end = chars.length();
            } else {
                while (end < chars.length() && !Chars.isSpace(chars.charAt(end))) end++;
            }
            add(run, words, text.slice(at, end));
        }
        return words;
    }

    private static List<Value> wordsFromEnd(Run run, Text text, int limit) {
        var words = new ArrayList<Value>();
        var chars = text.chars();
        for (int end = Chars.trimEnd(chars, chars.length()), from; end > 0; end = Chars.trimEnd(chars, from)) {
            from = end;
            if (words.size() == limit) {
                from = 0;
            } else {
                while (from > 0 && !Chars.isSpace(chars.charAt(from - 1))) from--;
            }
            add(run, words, text.slice(from, end));
        }
        Collections.reverse(words);
        return words;
    }

    static List<Value> lines(Run run, Text text, boolean keepEnds) {
        var lines = new ArrayList<Value>();
        var chars = text.chars();
        run.step(chars.length() / 4);
        for (int from = 0; from < chars.length(); ) {
            int end = from;
            while (end < chars.length() && !Chars.isLineBreak(chars.charAt(end))) end++;
            int next = end == chars.length() ? end : chars.startsWith("\r\n", end) ? end + 2 : end + 1;
            add(run, lines, text.slice(from, keepEnds ? next : end));
            from = next;
        }
        return lines;
    }

    private static void add(Run run, List<Value> parts, Text part) {
        run.chars(part.chars().length(), part.chars().length());
        parts.add(part);
    }
}
