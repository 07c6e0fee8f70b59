package inkstone.ink;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.zip.ZipFile;

/**
 * What else the embedded model may learn from: free texts whose licences allow it. The questions of Microsoft's Personality Chat get Ink's own answers; TinyStories and
 * three old books are plain text. Left out, because people speak there of jobs and homes of their own or because the answers are beyond a small model: Synthetic-Persona-Chat,
 * ChatterBot's corpus, self-instruct and GSM8K. Raschka's instructions are kept for the fine-tuning tests, and Guppy has no licence file.
 */
final class Mixture {
    private static final List<String> BOOKS = List.of("aesop_fables_v-s-vernon-jones.txt", "beatrix-potter_short-fiction.txt", "l-frank-baum_the-wonderful-wizard-of-oz.txt");
    private static final int PASSAGE = 350;                       // words of a book that make one document
    private static final Pattern UNUSABLE = Pattern.compile("[^\\x00-\\x7F]");

    private Mixture() {}

    /** Questions of Personality Chat (tab-separated: question, answer, ...), each with the answer that Ink gives to that kind of question. */
    static List<List<Map<String, String>>> personalityChat(Path file) throws IOException {
        var answers = Resources.table("talk/personality-chat.txt").stream().collect(Collectors.toMap(row -> row.get("theirs"), row -> row.get("ours")));
        var conversations = new ArrayList<List<Map<String, String>>>();
        for (String line : Files.readAllLines(file)) {
            var cells = line.split("\t");
            if (cells.length < 2) continue;
            String question = plain(cells[0]), answer = answers.get(plain(cells[1]));
            if (answer == null || question.isEmpty() || UNUSABLE.matcher(question).find()) continue;
            conversations.add(List.of(Talk.message("user", question), Talk.message("assistant", answer)));
        }
        return conversations;
    }

    /** Stories stand line after line, with blank lines between the paragraphs of one: a line right after a line begins the next story. */
    static List<String> tinyStories(Path file) throws IOException {
        var stories = new ArrayList<String>();
        var story = new StringBuilder();
        boolean afterText = false;
        for (String line : Files.readAllLines(file)) {
            if (line.isBlank()) {
                afterText = false;
                continue;
            }
            if (afterText) {
                stories.add(story.toString());
                story.setLength(0);
            }
            story.append(story.isEmpty() ? "" : "\n\n").append(line.strip());
            afterText = true;
        }
        if (!story.isEmpty()) stories.add(story.toString());
        /* The excerpt is cut at its end, in some stories the quotation marks were read in a wrong encoding, and a few do not fit into 1,024 tokens. */
        return stories.stream().map(Mixture::plain).filter(s -> !UNUSABLE.matcher(s).find() && s.matches("(?s).*[.!?]\"?") && s.length() > 200 && s.split("\\s+").length < 2 * PASSAGE).toList();
    }

    /** Whole paragraphs of the books, together about as long as a story. */
    static List<String> books(Path zip) throws IOException {
        var passages = new ArrayList<String>();
        try (var archive = new ZipFile(zip.toFile())) {
            for (String name : BOOKS) {
                var entry = archive.getEntry(name);
                if (entry == null) throw new IOException(zip + " has no " + name);
                String text = plain(new String(archive.getInputStream(entry).readAllBytes(), StandardCharsets.UTF_8));
                var passage = new StringBuilder();
                for (String paragraph : text.split("\n{2,}")) {
                    if (paragraph.isBlank()) continue;
                    passage.append(passage.isEmpty() ? "" : "\n\n").append(paragraph.strip());
                    if (passage.toString().split("\\s+").length < PASSAGE) continue;
                    passages.add(passage.toString());
                    passage.setLength(0);
                }
            }
        }
        return passages.stream().filter(p -> !UNUSABLE.matcher(p).find() && p.split("\\s+").length < 2 * PASSAGE).toList();
    }

    /** One way to write quotation marks, dashes and blanks, so that a small vocabulary is not spent on several. */
    private static String plain(String text) {
        return text.replaceAll("[“”]", "\"").replaceAll("[‘’]", "'").replaceAll("⁠?—⁠?", " - ").replace("–", "-").replace("…", "...").replace('\u00A0', ' ').replaceAll("[\u2060\u200A\u2009\uFEFF]", "")
            .replaceAll(" +", " ").strip();
    }

    /** A conversation as the chat template writes it. */
    static String rendered(List<Map<String, String>> messages) {
        var text = new StringBuilder();
        for (var message : messages) text.append("<|").append(message.get("role")).append("|>").append(message.get("content")).append("<|end|>");
        return text.toString();
    }

    static String rendered(String text) { return "<|text|>" + text + "<|end|>"; }
}
