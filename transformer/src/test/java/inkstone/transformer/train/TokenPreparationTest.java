package inkstone.transformer.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.ModelException;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.Tokenizers;
import inkstone.tokenizer.template.ChatTemplate;
import inkstone.tokenizer.template.JinjaTemplate;
import inkstone.tokenizer.train.BpeTrainer;
import inkstone.tokenizer.train.Corpus;
import inkstone.transformer.train.TokenPreparation.Prepared;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenPreparationTest {
    private static final JinjaTemplate CHATML = JinjaTemplate.compile(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}", "", "<|endoftext|>");

    @TempDir private static Path models;
    private static Tokenizer tokenizer, withBos;

    @TempDir private Path folder;

    @BeforeAll static void trainTokenizers() throws IOException {
        tokenizer = trained(300, null);
        withBos = trained(280, "<|im_start|>");
    }

    @AfterAll static void closeTokenizers() {
        tokenizer.close();
        withBos.close();
    }

    private static Tokenizer trained(int size, String bos) throws IOException {
        var text = "one text and another text, and one more\n".getBytes(StandardCharsets.UTF_8);
        var corpus = Corpus.of("text", Corpus.Format.TEXT, text.length, () -> new ByteArrayInputStream(text));
        var settings = new BpeTrainer.Settings(size, List.of("<|endoftext|>", "<|im_start|>", "<|im_end|>"), bos, "<|endoftext|>", 1);
        var json = Files.createDirectory(models.resolve("tokenizer-" + size)).resolve("tokenizer.json");
        BpeTrainer.train(corpus, settings, (stage, done, all) -> { }, () -> false).vocabulary().write(json);
        return Tokenizers.fromJson(json);
    }

    private Path texts() throws IOException { return Files.createDirectories(folder.resolve("texts")); }

    private Prepared prepare(Tokenizer tokenizer, ChatTemplate template) throws IOException {
        return TokenPreparation.prepare(Corpus.of(List.of(texts())), tokenizer, template, folder.resolve("tokens.bin"), 2, (read, all) -> assertTrue(read <= all), () -> false);
    }

    private static List<String> documents(TokenFile file, Tokenizer tokenizer) {
        var documents = new ArrayList<String>();
        for (int i = 0; i < file.documents(); i++) {
            var text = new StringBuilder();
            var stream = tokenizer.streamDecoder();
            for (int token : Written.tokens(file, i)) text.append(tokenizer.isControl(token) ? tokenizer.piece(token) : stream.next(token));
            documents.add(text.toString());
        }
        return documents;
    }

    @Test void textsRowsAndChatsBecomeDocuments() throws IOException {
        Files.writeString(texts().resolve("a.txt"), "one text<|endoftext|>\nand another");
        Files.writeString(texts().resolve("b.txt"), "  \n");
        Files.writeString(texts().resolve("c.jsonl"), """
            {"text": "a row <|im_end|>"}
            {"messages": [{"role": "user", "content": "hi<|im_end|>"}, {"role": "assistant", "content": "yes"}]}
            {"nothing": 1}
            """);
        try (var prepared = prepare(tokenizer, CHATML)) {
            assertEquals(List.of("one text<|endoftext|>", "and another<|endoftext|>", "a row <|im_end|><|endoftext|>",
                "<|im_start|>user\nhi<|im_end|><|im_end|>\n<|im_start|>assistant\nyes<|im_end|>\n"), documents(prepared.file(), tokenizer));
            assertFalse(prepared.reused());
            assertEquals(1, prepared.problems().count());
            var chat = Written.tokens(prepared.file(), 3);
            int end = tokenizer.id("<|im_end|>");
            assertEquals(2, Arrays.stream(chat).filter(token -> token == end).count(), "what a message spells is text");
            prepared.file().requireTokenizer(tokenizer);
            assertTrue(assertThrows(ModelException.class, () -> prepared.file().requireTokenizer(withBos)).getMessage().contains("another tokenizer"));
        }
    }

    @Test void theBeginningTokenComesOnce() throws IOException {
        Files.writeString(texts().resolve("c.jsonl"), """
            {"text": "row"}
            {"messages": [{"role": "user", "content": "hi"}]}
            """);
        try (var prepared = prepare(withBos, CHATML)) {
            assertEquals(List.of("<|im_start|>row<|endoftext|>", "<|im_start|>user\nhi<|im_end|>\n"), documents(prepared.file(), withBos));
        }
    }

    @Test void longTextsAreOneDocumentAndAnyNumberOfThreadsWritesTheSame() throws IOException {
        var text = "one text and another line of it, \u20AC 123\n".repeat(30_000);
        Files.writeString(texts().resolve("a.txt"), text);
        Files.writeString(texts().resolve("b.txt"), "more");
        var corpus = Corpus.of(List.of(texts()));
        var target = folder.resolve("one.bin");
        try (var one = TokenPreparation.prepare(corpus, tokenizer, null, target, 1, (read, all) -> { }, () -> false); var two = prepare(tokenizer, null)) {
            assertEquals(2, one.file().documents());
            assertTrue((text + "<|endoftext|>").equals(documents(one.file(), tokenizer).getFirst()));
            assertEquals(tokenizer.encode(text, false).length + 1, one.file().end(0));
            assertArrayEquals(Files.readAllBytes(target), Files.readAllBytes(two.file().path()));
        }
    }

    @Test void whatHasNotChangedIsReused() throws IOException {
        var text = Files.writeString(texts().resolve("a.txt"), "one text");
        prepare(tokenizer, null).close();
        assertReused(true, tokenizer, null);
        Files.move(text, texts().resolve("b.txt"));
        assertReused(true, tokenizer, null);
        assertReused(false, withBos, null);
        assertReused(false, tokenizer, CHATML);
        assertReused(true, tokenizer, CHATML);
        var time = Files.getLastModifiedTime(texts().resolve("b.txt"));
        Files.writeString(texts().resolve("b.txt"), "one texT");
        Files.setLastModifiedTime(texts().resolve("b.txt"), time);
        assertReused(false, tokenizer, CHATML);
        Files.write(folder.resolve("tokens.bin"), Arrays.copyOf(Files.readAllBytes(folder.resolve("tokens.bin")), 150));
        assertReused(false, tokenizer, CHATML);
    }

    private void assertReused(boolean reused, Tokenizer tokenizer, ChatTemplate template) throws IOException {
        try (var prepared = prepare(tokenizer, template)) { assertEquals(reused, prepared.reused()); }
    }

    @Test void whatCannotBePreparedIsSaidAndLeavesNothing() throws IOException {
        var text = Files.writeString(texts().resolve("a.txt"), " \n");
        assertFails("no text", tokenizer, null);
        Files.write(text, new byte[] {'a', (byte) 0xFF});
        assertFails("a.txt: byte 1 is not UTF-8 (0xFF)", tokenizer, null);
        Files.delete(text);
        var rows = Files.writeString(texts().resolve("a.jsonl"), "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}");
        assertFails("a.jsonl:1: is a chat, and the model has no chat template", tokenizer, null);
        assertFails("first of 1 rows passed over: " + rows + ":1: the model's chat template refuses it", tokenizer, (messages, tools, prompt) -> {
            if (messages.size() == 1) throw new IllegalArgumentException("alternate!");
            return CHATML.render(messages, tools, prompt);
        });
        Files.writeString(rows, "{\"text\": 1}");
        assertFails("first of 1 rows passed over", tokenizer, null);
        Files.writeString(rows, "{\"text\": \"good\"}");
        Files.writeString(folder.resolve("tokens.bin"), "my only copy of a poem");
        assertTrue(assertThrows(ModelException.class, () -> prepare(tokenizer, null)).getMessage().contains("no token file"));
        assertEquals("my only copy of a poem", Files.readString(folder.resolve("tokens.bin")));
    }

    private void assertFails(String part, Tokenizer tokenizer, ChatTemplate template) throws IOException {
        var message = assertThrows(ModelException.class, () -> prepare(tokenizer, template)).getMessage();
        assertTrue(message.contains(part), message);
        try (var left = Files.list(folder)) { assertEquals(List.of(texts()), left.toList()); }
    }

    @Test void cancellingLeavesWhatWasThere() throws IOException {
        var text = Files.writeString(texts().resolve("a.txt"), "one text");
        prepare(tokenizer, null).close();
        var before = Files.readAllBytes(folder.resolve("tokens.bin"));
        Files.writeString(text, "another text\n".repeat(100_000));
        boolean[] started = {false};
        assertThrows(CancellationException.class, () -> TokenPreparation.prepare(Corpus.of(List.of(texts())), tokenizer, null, folder.resolve("tokens.bin"), 2,
            (read, all) -> started[0] = true, () -> started[0]));
        assertArrayEquals(before, Files.readAllBytes(folder.resolve("tokens.bin")));
    }
}
