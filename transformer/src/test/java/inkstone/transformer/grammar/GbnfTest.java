package inkstone.transformer.grammar;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class GbnfTest {
    private static void check(String grammar, List<String> accepted, List<String> refused) {
        var compiled = Grammar.gbnf(grammar);
        for (var text : accepted) assertTrue(compiled.accepts(text), () -> "\"" + text + "\" should be in " + grammar);
        for (var text : refused) assertTrue(!compiled.accepts(text), () -> "\"" + text + "\" should not be in " + grammar);
    }

    @Test void readsLiteralsClassesAndEscapes() {
        check("root ::= \"a\\\"\\\\\\n\\x41\\u00e9\\U0001F600\"", List.of("a\"\\\nA\u00E9\uD83D\uDE00"), List.of("a", ""));
        check("root ::= [a-c\\x30-\\x39_\\]-]+", List.of("abc09_]-"), List.of("d", ""));
        check("root ::= [^\\n\"]* .", List.of("\n", "\u4F60\uD83D\uDE00\""), List.of("", "\"a\""));
        check("root ::= \"\"", List.of(""), List.of("a"));
    }

    @Test void readsRepetitions() {
        check("root ::= \"ab\"{2} \"c\"{1,} \"d\"{0,2} \"e\"? \"f\"*", List.of("ababc", "ababcccddeff"), List.of("abc", "ababd", "ababcddd"));
        check("root ::= (\"a\" | \"b\" \"c\")+", List.of("a", "abcbca"), List.of("", "ab"));
        check("root ::= (\"a\"*)* \"b\"", List.of("b", "aaab"), List.of("a"));
    }

    @Test void rulesMaySpreadOverLinesAndCallEachOther() {
        check("""
                # arithmetic
                root  ::= (expr "=" ws term "\\n")+   # more than once
                expr  ::= term ([-+*/] term)*
                term  ::= ident | num
                  | "(" ws expr ")" ws
                ident ::= [a-z] [a-z0-9_]* ws
                num   ::= [0-9]+ ws
                ws    ::= | " " | "\\n" [ \\t]{0,20}
                """, List.of("(a+b1)*3 =7\n", "x=y\n1=2\n"), List.of("x=", "(a=b\n"));
    }

    @Test void mistakesAreNamedWithTheirLine() {
        var mistakes = List.of(
                List.of("", "no rule \"root\""), List.of("root = \"a\"", "::= was expected"), List.of("root ::= \"a", "closing \""), List.of("root ::= [a", "closing ]"),
                List.of("root ::= (\"a\"", "closing )"), List.of("root ::= \"a\")", "does not belong"), List.of("root ::= x", "\"x\" is used but not defined"),
                List.of("root ::= \"a\"{2,1}", "is none"), List.of("root ::= \"a\"{99999999999999999999}", "too long"), List.of("root ::= \"a\"{", "number"),
                List.of("root ::= \"\\q\"", "escape"), List.of("root ::= \"\\x4\"", "hexadecimal"), List.of("root ::= [\\UFFFFFFFF]", "beyond Unicode"),
                List.of("root ::= [z-a]", "backwards"), List.of("root ::= []", "no characters"), List.of("root ::= <[1000]>", "token rules"),
                List.of("root ::= \"a\"\nroot ::= \"b\"", "line 2: rule \"root\" is defined twice"), List.of("root ::= [\\uD800]", "no characters"), List.of("root ::= \"\\uD800\"", "surrogate"));
        for (var mistake : mistakes) {
            var message = assertThrows(IllegalArgumentException.class, () -> Grammar.gbnf(mistake.getFirst()), mistake.getFirst()).getMessage();
            assertTrue(message.contains(mistake.getLast()), () -> mistake.getFirst() + ": " + message);
        }
    }

    @Test void recursionThatNeverReadsIsRefused() {
        for (var grammar : List.of("root ::= root \"a\" | \"b\"", "root ::= x\nx ::= y \"a\" | \"b\"\ny ::= x", "root ::= e root \"a\" | \"b\"\ne ::= \"x\"*", "root ::= root", "root ::= (root)* \"a\"")) {
            assertTrue(assertThrows(IllegalArgumentException.class, () -> Grammar.gbnf(grammar), grammar).getMessage().contains("begins with itself"), grammar);
        }
        assertTrue(assertThrows(IllegalArgumentException.class, () -> Grammar.gbnf("root ::= \"a\" root")).getMessage().contains("no finite text"));
        assertEquals(false, Grammar.gbnf("root ::= \"a\" | \"b\" x\nx ::= \"c\" x").accepts("bc"));
    }

    @Test void hostileGrammarsEndQuickly() {
        var chain = IntStream.range(0, 9_000).mapToObj(i -> "r%d ::= \"a\" r%d \"b\"".formatted(i, i + 1)).collect(Collectors.joining("\n", "root ::= r0\n", "\nr9000 ::= \"x\""));
        var hostile = List.of(
                "root ::= " + "(".repeat(100_000) + "\"a\"" + ")".repeat(100_000), "root ::= " + "(".repeat(100) + "\"a\"" + "){9,999}".repeat(100), "root ::= \"a\"" + "*".repeat(100_000),
                "root ::= ((((\"\"{0,999999}){0,999999}){0,999999}){0,999999})", "root ::= \"a\"{0,999999}", chain, "root ::= \"" + "a".repeat(300_000) + "\"", "#".repeat(200_000));
        for (var grammar : hostile) {
            assertTimeout(Duration.ofSeconds(3), () -> assertThrows(IllegalArgumentException.class, () -> Grammar.gbnf(grammar), () -> grammar.substring(0, 60)), () -> grammar.substring(0, 60));
        }
    }

    @Test void exponentialAmbiguityEndsQuickly() {
        var grammar = Grammar.gbnf("root ::= x x x x x x x x\nx ::= (\"a\" | \"a\" \"a\" | [ab])* y\ny ::= (\"a\"? \"a\"? \"a\"?){8}");
        assertTimeout(Duration.ofSeconds(3), () -> assertTrue(grammar.accepts("a".repeat(2_000) + "b".repeat(20))));
    }
}
