package inkstone.transformer.tune.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.checkpoint.Gguf;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.Tokenizers;
import inkstone.transformer.TestData;
import inkstone.transformer.tune.data.Sample.Conversation;
import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Which tokens are learned. */
class PromptingTest {
    private static Map<String, Object> message(String role, String content) {
        var message = new LinkedHashMap<String, Object>();
        message.put("role", role);
        message.put("content", content);
        return message;
    }

    private static Conversation talk() {
        return new Conversation(List.of(message("system", "Be kind."), message("user", "Hi <|im_end|>"), message("assistant", "Hello"), message("user", "2+2?"), message("assistant", "4")), List.of());
    }

    /** With what is learned between ⟦ and ⟧. */
    static String shown(Prompting prompting, Example example) {
        var text = new StringBuilder();
        int length = example.tokens().length;
        for (int from = 0, to; from < length; from = to) {
            for (to = from + 1; to < length && example.learned()[to] == example.learned()[from]; ) to++;
            var part = prompting.shown(example.tokens(), from, to);
            text.append(example.learned()[from] ? "⟦" + part + "⟧" : part);
        }
        return text.toString();
    }

    private static String shown(Tokenizer tokenizer, String template, Conversation conversation) {
        var prompting = Prompting.of(tokenizer, template);
        return shown(prompting, prompting.render(conversation).example());
    }

    @Test void chatMlIsUsedWhereItsTokensAreKnown() {
        try (var tokenizer = Bytes.tokenizer(false, "<|im_start|>", "<|im_end|>")) {
            var prompting = Prompting.of(tokenizer, null);
            assertEquals(Prompting.Style.CHATML, prompting.style());
            var example = prompting.render(talk()).example();
            assertEquals("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi <|im_end|><|im_end|>\n<|im_start|>assistant\n⟦Hello<|im_end|>⟧\n<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n⟦4<|im_end|>⟧\n",
                shown(prompting, example));
            assertEquals(5, Arrays.stream(example.tokens()).filter(token -> token == tokenizer.id("<|im_end|>")).count(), "a user's own <|im_end|> is ten characters");
            assertArrayEquals(tokenizer.encodePrompt(prompting.template().render(talk().messages(), List.of(), false)), example.tokens());
        }
    }

    @Test void othersGetAlpacasPrompt() {
        try (var tokenizer = Bytes.tokenizer(true)) {
            var prompting = Prompting.of(tokenizer, null);
            assertEquals(Prompting.Style.ALPACA, prompting.style());
            assertEquals("<s>Be kind.\n\n### Instruction:\nHi <|im_end|>\n\n### Response:\n⟦Hello</s>⟧\n\n### Instruction:\n2+2?\n\n### Response:\n⟦4</s>⟧", shown(prompting, prompting.render(talk()).example()));
            var question = new Conversation(List.of(message("user", "Hi"), message("assistant", "Yes")), List.of());
            assertEquals("<s>Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\nHi\n\n### Response:\n⟦Yes</s>⟧",
                shown(prompting, prompting.render(question).example()));
        }
    }

    @Test void whatFollowsTheEndOfATurnIsNotLearned() {
        try (var tokenizer = Bytes.tokenizer(true, "<|end|>")) {
            var template = "{% for m in messages %}{{ m.role[0] }}: {{ m.content }}<|end|>\n{% endfor %}{% if add_generation_prompt %}a: {% else %}{{ eos_token }}{% endif %}";
            assertEquals("<s>s: Be kind.<|end|>\nu: Hi <|im_end|><|end|>\na: ⟦Hello<|end|>⟧\nu: 2+2?<|end|>\na: ⟦4<|end|>⟧\n</s>", shown(tokenizer, template, talk()));
        }
    }

    @Test void aTurnThatTheNextOneEndsIsLearnedWithThatEnd() {
        try (var tokenizer = Bytes.tokenizer(false, "<|end|>")) {
            var between = "{% for m in messages %}{% if not loop.first %}{{ '\n' }}<|end|>{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}{{ '\n' }}<|end|>[assistant]{% endif %}";
            assertEquals("[system]Be kind.\n<|end|>[user]Hi <|im_end|>\n<|end|>[assistant]⟦Hello\n<|end|>⟧[user]2+2?\n<|end|>[assistant]⟦4\n<|end|>⟧", shown(tokenizer, between, talk()));
            var without = Prompting.of(tokenizer, "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}");
            var rendered = without.render(talk());
            assertTrue(rendered.unended());
            assertEquals("[system]Be kind.[user]Hi <|im_end|>[assistant]⟦Hello⟧[user]2+2?[assistant]⟦4</s>⟧", shown(without, rendered.example()));
        }
    }

    @Test void messagesOfWeightNoughtAreNotLearned() {
        try (var tokenizer = Bytes.tokenizer(false, "<|im_start|>", "<|im_end|>")) {
            var messages = talk().messages();
            messages.get(2).put("weight", 0);
            assertFalse(shown(tokenizer, null, new Conversation(messages, List.of())).contains("⟦Hello"));
        }
    }

    @Test void aRefusedSystemMessageStandsBeforeTheFirstWords() {
        try (var tokenizer = Bytes.tokenizer(false, "<|end|>")) {
            var prompting = Prompting.of(tokenizer, "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}({{ m.role }}){{ m.content }}<|end|>{% endfor %}"
                + "{% if add_generation_prompt %}(assistant){% endif %}");
            var rendered = prompting.render(talk());
            assertTrue(rendered.systemMerged());
            assertTrue(shown(prompting, rendered.example()).startsWith("(user)Be kind.\n\nHi <|im_end|><|end|>(assistant)⟦Hello<|end|>⟧"), shown(prompting, rendered.example()));
        }
    }

    /** Prompt and answer are encoded apart, as in use; the tokens must be those of the whole text nevertheless, in both kinds of vocabulary. */
    @Test void realVocabulariesSeeTheSameTokensAsInUse() throws IOException {
        for (var name : new String[] {"phi-3", "llama-spm", "gpt-2"}) {
            try (var file = Gguf.open(TestData.folder("tokenizers").resolve("ggml-vocab-" + name + ".gguf")); var tokenizer = Tokenizers.fromGguf(file.metadata())) {
                var prompting = Prompting.of(tokenizer, file.metadata().string("tokenizer.chat_template", null));
                var example = prompting.render(talk()).example();
                assertArrayEquals(tokenizer.encodePrompt(prompting.template().render(talk().messages(), List.of(), false)), example.tokens(), name);
                var prompt = tokenizer.encodePrompt(prompting.template().render(talk().messages().subList(0, 4), List.of(), true));
                assertArrayEquals(prompt, Arrays.copyOf(example.tokens(), prompt.length), name + ": what the model is given is what it was trained behind");
                assertTrue(example.learned()[prompt.length] && !example.learned()[prompt.length - 1], name);
                assertTrue(shown(prompting, example).matches("(?s).*⟦ ?Hello(<\\|end\\|>|</s>|<\\|endoftext\\|>)⟧.*⟦ ?4(<\\|end\\|>|</s>|<\\|endoftext\\|>)⟧.*"), shown(prompting, example));
            }
        }
    }
}
