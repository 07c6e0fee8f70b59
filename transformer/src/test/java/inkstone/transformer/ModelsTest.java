package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.ModelException;
import inkstone.tensor.reference.ReferenceBackend;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelsTest {
    private static final long SEED = 2026;

    @TempDir Path directory;

    private void refused(Path path, String reason) {
        try (var backend = new ReferenceBackend()) {
            var message = assertThrows(ModelException.class, () -> Models.open(path, backend).close()).getMessage();
            assertTrue(message.contains(reason), message);
        }
    }

    @Test void aFileIsDescribedByItsTensors() throws IOException {
        try (var backend = new ReferenceBackend(); var model = Models.open(TestData.stories(), backend)) {
            assertEquals("stories260K-f32", model.name());
            assertEquals("F32", model.format());
            assertEquals(260_032, model.parameters());
            assertEquals(4 * 260_032, model.bytes());
            assertEquals("llama", model.model().config().architecture());
            assertEquals(512, model.model().config().contextLength());
        }
    }

    @Test void whatIsNotAModelSaysWhy() throws IOException {
        refused(directory.resolve("absent.gguf"), "does not exist");
        refused(Files.writeString(directory.resolve("text.gguf"), "hello"), "text");
        refused(Files.createDirectory(directory.resolve("empty")), "has no config.json");
        var other = Files.createDirectory(directory.resolve("other"));
        Files.writeString(other.resolve("config.json"), "{\"architectures\": [\"Mamba2ForCausalLM\"]}");
        refused(other, "folders of architecture \"Mamba2ForCausalLM\" are not supported; supported are: ArceeForCausalLM, Cohere2ForCausalLM, ");
        Files.writeString(other.resolve("config.json"), "{\"architectures\": ");
        refused(other, "is not JSON");
        Files.writeString(other.resolve("config.json"), "{}");
        refused(other, "architectures is missing");
        var stories = TestData.storiesDirectory(Files.createDirectory(directory.resolve("stories")));
        Files.delete(stories.resolve("tokenizer.json"));
        refused(stories, "tokenizer.json");
        Files.delete(stories.resolve("model.safetensors"));
        refused(stories, "model.safetensors");
    }

    @Test void noTwoFamiliesReadTheSameFolderOrFile() {
        var families = Models.huggingFaceFamilies();
        var classes = families.stream().flatMap(family -> family.huggingFaceArchitectures().stream()).toList();
        assertEquals(Set.copyOf(classes).size(), classes.size(), classes.toString());
        var architectures = families.stream().map(HuggingFaceFamily::architecture).toList();
        assertEquals(Set.copyOf(architectures).size(), architectures.size(), architectures.toString());
    }

    @Test void aConfigurationThatContradictsTheTensorsNamesThem() throws IOException {
        var stories = TestData.storiesDirectory(Files.createDirectory(directory.resolve("stories")));
        var config = Files.readString(stories.resolve("config.json"));
        Files.writeString(stories.resolve("config.json"), config.replace("\"intermediate_size\": 172", "\"intermediate_size\": 176"));
        refused(stories, "mlp.down_proj.weight should be [64, 176], found [64, 172]");
        Files.writeString(stories.resolve("config.json"), config.replace("\"num_hidden_layers\": 5", "\"num_hidden_layers\": 4"));
        refused(stories, "model.layers.4.");
    }

    @Test void theChatTemplateIsLookedForWhereHuggingFaceKeepsIt() throws IOException {
        assertNull(Models.chatTemplate(directory));
        var config = directory.resolve("tokenizer_config.json");
        Files.writeString(config, "{\"bos_token\": \"<s>\"}");
        assertNull(Models.chatTemplate(directory));
        Files.writeString(config, "{\"chat_template\": \"one\"}");
        assertEquals("one", Models.chatTemplate(directory));
        Files.writeString(config, "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"two\"}, {\"name\": \"default\", \"template\": \"three\"}]}");
        assertEquals("three", Models.chatTemplate(directory));
        Files.writeString(directory.resolve("chat_template.jinja"), "four");
        assertEquals("four", Models.chatTemplate(directory));
    }

    @Test void theChatTemplateComesWithTheModel() throws IOException {
        var stories = TestData.storiesDirectory(Files.createDirectory(directory.resolve("stories")));
        List<Map<String, Object>> messages = List.of(Map.of("role", "user", "content", "hello <s>"));
        try (var backend = new ReferenceBackend(); var model = Models.open(stories, backend)) {
            assertFalse(model.hasChatTemplate());
            assertEquals("hello <s>", model.template().render(messages, List.of(), true).text());
        }
        Files.writeString(stories.resolve("chat_template.jinja"), "{{ bos_token }}[{{ messages[0].content }}]{% if add_generation_prompt %}>{% endif %}");
        try (var backend = new ReferenceBackend(); var model = Models.open(stories, backend)) {
            assertTrue(model.hasChatTemplate());
            var prompt = model.template().render(messages, List.of(), true);
            assertEquals("<s>[hello <s>]>", prompt.text());
            int[] tokens = model.tokenizer().encodePrompt(prompt);
            assertEquals(1, Arrays.stream(tokens).filter(token -> token == model.tokenizer().bos()).count(), "the user's <s> is text");
        }
        Files.writeString(stories.resolve("chat_template.jinja"), "{% if %}");
        refused(stories, "chat template: ");
    }

    /** Bytes of the head of a good file changed at random: it opens, or says in one message why not. */
    @Test void damagedFilesNeverDoAnythingElse() throws IOException {
        var file = directory.resolve("damaged.gguf");
        Files.copy(TestData.stories(), file);
        file.toFile().setWritable(true);
        var random = new Random(SEED);
        int refused = 0;
        try (var backend = new ReferenceBackend(); var bytes = new RandomAccessFile(file.toFile(), "rw")) {
            for (int n = 0; n < 400; n++) {
                int at = random.nextInt(4) == 0 ? random.nextInt(14_000) : random.nextInt(1_500);
                bytes.seek(at);
                int good = bytes.read();
                bytes.seek(at);
                bytes.write(random.nextInt(256));
                try (var model = Models.open(file, backend)) {
                    assertEquals("damaged", model.name());
                } catch (ModelException e) {
                    refused++;
                } catch (RuntimeException e) {
                    throw new AssertionError("seed %d, case %d, byte %d".formatted(SEED, n, at), e);
                }
                bytes.seek(at);
                bytes.write(good);
            }
        }
        assertTrue(refused > 40, "only %d of 400 were refused".formatted(refused));
    }
}
