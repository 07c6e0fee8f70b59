package inkstone.transformer.tune.data;

import inkstone.tensor.ModelException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonToken;

/**
 * What a file was recognised as.
 *
 * @param why       container and evidence, in words
 * @param separator of CSV
 * @param columns   of CSV whose first line names none; otherwise null
 */
record Detected(Path path, Container container, Format format, String why, String encoding, char separator, List<String> columns) {
    enum Container {
        JSON_LINES("JSON lines"), JSON("JSON"), CSV("CSV"), TEXT("plain text");

        private final String told;

        Container(String told) { this.told = told; }

        String told() { return told; }
    }

    private static final int HEAD = 1 << 16, SAMPLED_ROWS = 100;

    /** @param asked the format, or null to find out */
    static Detected of(Path path, Format asked) throws IOException {
        String head, encoding;
        try (var file = DataFile.open(path, _ -> { })) {
            head = head(file.reader());
            encoding = file.encoding();
        }
        if (head.isBlank() && head.length() < HEAD) throw new ModelException(path + " has nothing but white space");
        var container = container(extension(path), head, asked);
        var bare = new Detected(path, container, asked, "", encoding, separator(head, extension(path)), null);
        if (container == Container.TEXT) {
            if (asked != null && asked != Format.TEXT) throw new ModelException("%s is plain text, which has no rows to read as %s; give JSON, JSON lines or CSV".formatted(path, asked.label()));
            return bare.as(Format.TEXT, "plain text");
        }
        return container == Container.CSV ? bare.csv(asked) : bare.rows(asked);
    }

    private Detected as(Format format, String why) { return new Detected(path, container, format, why, encoding, separator, columns); }

    private static String head(Reader reader) throws IOException {
        var head = new char[HEAD];
        int filled = 0;
        for (int got; filled < HEAD && (got = reader.read(head, filled, HEAD - filled)) > 0; ) filled += got;
        return new String(head, 0, filled);
    }

    /** Of the name without .gz, in small letters; empty where there is none. */
    static String extension(Path path) {
        var name = path.getFileName().toString().toLowerCase(Locale.ROOT).replaceFirst("\\.gz$", "");
        int dot = name.lastIndexOf('.');
        return dot < 0 ? "" : name.substring(dot + 1);
    }

    // ---- the container ------------------------------------------------------------------------------------------------------------------------------------

    private static Container container(String extension, String head, Format asked) {
        boolean lines = Set.of("jsonl", "ndjson").contains(extension);
        if (Set.of("csv", "tsv").contains(extension)) return Container.CSV;
        if (asked == Format.TEXT && !lines && !extension.equals("json")) return Container.TEXT;
        if (isJson(head)) {
            int end = head.indexOf('\n');
            return head.stripLeading().startsWith("{") && (lines || end < 0 || isWhole(head.stripLeading().lines().findFirst().orElse(""))) ? Container.JSON_LINES : Container.JSON;
        }
        if (lines) return Container.JSON_LINES;
        if (extension.equals("json")) return Container.JSON;
        var columns = Rows.JSON.createObjectNode();
        for (var name : head.lines().findFirst().orElse("").split(String.valueOf(separator(head, extension)), -1)) columns.put(name.strip(), "");
        return columns.size() > 1 && Layout.of(columns) != null ? Container.CSV : Container.TEXT;
    }

    /** Whether it begins as an array of objects or an object with a field. */
    private static boolean isJson(String head) {
        if (head.isBlank() || "[{".indexOf(head.stripLeading().charAt(0)) < 0) return false;
        try (var parser = Rows.JSON.createParser(new StringReader(head))) {
            boolean array = parser.nextToken() == JsonToken.START_ARRAY;
            var next = parser.nextToken();
            return array ? next == JsonToken.START_OBJECT || next == JsonToken.END_ARRAY : next == JsonToken.PROPERTY_NAME || next == JsonToken.END_OBJECT;
        } catch (JacksonException broken) {
            return false;
        }
    }

    private static boolean isWhole(String line) {
        try {
            return Rows.JSON.readTree(line).isObject();
        } catch (JacksonException broken) {
            return false;
        }
    }

    /** The separator that the first line has most of. */
    private static char separator(String head, String extension) {
        if (extension.equals("tsv")) return '\t';
        var first = head.lines().findFirst().orElse("").replaceAll("\"[^\"]*\"", "");
        char best = ',';
        for (char candidate : new char[] {'\t', ';'}) {
            if (first.chars().filter(c -> c == candidate).count() > first.chars().filter(c -> c == ',').count()) best = candidate;
        }
        return best;
    }

