package inkstone.tokenizer.template;

import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.ModelException;
import java.io.IOException;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.ObjectMapper;

/** Small templates with what Python's jinja2 made of them (jinja-expressions.json says which version); null stands for an error, of either kind. */
class ExpressionTableTest {
    @Test @SuppressWarnings("unchecked") void everyExpressionGivesWhatJinjaGives() throws IOException {
        Map<String, Object> table;
        try (var resource = getClass().getResourceAsStream("jinja-expressions.json")) {
            table = new ObjectMapper().readValue(resource, Map.class);
        }
        var settings = TemplateSettings.of("<s>", "</s>").withVariables((Map<String, Object>) table.get("variables"))
                .withClock(Clock.fixed(Instant.parse("2026-11-23T12:00:00Z"), ZoneOffset.UTC));
        var wrong = new ArrayList<String>();
        var cases = (List<List<String>>) table.get("cases");
        for (var pair : cases) {
            String expected = pair.get(1), got;
            try {
                got = JinjaTemplate.compile(pair.get(0), settings).render(List.of(), List.of(), false).text();
            } catch (IllegalArgumentException | ModelException e) {
                got = expected == null ? null : e.getClass().getSimpleName() + ": " + e.getMessage();
            }
            if (expected == null ? got != null : !expected.equals(got)) wrong.add("%s\n    expected %s\n    but got  %s".formatted(pair.get(0), expected, got));
        }
        assertTrue(cases.size() > 500 && wrong.isEmpty(), wrong.size() + " of " + cases.size() + ":\n" + String.join("\n", wrong));
    }
}
