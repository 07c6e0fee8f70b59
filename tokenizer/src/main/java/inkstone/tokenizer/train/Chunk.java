package inkstone.tokenizer.train;

import inkstone.tensor.ModelException;
import inkstone.tokenizer.train.Corpus.Format;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * About a megabyte of a file of a {@link Corpus}, cut where no word, line of JSON or character goes on.
 *
 * @param name   the file
 * @param before bytes of a text, or lines of JSON, that come before in the file
 * @param last   whether the file ends with it
 */
public record Chunk(String name, Format format, byte[] bytes, long before, boolean last) {
    /** Divides the documents of one text file, as GPT-2's data and TinyStories have it. */
    public static final String SEPARATOR = "<|endoftext|>";

    private static final JsonMapper JSON = JsonMapper.shared();
    private static final TypeReference<List<Map<String, Object>>> MESSAGES = new TypeReference<>() {};

    /**
     * The documents in it, in order.
     *
     * @param problems is told of rows of JSON that are none, with file and line
     * @throws ModelException where the bytes are not UTF-8
     */
    public List<Document> documents(Consumer<String> problems) {
        var documents = new ArrayList<Document>();
        if (format == Format.TEXT) readText(documents);
        else readRows(documents, problems);
        return documents;
    }

    private void readText(List<Document> documents) {
        int bom = before == 0 && bytes.length >= 3 && bytes[0] == (byte) 0xEF && bytes[1] == (byte) 0xBB && bytes[2] == (byte) 0xBF ? 3 : 0;
        var text = text(bom, bytes.length);
        int from = 0;
        for (int at = text.indexOf(SEPARATOR); at >= 0; at = text.indexOf(SEPARATOR, from)) {
            documents.add(new Document.Text(text.substring(from, at), true));
            from = at + SEPARATOR.length();
            if (text.startsWith("\r\n", from)) from += 2;
            else if (text.startsWith("\n", from)) from++;
        }
        documents.add(new Document.Text(text.substring(from), last));
    }

    /* Decoding loosely and looking for the replacement is several times faster than decoding strictly. */
    private String text(int from, int to) {
        var text = new String(bytes, from, to - from, StandardCharsets.UTF_8);
        if (text.indexOf('\uFFFD') < 0) return text;
        var in = ByteBuffer.wrap(bytes, from, to - from);
        var result = StandardCharsets.UTF_8.newDecoder().decode(in, CharBuffer.allocate(to - from), true);
        if (result.isError()) throw notUtf8(in.position());
        return text;
    }

    private ModelException notUtf8(int at) {
        long line = format == Format.JSONL ? before + 1 : 0;
        for (int i = 0; line > 0 && i < at; i++) if (bytes[i] == '\n') line++;
        return new ModelException("%s: %s is not UTF-8 (0x%02X); save it as UTF-8, or leave the file out".formatted(name, line > 0 ? "line " + line : "byte " + (before + at), bytes[at]));
    }

    private void readRows(List<Document> documents, Consumer<String> problems) {
        long line = before;
        for (int from = 0, to; from < bytes.length; from = to + 1) {
            line++;
            for (to = from; to < bytes.length && bytes[to] != '\n'; to++) { }
            var row = text(from, to).strip();
            if (line == 1 && row.startsWith("\uFEFF")) row = row.substring(1);
            if (row.isEmpty()) continue;
            var where = name + ":" + line;
            try {
                documents.add(document(JSON.readTree(row), where));
            } catch (JacksonException e) {
                problems.accept("%s: is not JSON: %s".formatted(where, e.getOriginalMessage().lines().findFirst().orElse("")));
            } catch (IllegalArgumentException e) {
                problems.accept("%s: %s".formatted(where, e.getMessage()));
            }
        }
    }

    private static Document document(JsonNode row, String where) {
        var text = row.path("text");
        if (text.isString()) {
            if (text.stringValue().isBlank()) throw new IllegalArgumentException("\"text\" is empty");
            return new Document.Text(text.stringValue(), true);
        }
        var messages = row.path("messages");
        if (!messages.isArray() || messages.isEmpty()) throw new IllegalArgumentException("should be an object with \"text\" or \"messages\", and has " + found(row));
        for (var message : messages) {
            if (!message.path("role").isString()) throw new IllegalArgumentException("a message should have a \"role\" of \"system\", \"user\" or \"assistant\"");
            var content = message.path("content");
            if (!content.isString() && !content.isArray() && !message.has("tool_calls")) throw new IllegalArgumentException("a message should have \"content\"");
        }
        return new Document.Chat(JSON.convertValue(messages, MESSAGES), where);
    }

    private static String found(JsonNode row) {
        if (!row.isObject()) return "no object";
        var names = row.propertyNames().stream().limit(8).toList();
        return names.isEmpty() ? "nothing" : String.join(", ", names);
    }
}
