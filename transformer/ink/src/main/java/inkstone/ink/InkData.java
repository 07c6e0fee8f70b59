package inkstone.ink;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import tools.jackson.databind.json.JsonMapper;

/** Writes what the embedded model learns from, the same bytes at every run. {@code scripts/make-ink-data} runs it. */
public final class InkData {
    private static final long SEED = 1, HELD_OUT_SEED = 1_000_000_007;
    private static final int CONVERSATIONS = 80_000, STORIES = 3_000, HELD_OUT = 200;
    /** Conversations that would not fit into 1,024 tokens are left out. */
    private static final int LONGEST = 680;
    /** The same short conversation comes by chance again and again; more copies than this teach nothing. */
    private static final int COPIES = 3;
    private static final double TOKENS_PER_WORD = 1.3;

    /** A document in the mixture: a conversation or a plain text, and the text that the model sees of it. */
    private record Row(String source, Object content, String rendered) {}

    private InkData() {}

    public static void main(String[] arguments) throws IOException {
        if (arguments.length < 1 || arguments.length > 2) {
            System.err.println("usage: make-ink-data OUT_DIR [DATA_DIR]");
            System.exit(2);
        }
        var out = Files.createDirectories(Path.of(arguments[0]));
        var generator = new Conversations();
        var copies = new HashMap<List<Map<String, String>>, Integer>();
        var training = new ArrayList<List<Map<String, String>>>();
        for (long number = 0; training.size() < CONVERSATIONS; number++) {
            var conversation = generator.conversation(seed(SEED, number));
            if (words(conversation) <= LONGEST && copies.merge(conversation, 1, Integer::sum) <= COPIES) training.add(conversation);
        }
        var heldOut = new ArrayList<List<Map<String, String>>>();
        for (long number = 0; heldOut.size() < HELD_OUT; number++) {
            var conversation = generator.conversation(seed(HELD_OUT_SEED, number));
            if (words(conversation) <= LONGEST && !copies.containsKey(conversation)) heldOut.add(conversation);
        }
        var stories = new ArrayList<String>();
        for (long number = 0; number < STORIES; number++) stories.add(generator.stories().tell(new Dice(seed(SEED + 1, number))).text());
        write(out.resolve("conversations.jsonl"), training.stream().map(c -> Map.of("messages", c)).toList());
        write(out.resolve("heldout.jsonl"), heldOut.stream().map(c -> Map.of("messages", c)).toList());
        write(out.resolve("stories.jsonl"), stories.stream().map(s -> Map.of("text", s)).toList());
        if (arguments.length == 2) mixture(Path.of(arguments[1]), out, training, stories);
    }

    /** Everything in a random order, once as messages and texts and once as the model sees it. */
    private static void mixture(Path data, Path out, List<List<Map<String, String>>> conversations, List<String> stories) throws IOException {
        var rows = new ArrayList<Row>();
        conversations.forEach(c -> rows.add(conversation("ink conversations", c)));
        stories.forEach(s -> rows.add(text("ink stories", s)));
        Mixture.personalityChat(data.resolve("chat/ms-personality-chat-friendly.tsv")).forEach(c -> rows.add(conversation("personality chat", c)));
        Mixture.tinyStories(data.resolve("text-tinystories/tinystories-sample.txt")).forEach(s -> rows.add(text("tinystories", s)));
        Mixture.books(data.resolve("text-books/books.zip")).forEach(s -> rows.add(text("books", s)));
        Collections.shuffle(rows, new Random(SEED));
        write(out.resolve("train.jsonl"), rows.stream().map(InkData::labelled).toList());
        write(out.resolve("train-text.jsonl"), rows.stream().map(r -> Map.of("text", r.rendered)).toList());
        var counts = new LinkedHashMap<String, long[]>();
        for (var row : rows) {
            var count = counts.computeIfAbsent(row.source, _ -> new long[2]);
            count[0]++;
            count[1] += row.rendered.split("\\s+").length;
        }
        System.out.printf(Locale.ROOT, "%-20s %10s %12s %14s%n", "source", "documents", "words", "tokens, about");
        counts.forEach((source, count) -> System.out.printf(Locale.ROOT, "%-20s %,10d %,12d %,14d%n", source, count[0], count[1], Math.round(count[1] * TOKENS_PER_WORD)));
    }

    private static Row conversation(String source, List<Map<String, String>> messages) { return new Row(source, messages, Mixture.rendered(messages)); }

    private static Row text(String source, String text) { return new Row(source, text, Mixture.rendered(text)); }

    private static Map<String, Object> labelled(Row row) {
        var labelled = new LinkedHashMap<String, Object>();
        labelled.put("source", row.source);
        labelled.put(row.content instanceof String ? "text" : "messages", row.content);
        return labelled;
    }

    /** The seed of conversation or story number n. */
    static long seed(long seed, long number) { return seed * 0x9E3779B97F4A7C15L ^ (number * 0xBF58476D1CE4E5B9L + 0x94D049BB133111EBL); }

    private static int words(List<Map<String, String>> messages) { return messages.stream().mapToInt(m -> m.get("content").split("\\s+").length).sum(); }

    private static void write(Path file, List<?> rows) throws IOException {
        var json = JsonMapper.shared();
        try (var writer = Files.newBufferedWriter(file)) {
            for (var row : rows) writer.append(json.writeValueAsString(row)).append('\n');
        }
    }
}
