package inkstone.transformer.tune.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.Tokenizers;
import inkstone.transformer.TestData;
import inkstone.transformer.tune.data.DataReport.Kind;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

class TuneDataTest {
    @TempDir private Path folder;
    private static Tokenizer tokenizer;
    private static Prompting prompting;

    @BeforeAll static void open() {
        tokenizer = Bytes.tokenizer(false, "<|im_start|>", "<|im_end|>");
        prompting = Prompting.of(tokenizer, null);
    }

    @AfterAll static void close() { tokenizer.close(); }

    private Path write(String name, String text) throws IOException { return Files.writeString(folder.resolve(name), text); }

    private static TuneData read(Path file) throws IOException { return read(file, null, 512, 0); }

    private static TuneData read(Path file, Format format, int context, double validation) throws IOException {
        return TuneData.read(file, prompting, new TuneDataSettings(format, context, validation, 1), (_, _) -> { });
    }

    private TuneData read(String name, String text) throws IOException { return read(write(name, text)); }

    private static List<String> shown(TuneData data) {
        return IntStream.range(0, data.training().size()).mapToObj(i -> PromptingTest.shown(prompting, data.training().get(i))).toList();
    }

    private static String chatMl(String user, String assistant) { return "<|im_start|>user\n" + user + "<|im_end|>\n<|im_start|>assistant\n⟦" + assistant + "<|im_end|>⟧\n"; }

    private static void assertRefused(String part, Path file) {
        var message = assertThrows(ModelException.class, () -> read(file)).getMessage();
        assertTrue(message.contains(part) && message.lines().count() == 1, message);
    }

    private static DataReport.Finding finding(TuneData data, Kind kind) { return data.report().findings().stream().filter(finding -> finding.kind() == kind).findFirst().orElseThrow(); }

    // ---- formats --------------------------------------------------------------------------------------------------------------------------------------------

    private void assertRead(Format format, String name, String text, String... expected) throws IOException {
        var data = read(name, text);
        assertEquals(format, data.report().format(), data.report().why());
        assertEquals(List.of(expected), shown(data));
        assertEquals(List.of(), data.report().findings());
    }

    @Test void everyFormatIsRecognised() throws IOException {
        var hi = chatMl("Hi", "Yes");
        assertRead(Format.CHAT, "a.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"Yes\"}, {\"role\": \"user\", \"content\": \"unanswered\"}]}\n\n", hi);
        assertRead(Format.CHAT, "a", "{\"conversations\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]},{\"role\":\"assistant\",\"content\":\"Yes\"}]}", hi);
        assertRead(Format.SHAREGPT, "a.json", "[{\"conversations\": [{\"from\": \"human\", \"value\": \"Hi\"}, {\"from\": \"gpt\", \"value\": \"Yes\"}]}]", hi);
        assertRead(Format.ALPACA, "b.json", "[\n{\"instruction\": \"Hi\", \"input\": \"\", \"output\": \"Yes\"},\n{\"instruction\": \"Hi\", \"input\": \"you\", \"output\": \"Yes\"}]", hi, chatMl("Hi\nyou", "Yes"));
        assertRead(Format.ALPACA, "spread.json", "{\n \"instruction\": \"Hi\",\n \"output\": \"Yes\"\n}\n{\n \"instruction\": \"Ho\", \"output\": \"No\"}", hi, chatMl("Ho", "No"));
        assertRead(Format.PROMPT_COMPLETION, "c.jsonl", "{\"question\": \"Hi\", \"answer\": \"Yes\"}\r\n{\"question\": \"Ho\", \"answer\": 4}\r\n", hi, chatMl("Ho", "4"));
        assertRead(Format.PROMPT_COMPLETION, "d.csv", "Prompt,Completion,note\r\nHi,Yes,\r\n\"He said \"\"Hi\"\",\nthen left\",Yes,x\r\n", hi, chatMl("He said \"Hi\",\nthen left", "Yes"));
        assertRead(Format.PROMPT_COMPLETION, "e.tsv", "question\tanswer\nHi\tYes\n", hi);
        assertRead(Format.PROMPT_COMPLETION, "f.csv", "prompt;response\nHi;Yes\n", hi);
        assertRead(Format.TEXT, "g.jsonl", "{\"text\": \"One\"}\n{\"text\": \"Two\"}\n", "O⟦ne</s>⟧", "T⟦wo</s>⟧");
        assertRead(Format.TEXT, "h.txt", "[Enter two clowns]\r\nHa.\n", "[⟦Enter two clowns]\nHa.\n</s>⟧");
        assertRead(Format.CHAT, "i.jsonl", "{\"system\": \"Be kind.\", \"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"Yes\"}]}",
            "<|im_start|>system\nBe kind.<|im_end|>\n" + hi);
    }

