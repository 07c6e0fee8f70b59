package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import inkstone.tensor.DType;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.transformer.GenerationResult.Finish;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

class EmbeddedModelTest {
    private static final int LONGEST = 300, AT_LEAST = 18;

    @TempDir private Path folder;

    private record Answer(String text, boolean ended) {}

    /** Greedy answers to the fixed prompts by their first question, as everybody gets them who starts the program without a model. */
    @Test void itAnswersTheFixedPrompts() throws IOException {
        assumeTrue(EmbeddedModel.present(), "skipped: this build comes without its embedded model");
        var prompts = Files.readAllLines(Path.of("ink", "model", "prompts.jsonl")).stream().map(line -> JsonMapper.shared().readTree(line).get("turns").valueStream().map(turn -> turn.stringValue()).toList()).toList();
        var answers = new HashMap<String, List<Answer>>();
        try (var backend = new CpuBackend(2); var model = Models.open(EmbeddedModel.file(folder), backend)) {
            assertEquals(EmbeddedModel.NAME, model.name());
            assertTrue(model.hasChatTemplate());
            try (var session = Session.open(model, model.config().contextLength(), DType.F16)) {
                for (var turns : prompts) answers.put(turns.getFirst(), answers(model, session, turns));
            }
        }
        assertEquals(20, answers.size());
        answers.forEach((prompt, given) -> given.forEach(answer -> assertFalse(answer.text.isBlank(), prompt)));
        long ended = answers.values().stream().filter(given -> given.stream().allMatch(Answer::ended)).count();
        assertTrue(ended >= AT_LEAST, "of 20 prompts " + ended + " were answered to an end within " + LONGEST + " tokens: " + answers);
        var who = answers.get("Who are you?").getFirst().text;
        assertTrue(who.contains("Ink"), who);
        var about = answers.get("What can you do?").getFirst().text;
        assertTrue(about.contains("stories"), about);
    }

    private static List<Answer> answers(LanguageModel model, Session session, List<String> turns) {
        var answers = new ArrayList<Answer>();
        var messages = new ArrayList<Map<String, Object>>();
        for (var turn : turns) {
            messages.add(Map.of("role", "user", "content", turn));
            var prompt = model.tokenizer().encodePrompt(model.template().render(messages, List.of(), true));
            var result = session.generate(new GenerationRequest(prompt, SamplerSettings.GREEDY, LONGEST, List.of()), piece -> { });
            answers.add(new Answer(result.text(), result.finish() == Finish.STOP));
            messages.add(Map.of("role", "assistant", "content", result.text()));
        }
        return answers;
    }
}
