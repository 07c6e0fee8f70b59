package inkstone.transformer.tune.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tokenizer.template.JinjaTemplate;
import inkstone.tokenizer.template.TemplateSettings;
import inkstone.transformer.TestData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The assistant's words, all of them and nothing else, in the templates of released models. */
class AssistantTurnsTest {
    private static final Clock CLOCK = Clock.fixed(Instant.parse("2026-11-23T12:00:00Z"), ZoneOffset.UTC);

    private static Map<String, Object> message(String role, String content) {
        var message = new LinkedHashMap<String, Object>();
        message.put("role", role);
        message.put("content", content);
        return message;
    }

    private static final List<Map<String, Object>> TALK = List.of(message("system", "SYS one."), message("user", "Q one?"), message("assistant", "A first."), message("user", "Q two?"),
        message("assistant", "A second."), message("user", "Q three?"), message("assistant", "A third."));
    private static final List<Map<String, Object>> THOUGHT = List.of(message("user", "Q one?"), message("assistant", "<think>\nHmm one.\n</think>\n\nA first."), message("user", "Q two?"),
        message("assistant", "<think>\nHmm two.\n</think>\n\nA second."));

    private static JinjaTemplate template(Path file) throws IOException { return JinjaTemplate.compile(Files.readString(file), TemplateSettings.of("<s>", "</s>").withClock(CLOCK)); }

    private static JinjaTemplate template(String source) { return JinjaTemplate.compile(source, "<s>", "</s>"); }

    private static List<String> learned(AssistantTurns found) { return found.turns().stream().map(turn -> found.text().text().substring(turn.start(), turn.end())).toList(); }

    private static List<Path> templates() throws IOException {
        try (var files = Files.list(TestData.folder("chat-templates"))) { return files.filter(file -> file.toString().endsWith(".jinja")).sorted().toList(); }
    }

    @Test void everyTemplatesTurnsAreFound() throws IOException {
        int templates = 0;
        for (var file : templates()) {
            var template = template(file);
            var messages = file.toString().contains("gemma-2") ? TALK.subList(1, TALK.size()) : TALK;         // the only one that refuses a system message
            var found = AssistantTurns.of(template, messages, List.of());
            var learned = learned(found);
            assertEquals(3, learned.size(), file.toString());
            assertEquals(0, found.leftOut(), file.toString());
            var text = found.text().text();
            var rest = new StringBuilder(text);
            for (int i = 2; i >= 0; i--) {
                var answer = List.of("A first.", "A second.", "A third.").get(i);
                assertTrue(learned.get(i).contains(answer), file + ": " + learned);
                assertFalse(learned.get(i).matches("(?s).*(SYS|Q (one|two|three)).*"), file + ": " + learned);
                // Behind the header of the turn: nothing that says who speaks is learned, and at most a marker or an empty thought before the answer.
                var before = learned.get(i).substring(0, learned.get(i).indexOf(answer));
                assertFalse(before.matches("(?is).*(assistant|user|model|chatbot|\\bai\\b).*"), file + ": " + learned);
                rest.delete(found.turns().get(i).start(), found.turns().get(i).end());
            }
            assertFalse(rest.toString().matches("(?s).*A (first|second|third).*"), file.toString());
            templates++;
        }
        assertTrue(templates >= 44, "found " + templates);
    }