    @Test void preferencesAreReadInAllLayouts() throws IOException {
        for (var row : List.of("{\"prompt\": \"Hi\", \"chosen\": \"Yes\", \"rejected\": \"No\"}", "{\"instruction\": \"Hi\", \"input\": \"\", \"output\": \"x\", \"chosen\": \"Yes\", \"rejected\": \"No\"}",
            "{\"prompt\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"chosen\": [{\"role\": \"assistant\", \"content\": \"Yes\"}], \"rejected\": [{\"role\": \"assistant\", \"content\": \"No\"}]}",
            "{\"prompt\": \"Hi\", \"chosen\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"Yes\"}], \"rejected\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"No\"}]}")) {
            var data = read("p.jsonl", row);
            assertEquals(Format.PREFERENCE, data.report().format());
            assertEquals(chatMl("Hi", "Yes"), PromptingTest.shown(prompting, data.training().sequence(0, 0)), row);
            assertEquals(chatMl("Hi", "No"), PromptingTest.shown(prompting, data.training().sequence(0, 1)), row);
        }
        assertRefused("chosen and rejected are the same", write("p.jsonl", "{\"prompt\": \"Hi\", \"chosen\": \"Yes\", \"rejected\": \"Yes\"}"));
        assertRefused("no prompt", write("p.jsonl", "{\"chosen\": \"Yes\", \"rejected\": \"No\"}"));
    }

    @Test void labelsAreReadWithAndWithoutNames() throws IOException {
        var data = read("l.csv", "text,label\ngood,1\nbad,0\nfine,1\n");
        assertEquals(Format.LABELLED, data.report().format());
        assertEquals(List.of(new DataReport.Label("0", 1), new DataReport.Label("1", 2)), data.report().labels());
        assertArrayEquals(new int[] {1, 0, 1}, IntStream.range(0, 3).map(data.training()::label).toArray());
        assertEquals(0, data.training().get(0).targets());
        var unnamed = read("sms.tsv", "ham\tsee you at nine\nspam\twin a prize now\nham\twhere are you\nham\ton my way home\nspam\tfree entry\n");
        assertEquals(List.of(new DataReport.Label("ham", 3), new DataReport.Label("spam", 2)), unnamed.report().labels());
        var labels = new ExampleBatches(unnamed.training(), 512, 0, ExampleBatches.Position.START).batch(0).labels();
        assertArrayEquals(new int[] {0, 0, 0, 1, 1}, Arrays.stream(labels).sorted().toArray());
    }

    @Test void encodingsAreToldAndRead() throws IOException {
        var row = "{\"prompt\": \"Grüße\", \"completion\": \"日本\"}\n";
        for (var charset : List.of(StandardCharsets.UTF_8, StandardCharsets.UTF_16LE, StandardCharsets.UTF_16BE)) {
            var data = read(Files.write(folder.resolve("bom.jsonl"), ("\uFEFF" + row).getBytes(charset)));
            assertEquals(List.of(chatMl("Grüße", "日本")), shown(data));
            assertTrue(data.report().notes().getFirst().contains(charset == StandardCharsets.UTF_8 ? "byte order mark" : "UTF-16"), data.report().notes().toString());
        }
        assertRefused("UTF-16 or UTF-32 without a byte order mark", Files.write(folder.resolve("u.jsonl"), row.getBytes(StandardCharsets.UTF_16LE)));
        var latin = read(Files.write(folder.resolve("l.jsonl"), ("{\"prompt\": \"a\", \"completion\": \"b\"}\n" + row.replace("日本", "é")).getBytes(StandardCharsets.ISO_8859_1)));
        assertEquals(List.of(new DataReport.Row("l.jsonl", 2, "prompt holds bytes that are not UTF-8; save the file as UTF-8")), finding(latin, Kind.BAD).rows());
    }

