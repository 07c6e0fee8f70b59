package inkstone.transformer.grammar;

import inkstone.transformer.grammar.Expression.Call;
import inkstone.transformer.grammar.Expression.Choice;
import inkstone.transformer.grammar.Expression.OneOf;
import inkstone.transformer.grammar.Expression.Repeat;
import inkstone.transformer.grammar.Expression.Sequence;
import inkstone.transformer.grammar.Expression.Words;
import java.util.BitSet;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;

/** Says by trying everything whether a text is in a language, and whether it begins one that is; for rules that all have finite texts. The oracle of the automaton. */
final class SlowMatcher {
    /* By identity of the arrays in the set: only to save time. */
    private static final Map<CharacterSet, List<int[]>> SPELLINGS = Collections.synchronizedMap(new WeakHashMap<>());

    private final Map<String, Expression> rules;
    private final byte[] text;
    private final Map<String, BitSet> known = new HashMap<>();
    private boolean ranOut;

    private SlowMatcher(Map<String, Expression> rules, byte[] text) {
        this.rules = rules;
        this.text = text;
    }

    static boolean accepts(Map<String, Expression> rules, byte[] text) { return new SlowMatcher(rules, text).ends(new Call("root"), 0).get(text.length); }

    /** Whether something, or nothing, can be added to the text so that it is accepted. */
    static boolean begins(Map<String, Expression> rules, byte[] text) {
        var matcher = new SlowMatcher(rules, text);
        return matcher.ends(new Call("root"), 0).get(text.length) || matcher.ranOut;
    }

    /** Where the expression may end when it begins at {@code from}. */
    private BitSet ends(Expression expression, int from) {
        var ends = new BitSet();
        switch (expression) {
            case Words(var words) -> {
                for (var word : words) {
                    int i = 0;
                    while (i < word.length && from + i < text.length && word[i] == text[from + i]) i++;
                    if (i == word.length) ends.set(from + i);
                    else if (from + i == text.length) ranOut = true;
                }
            }
            case OneOf(var set) -> {
                for (var ranges : SPELLINGS.computeIfAbsent(set, CharacterSet::utf8)) {
                    int i = 0, bytes = ranges.length / 2;
                    while (i < bytes && from + i < text.length && (text[from + i] & 0xFF) >= ranges[2 * i] && (text[from + i] & 0xFF) <= ranges[2 * i + 1]) i++;
                    if (i == bytes) ends.set(from + i);
                    else if (from + i == text.length) ranOut = true;
                }
            }
            case Sequence(var parts) -> {
                ends.set(from);
                for (var part : parts) ends = after(ends, part);
            }
            case Choice(var alternatives) -> { for (var alternative : alternatives) ends.or(ends(alternative, from)); }
            case Repeat(var part, int min, int max) -> {
                var at = new BitSet();
                at.set(from);
                if (min == 0) ends.or(at);
                for (int times = 1; times <= max && times <= min + text.length + 1 && !at.isEmpty(); times++) {
                    at = after(at, part);
                    if (times >= min) ends.or(at);
                }
            }
            case Call(var rule) -> {
                var found = known.get(rule + " " + from);
                if (found == null) known.put(rule + " " + from, found = ends(rules.get(rule), from));
                return found;
            }
        }
        return ends;
    }

    private BitSet after(BitSet starts, Expression part) {
        var ends = new BitSet();
        starts.stream().forEach(start -> ends.or(ends(part, start)));
        return ends;
    }
}