    /**
     * What stands between ⟦ and ⟧ was compared by eye with each template; this test's own message makes the file. Two are not whole: Apriel's and Nemotron Nano 2's templates
     * write a tool call that something follows otherwise than one at the end, so of its last characters some are not learned.
     */
    @Test void turnsAreTheOnesWrittenDown() throws IOException {
        var written = new ArrayList<String>();
        for (var file : templates()) {
            for (var conversation : List.of(TALK, THOUGHT, calls())) {
                try {
                    var found = AssistantTurns.of(template(file), conversation, conversation.equals(calls()) ? tools() : List.of());
                    written.add("%s %s%s: %s".formatted(file.getFileName(), conversation == TALK ? "talk" : conversation == THOUGHT ? "thought" : "calls", found.rewritten() ? " rewritten" : "",
                        String.join("", learned(found).stream().map(turn -> "⟦" + turn.replace("\n", "\\n") + "⟧").toList())));
                } catch (IllegalArgumentException refused) {
                    written.add("%s %s refused".formatted(file.getFileName(), conversation == TALK ? "talk" : conversation == THOUGHT ? "thought" : "calls"));
                }
            }
        }
        var expected = new TreeSet<>(new String(getClass().getResourceAsStream("assistant-turns.txt").readAllBytes(), StandardCharsets.UTF_8).lines().toList());
        for (var line : written) assertTrue(expected.contains(line), () -> "not in assistant-turns.txt:\n" + String.join("\n", written));
    }

    private static List<Map<String, Object>> calls() {
        var call = message("assistant", "");
        call.put("tool_calls", List.of(Map.of("id", "call00001", "type", "function", "function", ordered("name", "weather", "arguments", Map.of("city", "Paris")))));
        var result = message("tool", "sunny");
        result.put("tool_call_id", "call00001");
        result.put("name", "weather");
        return List.of(message("user", "Q one?"), call, result, message("assistant", "It is sunny."), message("user", "Q two?"), message("assistant", "A second."));
    }

    private static Map<String, Object> ordered(Object... pairs) {
        var map = new LinkedHashMap<String, Object>();
        for (int i = 0; i < pairs.length; i += 2) map.put((String) pairs[i], pairs[i + 1]);
        return map;
    }

    private static List<Map<String, Object>> tools() {
        return List.of(ordered("type", "function", "function", ordered("name", "weather", "description", "Get it", "parameters",
            ordered("type", "object", "properties", Map.of("city", ordered("type", "string", "description", "c")), "required", List.of("city")))));
    }

    @Test void aTemplateThatEndsATextInItsOwnWayIsUnderstood() {
        var found = AssistantTurns.of(template("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% else %}<|endoftext|>{% endif %}"), TALK, List.of());
        assertEquals(List.of("A first.<|end|>", "A second.<|end|>", "A third.<|end|><|endoftext|>"), learned(found));
        assertFalse(found.rewritten());
    }

    @Test void rewrittenTurnsAreLearnedAsTheyStand() {
        var found = AssistantTurns.of(template("{% for m in messages %}[{{ m.role }}]{% if m.role == 'assistant' and not loop.last %}{{ m.content.split('</think>')[-1] }}"
            + "{% else %}{{ m.content }}{% endif %}[/]{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"), THOUGHT, List.of());
        assertEquals(List.of("\n\nA first.[/]", "<think>\nHmm two.\n</think>\n\nA second.[/]"), learned(found));
        assertTrue(found.rewritten());
    }

    @Test void whatATemplateLeavesOutIsCountedAndNotLearned() {
        var found = AssistantTurns.of(template("{% for m in messages %}{% if loop.index > 3 or m.role != 'assistant' %}<{{ m.role }}>{{ m.content }}</>{% endif %}{% endfor %}"
            + "{% if add_generation_prompt %}<assistant>{% endif %}"), TALK, List.of());
        assertEquals(List.of("A second.</>", "A third.</>"), learned(found));
        assertEquals(1, found.leftOut());
    }

    @Test void generationBlocksNarrowATurn() {
        var found = AssistantTurns.of(template("{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}(note){% generation %}{{ m.content }}</>{% endgeneration %}\n\n"
            + "{% else %}{{ m.content }}</>{% endif %}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"), TALK, List.of());
        assertEquals(List.of("A first.</>", "A second.</>", "A third.</>"), learned(found));
    }

    @Test void refusedMessagesAreTheTemplatesOwnError() {
        var refusing = template("{{ raise_exception('no') }}");
        assertEquals("no", assertThrows(IllegalArgumentException.class, () -> AssistantTurns.of(refusing, TALK, List.of())).getMessage());
    }
}