    // ---- rules ----------------------------------------------------------------------------------------------------------------------------------------------

    @Test void badEmptyAndRepeatedRowsAreListedWithTheirLines() throws IOException {
        var good = "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"Yes\"}]}\n";
        var data = read("mixed.jsonl", good + "not json\n" + good + "[1]\n{\"messages\": []}\n{\"messages\": [{\"role\": \"king\", \"content\": \"x\"}]}\n{\"text\": \"x\"}\n"
            + "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}\n{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \" \"}]}\n"
            + "{\"messages\": [{\"role\": \"user\", \"content\": {\"a\": 1}}, {\"role\": \"assistant\", \"content\": \"x\"}]}\n{\"messages\": [{\"role\": \"user\", \"content\": \"a\\u0000\"}]}\n");
        assertEquals(1, data.training().size());
        assertEquals(11, data.report().rows());
        assertEquals(List.of(2L, 4L, 6L, 7L, 8L, 10L, 11L), finding(data, Kind.BAD).rows().stream().map(DataReport.Row::line).toList());
        assertEquals(List.of(5L, 9L), finding(data, Kind.EMPTY).rows().stream().map(DataReport.Row::line).toList());
        assertEquals(List.of(new DataReport.Row("mixed.jsonl", 3, "the same as line 1")), finding(data, Kind.DUPLICATE).rows());
        assertTrue(finding(data, Kind.BAD).rows().get(2).what().contains("king"));
    }

    @Test void aLongListOfBadRowsIsCountedAndCutShort() throws IOException {
        var data = read("bad.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}\n" + "{}\n".repeat(50));
        assertEquals(50, finding(data, Kind.BAD).count());
        assertEquals(20, finding(data, Kind.BAD).rows().size());
    }

    @Test void longConversationsLoseTheirOldestTurnsAndKeepTheSystemMessage() throws IOException {
        var messages = new StringBuilder("{\"messages\": [{\"role\": \"system\", \"content\": \"S\"}");
        for (int i = 1; i <= 9; i++) messages.append(", {\"role\": \"user\", \"content\": \"Question %d\"}, {\"role\": \"assistant\", \"content\": \"Answer %d\"}".formatted(i, i));
        var file = write("long.jsonl", messages + "]}");
        var whole = read(file, null, 4_096, 0);
        var data = read(file, null, 150, 0);
        var text = shown(data).getFirst();
        assertTrue(text.startsWith("<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQuestion 7") && text.endsWith("Answer 9<|im_end|>⟧\n"), text);
        assertTrue(data.training().length(0) <= 150);
        assertEquals("%d tokens: its oldest 6 turns were left out".formatted(whole.training().length(0)), finding(data, Kind.TOO_LONG).rows().getFirst().what());
        var cut = read(file, null, 45, 0);
        assertEquals(45, cut.training().length(0));
        assertTrue(shown(cut).getFirst().startsWith("<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQuestion 9"), shown(cut).getFirst());
        assertTrue(finding(cut, Kind.TOO_LONG).rows().getFirst().what().endsWith("its oldest 8 turns were left out, and the last cut after 45"), finding(cut, Kind.TOO_LONG).toString());
        assertTrue(assertThrows(ModelException.class, () -> read(file, null, 12, 0)).getMessage().contains("nothing is left to learn"));
    }

