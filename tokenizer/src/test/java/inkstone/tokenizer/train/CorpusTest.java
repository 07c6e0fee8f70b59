package inkstone.tokenizer.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.ModelException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CorpusTest {
    @TempDir private Path folder;
    private final List<String> problems = new ArrayList<>();

    private Path write(String name, String text) throws IOException {
        var file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, text);
    }

    /* Parts of a document joined by "+", documents by "|". */
    private String read(Path... paths) throws IOException {
        var all = new StringBuilder();
        Corpus.of(List.of(paths)).read(() -> false, (chunk, read) -> {
            for (var document : chunk.documents(problems::add)) {
                switch (document) {
                    case Document.Text text -> all.append(text.text()).append(text.ends() ? "|" : "+");
                    case Document.Chat chat -> all.append(chat.messages()).append("|");
                }
            }
        });
        return all.toString();
    }

    @Test void aFolderIsReadInTheOrderOfItsPaths() throws IOException {
        write("b.txt", "two");
        write("a/c.md", "one");
        write("z.jsonl", "{\"text\": \"three\"}\n\n{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}");
        write("picture.png", "no text");
        write(".hidden.txt", "hidden");
        write(".git/x.txt", "hidden");
        assertEquals("one|two|three|[{role=user, content=hi}]|", read(folder));
        assertEquals(List.of(folder.resolve("picture.png").toString()), Corpus.of(List.of(folder)).passedOver());
        assertEquals("no text|", read(folder.resolve("picture.png")), "what is named is read");
    }

    @Test void zipAndGzipAreUnpacked() throws IOException {
        try (var zip = new ZipOutputStream(Files.newOutputStream(folder.resolve("b.zip")))) {
            for (var name : List.of("y.txt", "x.txt", "cover.jpg")) {
                zip.putNextEntry(new ZipEntry(name));
                zip.write(name.getBytes(StandardCharsets.UTF_8));
            }
        }
        try (var gzip = new GZIPOutputStream(Files.newOutputStream(folder.resolve("a.jsonl.gz")))) { gzip.write("{\"text\": \"packed\"}".getBytes(StandardCharsets.UTF_8)); }
        assertEquals("packed|x.txt|y.txt|", read(folder));
    }

    @Test void whatIsBrokenIsNamed() throws IOException {
        assertThrows(NoSuchFileException.class, () -> read(folder.resolve("absent.txt")));
        assertTrue(message(write("a.zip", "no zip")).contains("a.zip: is not a zip"));
        assertTrue(message(write("a.txt.gz", "not packed at all")).contains("is not packed"));
        var packed = new ByteArrayOutputStream();
        try (var gzip = new GZIPOutputStream(packed)) { gzip.write(new byte[100_000]); }
        var bytes = packed.toByteArray();
        bytes[bytes.length - 5] ^= 1;
        assertTrue(message(Files.write(folder.resolve("b.txt.gz"), bytes)).contains("broken"));
        assertTrue(message(Files.createDirectory(folder.resolve("empty"))).contains("no .txt"));
    }

    private String message(Path path) { return assertThrows(ModelException.class, () -> read(path)).getMessage(); }

    @Test void bytesThatAreNotUtf8AreRefusedWithTheirPlace() throws IOException {
        var text = Files.write(folder.resolve("latin.txt"), "caf\u00E9 au lait".getBytes(StandardCharsets.ISO_8859_1));
        assertTrue(message(text).contains("latin.txt: byte 3 is not UTF-8 (0xE9)"), message(text));
        var rows = new ByteArrayOutputStream();
        rows.writeBytes("{\"text\": \"a\"}\n".getBytes(StandardCharsets.UTF_8));
        rows.writeBytes("{\"text\": \"\u00E9\"}\n".getBytes(StandardCharsets.ISO_8859_1));
        assertTrue(message(Files.write(folder.resolve("rows.jsonl"), rows.toByteArray())).contains("line 2 is not UTF-8"));
        assertEquals("a\uFFFDb|", read(write("replaced.txt", "a\uFFFDb")), "a replacement character that is there may stay");
        assertEquals("\u00E9|", read(Files.write(folder.resolve("cut.txt"), new byte[] {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF, (byte) 0xC3, (byte) 0xA9})), "without the mark of byte order");
        assertTrue(message(Files.write(folder.resolve("half.txt"), new byte[] {'a', (byte) 0xC3})).contains("byte 1"));
    }

    @Test void rowsThatAreNoneAreToldWithTheirLines() throws IOException {
        var rows = write("rows.jsonl", """
            {"text": "good"}
            {"text": 7}
            not json
            {"messages": []}
            {"messages": [{"content": "x"}]}
            {"messages": [{"role": "user"}]}
            [1]
            {"text": " "}
            {"prompt": "a", "completion": "b"}
            {"text": "last"}""");
        assertEquals("good|last|", read(rows));
        assertEquals(8, problems.size(), problems.toString());
        for (int i = 0; i < 8; i++) assertTrue(problems.get(i).startsWith(rows + ":" + (i + 2) + ": "), problems.get(i));
        assertTrue(problems.getLast().contains("has prompt, completion"), problems.getLast());
    }

    @Test void separatorsDivideATextFile() throws IOException {
        assertEquals("one\n|two|three|", read(write("a.txt", "one\n<|endoftext|>\ntwo<|endoftext|>three")));
        assertEquals("one\n||", read(write("b.txt", "one\n<|endoftext|>\n")));
    }

    @Test void longFilesAreCutWhereWordsBegin() throws IOException {
        var lines = new StringBuilder();
        for (int i = 0; lines.length() < 3_000_000; i++) lines.append("line ").append(i).append(" \u20AC of a text\n");
        assertCutAndWhole(lines.toString(), "line");
        assertCutAndWhole(lines.toString().replace('\n', '-'), " ");
        assertCutAndWhole("\uD83D\uDE80".repeat(700_000), "\uD83D\uDE80");
    }

    private void assertCutAndWhole(String text, String start) throws IOException {
        var parts = read(write("long.txt", text)).split("\\+");
        assertTrue(parts.length >= 3, parts.length + " parts");
        for (var part : Arrays.asList(parts).subList(1, parts.length)) assertTrue(part.startsWith(start), part.substring(0, 20));
        assertEquals(text + "|", String.join("", parts));
    }

    @Test void longRowsAreKeptWhole() throws IOException {
        var row = "{\"text\": \"" + "word ".repeat(500_000) + "\"}\n";
        assertEquals("word ".repeat(500_000) + "|a|", read(write("long.jsonl", row + "{\"text\": \"a\"}\n")));
    }

    @Test void theFingerprintIsThatOfTheContents() throws IOException {
        write("a.txt", "one");
        write("b.txt", "two");
        var before = fingerprint();
        Files.move(folder.resolve("a.txt"), folder.resolve("aa.txt"));
        assertArrayEquals(before, fingerprint());
        write("b.txt", "twO");
        assertFalse(Arrays.equals(before, fingerprint()));
        write("aa.txt", "onet");
        write("b.txt", "wo");
        assertFalse(Arrays.equals(before, fingerprint()), "where a file ends matters");
    }

    private byte[] fingerprint() throws IOException { return Corpus.of(List.of(folder)).fingerprint(() -> false); }

    @Test void progressEndsAtAllBytes() throws IOException {
        write("a.txt", "text ".repeat(500_000));
        write("b.txt", "two");
        var corpus = Corpus.of(List.of(folder));
        long[] last = {0};
        corpus.read(() -> false, (chunk, read) -> {
            assertTrue(read >= last[0]);
            last[0] = read;
        });
        assertEquals(2_500_003, last[0]);
        assertEquals(2_500_003, corpus.bytes());
        assertThrows(CancellationException.class, () -> corpus.read(() -> true, (chunk, read) -> { }));
    }
}
