package inkstone.ink;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The word lists and templates, read from files beside the classes. */
final class Resources {
    private Resources() {}

    static List<String> lines(String name) {
        try (var in = Resources.class.getResourceAsStream(name)) {
            if (in == null) throw new IllegalStateException("the file " + name + " is missing beside the generator's classes");
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The rows of a table with columns divided by bars with blanks around them, by the names in its first line; lines with # are comments. */
    static List<Map<String, String>> table(String name) {
        List<String> columns = null;
        var rows = new ArrayList<Map<String, String>>();
        for (String line : lines(name)) {
            if (line.isBlank() || line.startsWith("#")) continue;
            var cells = Arrays.stream(line.split(" \\|(?= |$)", -1)).map(String::strip).toList();
            if (columns == null) {
                columns = cells;
                continue;
            }
            if (cells.size() != columns.size()) throw new IllegalStateException("%s: expected %d columns, found %d: %s".formatted(name, columns.size(), cells.size(), line));
            var row = new LinkedHashMap<String, String>();
            for (int i = 0; i < cells.size(); i++) row.put(columns.get(i), cells.get(i));
            rows.add(row);
        }
        return rows;
    }
}