    @Test void textIsCutIntoWindowsThatLearnEveryTokenOnce() throws IOException {
        var text = "abcdefghijklmnopqrstuvwxyz".repeat(3_000);                        // longer than one segment
        for (boolean bos : new boolean[] {false, true}) {
            try (var own = Bytes.tokenizer(bos)) {
                var data = TuneData.read(write("t.txt", text), Prompting.of(own, null), new TuneDataSettings(null, 100, 0, 0), (_, _) -> { });
                var learned = new StringBuilder();
                for (int i = 0; i < data.training().size(); i++) {
                    var window = data.training().get(i);
                    assertTrue(window.tokens().length <= 100 && (!bos || window.tokens()[0] == own.bos()));
                    for (int t = 0; t < window.tokens().length; t++) if (window.learned()[t]) learned.append(own.piece(window.tokens()[t]));
                }
                assertEquals((bos ? text : text.substring(1)) + "</s>", learned.toString());
            }
        }
    }

    @Test void whatIsHeldOutFollowsFromTheSeedAndIsWhole() throws IOException {
        var rows = new StringBuilder();
        for (int i = 0; i < 200; i++) rows.append("{\"text\": \"%s %d\"}\n".formatted("word ".repeat(i % 40 + 1), i));
        var file = write("v.jsonl", rows.toString());
        var one = read(file, null, 64, 0.1);
        var again = read(file, null, 64, 0.1);
        var other = TuneData.read(file, prompting, new TuneDataSettings(null, 64, 0.1, 2), (_, _) -> { });
        assertEquals(texts(one.validation()), texts(again.validation()));
        assertNotEquals(texts(one.validation()), texts(other.validation()));
        assertEquals(one.report().fingerprint(), other.report().fingerprint());
        assertEquals(one.report().heldOut(), one.validation().size());
        assertEquals(one.report().examples(), one.training().size() + one.validation().size());
        var documents = new HashSet<String>();
        for (var text : texts(one.validation())) if (text.endsWith("</s>")) documents.add(text);
        assertEquals(20, documents.size(), "a tenth of the documents, each with all of its windows");
        assertEquals(0, read(file, null, 64, 0).validation().size());
    }

    private static List<String> texts(ExampleSet set) { return IntStream.range(0, set.size()).mapToObj(i -> prompting.shown(set.get(i).tokens(), 0, set.length(i))).toList(); }

    @Test void aFolderIsReadTogetherAndMixedKindsAreRefused() throws IOException {
        var data = Files.createDirectory(folder.resolve("data"));
        Files.writeString(data.resolve("README.md"), "About these files");
        Files.writeString(data.resolve("a.csv"), "prompt,completion\nHi,Yes\n");
        try (var out = new GZIPOutputStream(Files.newOutputStream(data.resolve("b.jsonl.gz")))) {
            out.write("{\"messages\": [{\"role\": \"user\", \"content\": \"Ho\"}, {\"role\": \"assistant\", \"content\": \"No\"}]}".getBytes(StandardCharsets.UTF_8));
        }
        Files.writeString(data.resolve("picture.png"), "passed over");
        var read = read(data);
        assertEquals(List.of(chatMl("Hi", "Yes"), chatMl("Ho", "No")), shown(read));
        assertTrue(read.report().notes().getFirst().contains("README.md"), read.report().notes().toString());
        Files.writeString(data.resolve("c.csv"), "text,label\ngood,1\n");
        assertRefused("different ways", data);
        assertRefused("no file whose name ends with", Files.createDirectory(folder.resolve("nothing")));
    }

    @Test void theFormatCanBeOverridden() throws IOException {
        var rows = "{\"instruction\": \"Hi\", \"output\": \"Yes\", \"chosen\": \"Yes\", \"rejected\": \"No\"}";
        assertEquals(Format.PREFERENCE, read("o.jsonl", rows).report().format());
        assertEquals(List.of(chatMl("Hi", "Yes")), shown(read(write("o.jsonl", rows), Format.ALPACA, 512, 0)));
        assertEquals(Format.TEXT, read(write("o.txt", rows), Format.TEXT, 512, 0).report().format());
        assertThrows(ModelException.class, () -> read(write("p.txt", "just words"), Format.CHAT, 512, 0));
        assertThrows(IllegalArgumentException.class, () -> Format.of("yaml"));
    }

