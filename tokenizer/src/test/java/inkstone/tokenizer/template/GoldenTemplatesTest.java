package inkstone.tokenizer.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.ObjectMapper;

/**
 * Templates of released models against what Python's jinja2 renders for them: every character must agree. Where jinja2 refuses a
 * conversation (there is no .ref) so must we, except for templates with the block generation, which jinja2 alone does not know.
 */
class GoldenTemplatesTest {
    private static final Path FOLDER = Path.of(System.getProperty("inkstone.data", ""), "chat-templates");
    private static final Clock CLOCK = Clock.fixed(Instant.parse("2026-11-23T12:00:00Z"), ZoneOffset.UTC);
    /** Templates with the block generation of Hugging Face's transformers. */
    private static final Set<String> GENERATION = Set.of("LFM2.5-8B-A1B.jinja", "poolside-Laguna-S-2.1.jinja", "poolside-Laguna-XS.2.jinja");

    @TestFactory Stream<DynamicTest> everyTemplateRendersAsInPython() throws IOException {
        assumeTrue(Files.isDirectory(FOLDER), "skipped: the folder chat-templates is not in the test data (system property inkstone.data)");
        Map<?, ?> cases = new ObjectMapper().readValue(Files.readString(FOLDER.resolve("cases.json")), Map.class);
        List<Path> templates;
        try (var files = Files.list(FOLDER)) {
            templates = files.filter(file -> file.toString().endsWith(".jinja")).sorted().toList();
        }
        assertTrue(templates.size() >= 44, "found " + templates.size() + " templates");
        return templates.stream().flatMap(template -> cases.keySet().stream().map(String.class::cast)
                .map(name -> DynamicTest.dynamicTest(template.getFileName() + " " + name, () -> check(template, name, (Map<?, ?>) cases.get(name)))));
    }

    private static void check(Path file, String name, Map<?, ?> conversation) throws IOException {
        var settings = TemplateSettings.of((String) conversation.get("bos_token"), (String) conversation.get("eos_token")).withClock(CLOCK);
        var template = JinjaTemplate.compile(Files.readString(file), settings);
        var reference = file.resolveSibling(file.getFileName() + "." + name + ".ref");
        if (Files.exists(reference)) {
            assertEquals(Files.readString(reference), render(template, conversation));
        } else if (!GENERATION.contains(file.getFileName().toString())) {
            assertThrows(IllegalArgumentException.class, () -> render(template, conversation));
        }
    }

    @SuppressWarnings("unchecked")
    private static String render(JinjaTemplate template, Map<?, ?> conversation) {
        var tools = conversation.get("tools") == null ? List.of() : (List<?>) conversation.get("tools");
        return template.render((List<Map<String, Object>>) conversation.get("messages"), (List<Map<String, Object>>) tools, (Boolean) conversation.get("add_generation_prompt")).text();
    }
}
