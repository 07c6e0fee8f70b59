package inkstone.transformer.tune.data;

import inkstone.tensor.ModelException;
import java.io.IOException;
import java.io.Reader;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.exc.JacksonIOException;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** The rows of a file as JSON objects, one at a time. */
sealed interface Rows {
    JsonMapper JSON = JsonMapper.builder(JsonFactory.builder().streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(64)
        .maxStringLength(DataFile.LONGEST_ROW).maxNumberLength(64).build()).build()).build();

    /** @param problem why there are no {@code fields}, or null */
    record Row(long line, ObjectNode fields, String problem) {
        static Row bad(long line, String problem) { return new Row(line, null, problem); }
    }

    /**
     * The next row, or null after the last.
     *
     * @throws ModelException where the file is broken so that its later rows cannot be found
     */
    Row next() throws IOException;

    static String told(JacksonException problem) { return problem.getOriginalMessage().lines().findFirst().orElse("not JSON"); }

    /** A JSON object a line; blank lines are none. */
    record Lines(Chars chars) implements Rows {
        @Override public Row next() throws IOException {
            while (true) {
                long line = chars.line();
                var text = chars.nextLine(DataFile.LONGEST_ROW);
                if (text == null) return null;
                if (text.length() > DataFile.LONGEST_ROW) return Row.bad(line, "longer than %,d characters".formatted(DataFile.LONGEST_ROW));
                if (text.isBlank()) continue;
                try {
                    var node = JSON.readTree(text);
                    return node instanceof ObjectNode object ? new Row(line, object, null) : Row.bad(line, "expected a JSON object, got " + text.strip().charAt(0));
                } catch (JacksonException problem) {
                    return Row.bad(line, "not JSON: " + told(problem));
                }
            }
        }
    }

    /** The objects of one JSON array, or objects one after the other over any number of lines. */
    final class Values implements Rows {
        private final String source;
        private final Limited limited;
        private final JsonParser parser;
        private boolean begun, array;

        Values(String source, Reader reader) {
            this.source = source;
            limited = new Limited(reader);
            parser = JSON.createParser(limited);
        }

        @Override public Row next() throws IOException {
            limited.left = DataFile.LONGEST_ROW;
            try {
                var token = parser.nextToken();
                if (!begun) {
                    begun = true;
                    array = token == JsonToken.START_ARRAY;
                    if (array) token = parser.nextToken();
                }
                if (token == null) return null;
                if (array && token == JsonToken.END_ARRAY) {
                    if (parser.nextToken() != null) throw broken("something follows the end of the array");
                    return null;
                }
                long line = parser.currentTokenLocation().getLineNr();
                var node = parser.readValueAsTree();
                return node instanceof ObjectNode object ? new Row(line, object, null) : Row.bad(line, "expected a JSON object, got " + token.name().toLowerCase().replace('_', ' '));
            } catch (JacksonIOException failed) {
                if (failed.getCause() instanceof TooLong) throw broken("a row is longer than %,d characters; is a bracket or a quote missing?".formatted(DataFile.LONGEST_ROW));
                throw failed.getCause();
            } catch (JacksonException problem) {
                throw broken("not JSON: " + told(problem));
            }
        }

        private ModelException broken(String why) {
            return new ModelException("%s: line %d: %s. What follows cannot be read; repair the file, or write one JSON object a line".formatted(source, parser.currentLocation().getLineNr(), why));
        }

        private static final class TooLong extends IOException {}

        /** Hands out no more than {@code left} characters. */
        private static final class Limited extends Reader {
            private final Reader reader;
            private long left;

            Limited(Reader reader) { this.reader = reader; }

            @Override public int read(char[] to, int from, int length) throws IOException {
                if (left <= 0) throw new TooLong();
                int got = reader.read(to, from, (int) Math.min(length, left));
                if (got > 0) left -= got;
                return got;
            }

            @Override public void close() throws IOException { reader.close(); }
        }
    }

    /** CSV as RFC 4180 has it, with any of the usual separators: fields may be quoted, and hold separators, line ends and doubled quotes then. */
    final class Csv implements Rows {
        private static final int MOST_COLUMNS = 1_000;

        private final String source;
        private final Chars chars;
        private final char separator;
        private List<String> columns;

        /** @param columns null where the first line names them */
        Csv(String source, Reader reader, char separator, List<String> columns) throws IOException {
            this.source = source;
            this.chars = new Chars(reader);
            this.separator = separator;
            this.columns = columns == null ? record() : columns;
        }

        /** Null where the file has not even a first line. */
        List<String> columns() { return columns; }

        @Override public Row next() throws IOException {
            long line = chars.line();
            var fields = record();
            if (fields == null) return null;
            if (fields.size() != columns.size()) return Row.bad(line, "%d fields, but %d columns".formatted(fields.size(), columns.size()));
            var object = JSON.createObjectNode();
            for (int i = 0; i < fields.size(); i++) object.put(columns.get(i).strip(), fields.get(i));
            return new Row(line, object, null);
        }

        /** The next record's fields, or null after the last. Empty lines are none. */
        List<String> record() throws IOException {
            while (chars.peek() == '\n' || chars.peek() == '\r') chars.next();
            if (chars.peek() < 0) return null;
            long line = chars.line();
            var fields = new ArrayList<String>();
            int left = DataFile.LONGEST_ROW;
            while (true) {
                var field = new StringBuilder();
                boolean quoted = chars.peek() == '"';
                if (quoted) chars.next();
                int c = chars.next();
                for (; c >= 0; c = chars.next()) {
                    if (quoted && c == '"') {
                        quoted = chars.peek() == '"';
                        if (!quoted) continue;
                        chars.next();
                    } else if (!quoted && (c == separator || c == '\n')) {
                        break;
                    }
                    field.append((char) c);
                    if (--left < 0) throw new ModelException("%s: line %d: a row is longer than %,d characters; is a quote missing?".formatted(source, line, DataFile.LONGEST_ROW));
                }
                if (c < 0 && quoted) throw new ModelException("%s: line %d: a quoted field is never closed".formatted(source, line));
                if (c != separator && !field.isEmpty() && field.charAt(field.length() - 1) == '\r') field.setLength(field.length() - 1);
                fields.add(field.toString());
                if (c != separator) return fields;
                if (fields.size() == MOST_COLUMNS) throw new ModelException("%s: line %d: more than %,d columns".formatted(source, line, MOST_COLUMNS));
            }
        }
    }
}