    // ---- files that are broken or mean harm ---------------------------------------------------------------------------------------------------------------

    @Test void brokenFilesEndInOneLine() throws IOException {
        assertRefused("is empty", write("empty.jsonl", ""));
        assertRefused("white space", write("blank.jsonl", " \n\n"));
        assertRefused("NUL bytes", write("nul.jsonl", "{\"text\": \"a\"}\n\0\n"));
        assertRefused("Parquet", write("x.parquet", "PAR1xxxxxxxx"));
        assertRefused("cannot be read; repair", write("cut.json", "[{\"text\": \"a\"}, {\"text\": \"b"));
        assertRefused("something follows", write("two.json", "[{\"text\": \"a\"}] [{\"text\": \"b\"}]"));
        assertRefused("never closed", write("quote.csv", "text,label\n\"abc,1\nd,2\n"));
        assertRefused("which say no format", write("unknown.jsonl", "{\"foo\": 1}\n"));
        assertRefused("none of its first rows", write("nojson.jsonl", "hello\nworld\n"));
        assertRefused("columns have the fields a, b, c", write("unknown.csv", "a,b,c\n1,2,3\n"));
        assertRefused("has no rows", write("none.json", "[]"));
        assertRefused("line 1: text is empty", write("emptytext.jsonl", "{\"text\": \"\"}\n"));
        assertRefused("cannot be unpacked", Files.write(folder.resolve("cut.jsonl.gz"), Arrays.copyOf(gzip("{\"text\": \"a\"}\n".repeat(9_000)), 90)));
        assertRefused("line 2", Files.write(folder.resolve("latin.txt"), new byte[] {'a', '\n', (byte) 0xE9, 'b'}));
    }

    private static byte[] gzip(String text) throws IOException {
        var bytes = new ByteArrayOutputStream();
        try (var out = new GZIPOutputStream(bytes)) { out.write(text.getBytes(StandardCharsets.UTF_8)); }
        return bytes.toByteArray();
    }

    @Test void hostileRowsAreBadRowsNotCrashes() throws IOException {
        var good = "{\"prompt\": \"a\", \"completion\": \"b\"}\n";
        var deep = "{\"prompt\": " + "[".repeat(100_000) + "\n";
        var number = "{\"prompt\": " + "9".repeat(100_000) + ", \"completion\": \"b\"}\n";
        var huge = "{\"prompt\": \"" + "x".repeat(DataFile.LONGEST_ROW) + "\", \"completion\": \"b\"}\n";
        var data = read("hostile.jsonl", good + deep + number + huge + "{\"prompt\": 1e999999999, \"completion\": \"b\"}\n");
        var bad = finding(data, Kind.BAD).rows();
        assertEquals(List.of(2L, 3L, 4L), bad.stream().map(DataReport.Row::line).limit(3).toList(), bad.toString());
        assertTrue(bad.stream().allMatch(row -> row.what().length() < 300), bad.toString());
        assertRefused("longer than", write("huge.json", "[" + huge + "]"));
        assertRefused("longer than", write("huge.csv", "prompt,completion\n\"" + "x,".repeat(DataFile.LONGEST_ROW)));
    }

