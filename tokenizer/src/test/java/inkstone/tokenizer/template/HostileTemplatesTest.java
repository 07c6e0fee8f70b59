package inkstone.tokenizer.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.ModelException;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Templates that ask for more than a process has: each must end with one clear line, soon, on a thread with a small stack. */
class HostileTemplatesTest {
    private static final String DOUBLING = "{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = STEP %}{% endfor %}";

    /** What the template ends with, on a thread with 512 KiB of stack. */
    private static Throwable end(String template, List<Map<String, Object>> messages) throws InterruptedException {
        var end = new ArrayList<Throwable>();
        var nanoseconds = new long[1];
        var thread = new Thread(null, () -> {
            try {
                JinjaTemplate.compile(template, "<s>", "</s>").render(messages, List.of(), true);
            } catch (IllegalArgumentException | ModelException | StackOverflowError | OutOfMemoryError e) {
                end.add(e);
            }
            nanoseconds[0] = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
        }, "hostile", 512 << 10);
        thread.start();
        thread.join(60_000);
        var name = template.length() > 80 ? template.substring(0, 80) + "..." : template;
        assertEquals(1, end.size(), name + " did not end with an error");
        // Processor time of this thread, so that other work does not count. The slowest takes about 0.6 s; two leave room for slow machines.
        assertTrue(nanoseconds[0] < 2_000_000_000L, name + " took " + nanoseconds[0] / 1_000_000 + " ms");
        return end.getFirst();
    }

    private static void refused(String template) throws InterruptedException {
        var end = assertInstanceOf(IllegalArgumentException.class, end(template, List.of()), template.length() > 80 ? template.substring(0, 80) : template);
        assertTrue(end.getMessage().matches("the chat template cannot be rendered: .+, line \\d+"), end.getMessage());
    }

