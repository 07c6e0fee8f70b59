package inkstone.transformer.grammar;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.transformer.grammar.Expression.Call;
import inkstone.transformer.grammar.Expression.Choice;
import inkstone.transformer.grammar.Expression.OneOf;
import inkstone.transformer.grammar.Expression.Repeat;
import inkstone.transformer.grammar.Expression.Sequence;
import inkstone.transformer.grammar.Expression.Words;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.node.JsonNodeFactory;

/** The automaton and its token masks against {@link SlowMatcher}, on random grammars that go through the parser as text. */
class MatchingTest {
    private static final long SEED = 20261123;
    private static final String[] LETTERS = {"a", "b", "\u00E9", "\u4F60", "\uD83D\uDE00", "\n", "]"};
    private static final Spelled TOKENIZER = tokenizer();

    private static Spelled tokenizer() {
        var spelled = Spelled.of("aa", "ab", "ba", "bb", "aab", "abab", "\u00E9a", "b\u00E9", "a\nb", "]]", "a]", "\u4F60\u4F60", "\uD83D\uDE00a", "bbbbbb", "aaaaaa");
        spelled.spellings().add(new byte[] {(byte) 0xA9, 'a', 'b'});
        spelled.spellings().add(new byte[] {'b', (byte) 0xC3});
        spelled.spellings().add(new byte[] {(byte) 0xBD, (byte) 0xA0, (byte) 0xE4});
        return spelled;
    }

    @Test void randomGrammarsAcceptWhatTheSlowMatcherDoes() {
        var random = new Random(SEED);
        int accepted = 0, compiled = 0;
        for (int n = 0; n < 500; n++) {
            var rules = rules(random);
            Grammar grammar;
            try {
                grammar = Grammar.gbnf(print(rules));
            } catch (IllegalArgumentException e) {
                if (!e.getMessage().contains("left recursion")) throw new AssertionError("case " + n + "\n" + print(rules), e);
                continue;
            }
            compiled++;
            for (int t = 0; t < 30; t++) {
                var text = text(random);
                boolean expected = SlowMatcher.accepts(rules, text.getBytes(StandardCharsets.UTF_8));
                if (expected) accepted++;
                assertEquals(expected, grammar.accepts(text), () -> "seed %d: \"%s\" in\n%s".formatted(SEED, text, print(rules)));
            }
        }
        assertTrue(compiled > 150 && accepted > 500, compiled + " grammars and " + accepted + " texts are too few to say anything");
    }

    @Test void masksAllowWhatTheSlowMatcherCanGoOnFrom() {
        var random = new Random(SEED);
        var vocabulary = Vocabulary.of(TOKENIZER);
        for (int n = 0; n < 80; n++) {
            var rules = rules(random);
            Grammar grammar;
            try {
                grammar = Grammar.gbnf(print(rules));
            } catch (IllegalArgumentException _) {
                continue;                                                               // left recursion, as the other test knows
            }
            var constraint = grammar.constraint(vocabulary);
            var text = new ByteArrayOutputStream();
            for (int step = 0; step < 6; step++) {
                var logits = new float[TOKENIZER.vocabularySize()];
                for (int i = 0; i < logits.length; i++) logits[i] = random.nextFloat() + (i > 256 ? 1 : 0);
                constraint.mask(logits, 0, logits.length);
                for (int token = 0; token < logits.length; token++) {
                    if (token > 0 && token <= 256 && random.nextInt(16) > 0) continue;       // some of the single bytes, all of the others
                    var longer = new ByteArrayOutputStream();
                    longer.writeBytes(text.toByteArray());
                    longer.writeBytes(TOKENIZER.bytes(token));
                    boolean expected = token == 0 ? SlowMatcher.accepts(rules, text.toByteArray()) : SlowMatcher.begins(rules, longer.toByteArray());
                    int id = token;
                    assertEquals(expected, logits[token] > Float.NEGATIVE_INFINITY, () -> "seed %d: token %d after \"%s\" in\n%s".formatted(SEED, id, text, print(rules)));
                }
                int best = Walks.best(logits);
                if (best == 0) break;
                constraint.accept(best);
                text.writeBytes(TOKENIZER.bytes(best));
            }
        }
    }

    @Test void depthEndsBeforeTheStackDoes() {
        var tokenizer = Spelled.json();
        var vocabulary = Vocabulary.of(tokenizer);
        var constraint = Grammar.jsonSchema(JsonNodeFactory.instance.booleanNode(true)).constraint(vocabulary);
        int opened = 0, length = 0;
        var logits = new float[tokenizer.vocabularySize()];
        for (int step = 0; step < 5_000; step++) {                                      // a model that only wants to open brackets
            for (int i = 0; i < logits.length; i++) logits[i] = -i;
            logits[1 + '['] = 100;
            logits[1 + '{'] = 90;
            logits[1 + '}'] = logits[1 + ']'] = 80;
            constraint.mask(logits, 0, logits.length);
            int best = Walks.best(logits);
            if (best == 0) break;
            if (best == 1 + '[' || best == 1 + '{') opened++;
            constraint.accept(best);
            length += tokenizer.bytes(best).length;
        }
        constraint.mask(logits, 0, logits.length);
        assertTrue(opened >= 64, opened + " brackets");
        assertTrue(length < 5_000, "the answer of " + length + " bytes came to its end");
    }