    /** A line of 40 MB, packed to 40 KB: passed over without being kept. */
    @Test void aLineLargerThanTheHeapIsPassedOver() throws IOException {
        var file = folder.resolve("bomb.jsonl.gz");
        try (var out = new GZIPOutputStream(Files.newOutputStream(file), 1 << 16)) {
            out.write("{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"".getBytes(StandardCharsets.UTF_8));
            var block = "x".repeat(1 << 20).getBytes(StandardCharsets.UTF_8);
            for (int i = 0; i < 40; i++) out.write(block);
            out.write("\n{\"prompt\": \"c\", \"completion\": \"d\"}\n".getBytes(StandardCharsets.UTF_8));
        }
        var data = read(file);
        assertEquals(List.of(chatMl("a", "b"), chatMl("c", "d")), shown(data));
        assertEquals(2, finding(data, Kind.BAD).rows().getFirst().line());
    }

    // ---- the report -----------------------------------------------------------------------------------------------------------------------------------------

    @Test void theReportGoesToJsonAndToTheTerminal() throws IOException {
        var data = read("r.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}\n{}\n");
        var json = JsonMapper.shared().valueToTree(data.report());
        assertEquals("prompt-completion", json.path("format").stringValue());
        assertEquals("bad", json.path("findings").path(0).path("kind").stringValue());
        assertEquals("b<|im_end|>", json.path("first").path(0).path("pieces").path(1).path("text").stringValue());
        assertTrue(json.path("first").path(0).path("pieces").path(1).path("learned").booleanValue());
        var out = new StringWriter();
        data.report().print(new PrintWriter(out));
        assertTrue(out.toString().contains("line 2: expected one of prompt") && out.toString().contains("⟦b<|im_end|>⟧"), out.toString());
    }

    @Test void lengthsFillAHistogram() throws IOException {
        var rows = new StringBuilder();
        for (int i = 1; i <= 300; i++) rows.append("{\"text\": \"%s\"}\n".formatted("x".repeat(i)));
        var lengths = read("h.jsonl", rows.toString()).report().lengths();
        assertEquals(new DataReport.Lengths(2, 152, 301, 20, lengths.counts()), lengths);
        assertEquals(300, Arrays.stream(lengths.counts()).sum());
        assertEquals(20, lengths.counts()[1]);
    }

    // ---- real files -----------------------------------------------------------------------------------------------------------------------------------------

    @Test void realFilesAreUnderstood() throws IOException {
        var root = TestData.folder("instruct").getParent();
        try (var file = Gguf.open(root.resolve("tokenizers/ggml-vocab-phi-3.gguf")); var own = Tokenizers.fromGguf(file.metadata())) {
            var phi = Prompting.of(own, file.metadata().string("tokenizer.chat_template", null));
            var found = new ArrayList<String>();
            for (var name : List.of("instruct/rasbt-instruction-data.json", "instruct/rasbt-instruction-data-with-preference.json", "instruct/fastchat-dummy_conversation.json",
                "chat-guppy/eval.jsonl.gz")) {
                var report = TuneData.read(root.resolve(name), phi, new TuneDataSettings(null, 512, 0.1, 0), (_, _) -> { }).report();
                found.add("%s %d rows %d examples".formatted(report.format().label(), report.rows(), report.examples()));
                assertTrue(report.findings().stream().filter(finding -> finding.kind() == Kind.BAD).mapToLong(DataReport.Finding::count).sum() <= 6, name + report.findings());
                assertFalse(report.first().isEmpty());
            }
            assertEquals(List.of("alpaca 1100 rows 1100 examples", "preference 1100 rows 1094 examples", "sharegpt 500 rows 500 examples",
                "chat 3000 rows 2049 examples"), found);
        }
    }

    /** GPT-2's tokens of tinyshakespeare are 301,966 for training and 36,059 held out in nanoGPT's preparation: 338,025. */
    @Test void aWholeBookHasAsManyTokensAsElsewhere() throws IOException {
        var root = TestData.folder("text-small");
        try (var file = Gguf.open(root.resolveSibling("tokenizers").resolve("ggml-vocab-gpt-2.gguf")); var own = Tokenizers.fromGguf(file.metadata())) {
            var data = TuneData.read(root.resolve("tinyshakespeare.txt"), Prompting.of(own, null), new TuneDataSettings(null, 1_024, 0, 0), (_, _) -> { });
            assertEquals(338_025 + 1 - 1, data.report().learnedTokens(), "all but the first, and the end of text");
        }
    }
}