    @ParameterizedTest @ValueSource(strings = {
            "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}x{% endfor %}{% endfor %}{% endfor %}",
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}",
            "{{ range(1000000000) }}", "{{ range(0, 9, 0) }}", "{{ 9**9**9**9**9 }}", "{{ 9**(9**9) }}", "{{ (2**14000) * (2**14000) }}", "{{ 10.0**400 ~ 2**-5 }}{{ 7 ** 99999999 }}",
            "{% set ns = namespace(n=3) %}{% for i in range(100) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
            "{{ 'abc' * 999999999999 }}", "{{ 'abc' * 6000000 }}", "{{ [1] * 99999999 }}", "{{ 'a'.ljust(2000000000) }}", "{{ 'a'.zfill(2000000000) }}", "{{ 'a'|center(2000000000) }}",
            "{{ 'a\nb'|indent(2000000000) }}", "{{ '%2000000000d' % 1 }}", "{{ '%.2000000000f' % 1.5 }}", "{{ '%*d' % (2000000000, 1) }}", "{{ '{:>2000000000}'.format(1) }}", "{{ '{:.2000000000f}'.format(1) }}",
            "{{ [1]|tojson(indent=2000000000) }}", "{{ [1]|batch(2000000000, 0)|list }}", "{{ [1]|slice(2000000000)|list }}", "{{ range(100000)|map('string')|map('center', 100000)|join }}",
            "{{ ('a' * 3000000).replace('a', 'b' * 3000000) }}", "{{ ('a' * 3000000).replace('', 'bbbbbbbbbbbb') }}", "{{ ('x' * 9000).join('y' * 9000) }}", "{{ range(99999)|join('x' * 99999) }}",
            "{% for i in range(99999) %}{{ ('a' * 4000000)|length }}{% endfor %}", "{% set s = 'a' * 4000000 %}{% for i in range(99999) %}{% set x = ('a' * 99 ~ 'b') in s %}{% endfor %}",
            "{% set s = ('a' * 4000000) %}{% for i in range(99999) %}{{ s.split('a')|length }}{% endfor %}", "{% set s = '😀' * 4000000 %}{% for i in range(99999) %}{% set x = s[i * 30] %}{% endfor %}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{% macro m(x) %}{% for i in x %}{% if i %}{{ m([i]) }}{% endif %}{% endfor %}{% endmacro %}{{ m([1]) }}",
            "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}", "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(25) }}",
            "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "{% macro m() %}{{ caller() }}{% endmacro %}{% macro r() %}{% call m() %}{{ r() }}{% endcall %}{% endmacro %}{{ r() }}",
            "{% set ns = namespace(x=[1]) %}{% for i in range(2000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
            "{% set ns = namespace(x=[1]) %}{% for i in range(2000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x|tojson }}",
            "{% set ns = namespace(x=(1,), y=(1,)) %}{% for i in range(60) %}{% set ns.x = (ns.x, ns.x) %}{% set ns.y = (ns.y, ns.y) %}{% endfor %}{{ ns.x == ns.y }}",
            "{% set ns = namespace(x=(1,)) %}{% for i in range(60) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}{{ {ns.x: 1} }}",
            "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|string }}",
            "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = ns.l + [i] %}{% endfor %}",
            "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = ns.l + ['a' * 100000] %}{% endfor %}",
            "{{ strftime_now('%Y' * 9000) }}", "{% for i in range(100000) %}{{ range(100000)|list }}{% endfor %}", "{{ '{:{:{:{}}}}'.format(1, 2, 3, 4) }}",
            "{% for i in range(99999) %}{{ strftime_now('%c' * 400) }}{% endfor %}", "{% set b = 2 ** 14000 %}{% for i in range(99999) %}{% set x = b ~ '' %}{% endfor %}",
            "{% for i in range(99999) %}{% set x = ('9' * 4000)|int %}{% endfor %}", "{% for i in range(99999) %}{% set x = '%.1000f' % 1e-300 %}{% endfor %}", "{{ ('é' * 9000000)|urlencode }}",
            "{{ ['\u0001' * 9000000]|string }}", "{{ ('\u0001' * 9000000)|tojson }}", "{% set a = 'a.' * 400000 %}{{ range(100000)|map(attribute=a)|list }}",
            "{{ ('1' * 5000)|int * 2 + 'x' }}", "{{ ('9' * 4000)|int ** 9 }}", "{{ ('a' * 300000).strip('ab' * 1000) }}"})
    void endsWithAnError(String template) throws InterruptedException { refused(template); }

    @ParameterizedTest @ValueSource(strings = {"ns.x + ns.x", "ns.x ~ ns.x", "ns.x * 2", "ns.x|replace('a', 'aa')", "ns.x.replace('b', 'bb')", "[ns.x, ns.x]|join", "'%s%s' % (ns.x, ns.x)",
            "'{0}{0}'.format(ns.x)", "ns.x|string + ns.x|upper", "(ns.x|e) + '<' * 99999", "ns.x|tojson|tojson|tojson", "ns.x|list|join('ab')", "ns.x.join([ns.x, ns.x])", "(ns.x, ns.x)|string"})
    void doublingEnds(String step) throws InterruptedException { refused(DOUBLING.replace("STEP", step)); }

    @Test void deepSourcesAreRefusedWhenCompiled() throws InterruptedException {
        for (var source : List.of("{{ " + "(".repeat(100_000) + "1" + ")".repeat(100_000) + " }}", "{{ " + "[".repeat(100_000), "{{ " + "-".repeat(100_000) + "1 }}", "{{ " + "not ".repeat(100_000) + "1 }}",
                "{% if 1 %}".repeat(50_000), "{% for a in b %}".repeat(50_000), "{{ " + "1 if 1 else ".repeat(50_000) + "1 }}", "{{ " + "a(".repeat(100_000), "{{ " + "{1:".repeat(100_000),
                "{{ " + "9".repeat(500_000) + " }}", "{{ " + "x".repeat(2_000_000) + " }}", "{% set " + "(".repeat(100_000), "{{ " + "a[".repeat(100_000), "{{ a is b ".repeat(9) + "is ".repeat(100_000))) {
            var end = assertInstanceOf(ModelException.class, end(source, List.of()));
            assertTrue(end.getMessage().startsWith("the chat template "), end.getMessage());
        }
    }

    @Test void longChainsAreRefusedWhenRendered() throws InterruptedException {
        for (var source : List.of("{{ 1" + " + 1".repeat(100_000) + " }}", "{{ a" + ".b".repeat(100_000) + " }}", "{{ 1" + "|string".repeat(50_000) + " }}", "{{ 1" + " and 1".repeat(50_000) + " }}")) refused(source);
    }

    @Test void deepMessagesAreRefused() throws InterruptedException {
        Object nested = "x";
        for (int i = 0; i < 100_000; i++) nested = List.of(nested);
        assertInstanceOf(IllegalArgumentException.class, end("{{ messages }}", List.of(Map.of("content", nested))));
    }

    @Test void messagesNameTheLineAndWhatWasFound() {
        assertEquals("the chat template cannot be read: expected '}}' but found 'b', line 2", assertThrows(ModelException.class, () -> JinjaTemplate.compile("\n{{ a b }}", "", "")).getMessage());
        assertEquals("the chat template cannot be read: expected '{% endif %}' of the if in line 1 but found the end of the template, line 3",
                assertThrows(ModelException.class, () -> JinjaTemplate.compile("{% if x %}\n\ny", "", "")).getMessage());
        assertEquals("the chat template cannot be rendered: 'x' is undefined, line 3", assertThrows(IllegalArgumentException.class,
                () -> JinjaTemplate.compile("a\nb\n{{ x.y }}", "", "").render(List.of(), List.of(), false)).getMessage());
        assertEquals("only one system message, please", assertThrows(IllegalArgumentException.class,
                () -> JinjaTemplate.compile("{{ raise_exception('only one system message, please') }}", "", "").render(List.of(), List.of(), false)).getMessage());
    }
}