    // ---- the rows -----------------------------------------------------------------------------------------------------------------------------------------

    Rows open(Reader reader) throws IOException {
        var buffered = new BufferedReader(reader, HEAD);
        return switch (container) {
            case JSON_LINES -> new Rows.Lines(new Chars(buffered));
            case JSON -> new Rows.Values(path.toString(), buffered);
            case CSV -> new Rows.Csv(path.toString(), buffered, separator, columns);
            case TEXT -> throw new IllegalStateException("plain text has no rows");
        };
    }

    private Detected rows(Format asked) throws IOException {
        if (asked != null) return as(asked, container.told() + ", read as asked");
        var votes = new EnumMap<Format, Integer>(Format.class);
        var evidence = new EnumMap<Format, String>(Format.class);
        int seen = 0;
        String fields = null, problem = null;
        try (var file = DataFile.open(path, _ -> { })) {
            var rows = open(file.reader());
            for (var row = rows.next(); row != null && seen < SAMPLED_ROWS; row = rows.next()) {
                seen++;
                if (row.fields() == null) {
                    if (problem == null) problem = "line %d: %s".formatted(row.line(), row.problem());
                    continue;
                }
                var format = Layout.of(row.fields());
                if (format == null) {
                    if (fields == null) fields = Layout.shortened(String.join(", ", row.fields().propertyNames()));
                } else {
                    votes.merge(format, 1, Integer::sum);
                    evidence.putIfAbsent(format, Layout.evidence(format, row.fields()));
                }
            }
        }
        if (seen == 0) throw new ModelException(path + " has no rows");
        var most = votes.entrySet().stream().max(Map.Entry.comparingByValue());
        if (most.isEmpty()) throw fields == null ? new ModelException("%s: none of its first rows can be read; %s".formatted(path, problem)) : unknown("rows", fields);
        var format = most.get().getKey();
        return as(format, "%s, %d of the first %d rows have %s".formatted(container.told(), most.get().getValue(), seen, evidence.get(format)));
    }

    private ModelException unknown(String what, String fields) {
        return new ModelException(("%s: its %s have the fields %s, which say no format; rename them: messages (role, content), conversations (from, value), instruction and output, "
            + "prompt and completion, text, text and label, or prompt, chosen and rejected").formatted(path, what, fields));
    }

    /** Columns are told by their names, and those of a file that names none by what they hold: one of a few short words a row is a label. */
    private Detected csv(Format asked) throws IOException {
        try (var file = DataFile.open(path, _ -> { })) {
            var rows = new Rows.Csv(path.toString(), file.reader(), separator, null);
            if (rows.columns() == null) throw new ModelException(path + " has no rows");
            var named = Rows.JSON.createObjectNode();
            for (var column : rows.columns()) named.put(column.strip(), "");
            var format = Layout.of(named);
            if (format != null) return as(asked != null ? asked : format, asked != null ? "CSV, read as asked" : "CSV with the columns " + Layout.evidence(format, named));
            var guessed = rows.columns().size() == 2 ? unnamed(rows) : null;
            if (guessed == null) throw unknown("columns", Layout.shortened(String.join(", ", rows.columns())));
            return new Detected(path, container, asked != null ? asked : Format.LABELLED, "CSV without names for its columns, of which column %d has a few short words, taken for labels"
                .formatted(guessed.indexOf("label") + 1), encoding, separator, guessed);
        }
    }

    private static List<String> unnamed(Rows.Csv rows) throws IOException {
        var distinct = List.of(new HashSet<String>(), new HashSet<String>());
        int seen = 0;
        for (var record = rows.columns(); record != null && seen < SAMPLED_ROWS; record = rows.record()) {
            if (record.size() != 2) continue;
            seen++;
            for (int i = 0; i < 2; i++) distinct.get(i).add(record.get(i));
        }
        for (int i = 0; i < 2; i++) {
            boolean few = distinct.get(i).size() <= Math.min(20, seen / 2), shortWords = distinct.get(i).stream().allMatch(value -> value.length() <= 40);
            if (few && shortWords && distinct.get(1 - i).size() > seen / 2) return i == 0 ? List.of("label", "text") : List.of("text", "label");
        }
        return null;
    }

    /** Of several files, in words. */
    static String told(List<Detected> files) {
        return files.size() == 1 ? files.getFirst().why() : files.stream().collect(Collectors.groupingBy(file -> file.container().told() + " " + file.format().label(), Collectors.counting()))
            .entrySet().stream().sorted(Map.Entry.comparingByKey()).map(group -> "%d × %s".formatted(group.getValue(), group.getKey())).collect(Collectors.joining(", "));
    }
}