    @Test void anAmbiguousGrammarStaysSmall() {
        var grammar = Grammar.gbnf("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"x\"");
        assertTrue(grammar.accepts("a".repeat(60) + "x" + "bc".repeat(30)));
        assertFalse(grammar.accepts("a".repeat(60) + "x" + "bc".repeat(29)));
    }

    @Test void rightRecursionNeedsNoDepth() { assertTrue(Grammar.gbnf("root ::= \"a\" root | \"a\"").accepts("a".repeat(100_000))); }

    @Test void aTokenThatDoesNotFitIsRefused() {
        var constraint = Grammar.gbnf("root ::= \"yes\" | \"no\"").constraint(Vocabulary.of(TOKENIZER));
        constraint.accept(1 + 'y');
        assertThrows(IllegalArgumentException.class, () -> constraint.accept(1 + 'o'));
        assertThrows(IllegalArgumentException.class, () -> constraint.accept(0));
        assertThrows(IllegalArgumentException.class, () -> constraint.accept(-1));
        assertThrows(IllegalArgumentException.class, () -> constraint.accept(1 << 20));
    }

    @Test void aVocabularyThatCannotSpellTheGrammarSaysSo() {
        var letters = new Spelled(List.of(new byte[0], new byte[] {'a'}));
        var constraint = Grammar.gbnf("root ::= \"ab\"").constraint(Vocabulary.of(letters));
        constraint.accept(1);
        assertTrue(assertThrows(IllegalStateException.class, () -> constraint.mask(new float[2], 0, 2)).getMessage().contains("no token"));
    }

    // ---- random grammars: every rule has a finite text, and calls stand mostly behind a letter ---------------------------------------------------------

    private static Map<String, Expression> rules(Random random) {
        var names = List.of("root", "r1", "r-2", "r3").subList(0, 1 + random.nextInt(4));
        var rules = new LinkedHashMap<String, Expression>();
        for (var name : names) rules.put(name, new Choice(List.of(letters(random), expression(random, names, 3), expression(random, names, 2))));
        return rules;
    }

    private static Expression letters(Random random) {
        return Expression.text(random.ints(1 + random.nextInt(2), 0, LETTERS.length).mapToObj(i -> LETTERS[i]).collect(Collectors.joining()));
    }

    private static Expression expression(Random random, List<String> names, int depth) {
        return switch (random.nextInt(depth <= 0 ? 3 : 8)) {
            case 0 -> letters(random);
            case 1 -> new OneOf(random.nextInt(3) == 0 ? CharacterSet.of('a', 'a', '\n', '\n').not() : CharacterSet.of(LETTERS[random.nextInt(7)] + LETTERS[random.nextInt(7)]));
            case 2 -> {
                var call = new Call(names.get(random.nextInt(names.size())));
                yield random.nextInt(8) == 0 ? call : new Sequence(List.of(letters(random), call));
            }
            case 3, 4 -> new Sequence(List.of(expression(random, names, depth - 1), expression(random, names, depth - 1), expression(random, names, depth - 2)));
            case 5 -> new Choice(List.of(expression(random, names, depth - 1), expression(random, names, depth - 1)));
            default -> {
                int min = random.nextInt(3);
                yield new Repeat(expression(random, names, depth - 1), min, random.nextBoolean() ? Repeat.UNBOUNDED : min + random.nextInt(3));
            }
        };
    }

    private static String text(Random random) { return random.ints(random.nextInt(7), 0, LETTERS.length).mapToObj(i -> LETTERS[random.nextInt(2) == 0 ? i : i % 3]).collect(Collectors.joining()); }

    static String print(Map<String, Expression> rules) {
        var text = new StringBuilder("# made at random\n");
        rules.forEach((name, expression) -> text.append(name).append(" ::= ").append(print(expression)).append("   # end\n"));
        return text.toString();
    }

    private static String print(Expression expression) {
        return switch (expression) {
            case Words(var texts) -> "\"" + new String(texts.getFirst(), StandardCharsets.UTF_8).replace("\n", "\\n") + "\"";
            case OneOf(var set) -> {
                var text = new StringBuilder("[");
                for (int i = 0; i < set.bounds().length; i += 2) text.append("\\U%08X-\\U%08X".formatted(set.bounds()[i], set.bounds()[i + 1]));
                yield text.append("]").toString();
            }
            case Sequence(var parts) -> parts.stream().map(MatchingTest::print).collect(Collectors.joining("\n  ", "(", ")"));
            case Choice(var parts) -> parts.stream().map(MatchingTest::print).collect(Collectors.joining(" | ", "( ", " )"));
            case Repeat(var part, int min, int max) -> "(" + print(part) + ")" + (max != Repeat.UNBOUNDED ? min == 0 && max == 1 ? "?" : "{" + min + ", " + max + "}" : switch (min) {
                case 0 -> "*";
                case 1 -> "+";
                default -> "{" + min + ",}";
            });
            case Call(var rule) -> rule;
        };
    }
}
