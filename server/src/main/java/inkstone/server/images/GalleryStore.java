package inkstone.server.images;

import inkstone.server.jobs.Database;
import inkstone.server.jobs.JobJson;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.PreparedStatement;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What made each picture, and an index of the words, in an SQLite file. One thread at a time. */
final class GalleryStore implements AutoCloseable {
    private static final List<String> TABLES = List.of(
        "CREATE TABLE pictures (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, favourite INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0, document TEXT NOT NULL)",
        "CREATE VIRTUAL TABLE words USING fts5(prompt, negative, model, tokenize = 'unicode61 remove_diacritics 2')");
    private static final String SHOWN = " FROM pictures WHERE deleted = 0 AND (? = '' OR number IN (SELECT rowid FROM words WHERE words MATCH ?)) AND favourite >= ?";

    private final Database database;

    GalleryStore(Path file) throws IOException { database = new Database(file, "pictures", 1, TABLES); }

    Painting add(Painting painting) {
        database.together(() -> {
            database.run("INSERT INTO pictures (id, document) VALUES (?, ?)", PreparedStatement::executeUpdate, painting.id(), JobJson.text(JobJson.of(painting)));
            database.run("INSERT INTO words (rowid, prompt, negative, model) VALUES (last_insert_rowid(), ?, ?, ?)", PreparedStatement::executeUpdate, painting.prompt(), painting.negative(), painting.model());
        });
        return find(painting.id()).orElseThrow();
    }

    Optional<Painting> find(String id) { return paintings("SELECT number, favourite, document FROM pictures WHERE id = ?", id).stream().findFirst(); }

    List<Painting> find(String words, boolean favourites, long before, int most) {
        var query = query(words);
        return paintings("SELECT number, favourite, document" + SHOWN + " AND number < ? ORDER BY number DESC LIMIT ?", query, query, favourites ? 1 : 0, before <= 0 ? Long.MAX_VALUE : before, most);
    }

    long count(String words, boolean favourites) {
        var query = query(words);
        return database.number("SELECT COUNT(*)" + SHOWN, query, query, favourites ? 1 : 0);
    }

    /** Each word as the beginning of one, in quotes: nothing in it is an operator of the index. */
    private static String query(String words) {
        return Stream.of(words.strip().split("\\s+")).filter(word -> word.codePoints().anyMatch(Character::isLetterOrDigit)).map(word -> '"' + word.replace("\"", "") + "\"*").collect(Collectors.joining(" "));
    }

    private List<Painting> paintings(String sql, Object... parameters) {
        return database.run(sql, statement -> {
            var found = new ArrayList<Painting>();
            try (var rows = statement.executeQuery()) { while (rows.next()) found.add(JobJson.read(rows.getString(3), Painting.class).with(rows.getLong(1), rows.getInt(2) > 0)); }
            return found;
        }, parameters);
    }

    void favourite(String id, boolean favourite) { database.run("UPDATE pictures SET favourite = ? WHERE id = ?", PreparedStatement::executeUpdate, favourite ? 1 : 0, id); }

    /** @param time milliseconds since 1970; 0: not deleted */
    void delete(String id, long time) { database.run("UPDATE pictures SET deleted = ? WHERE id = ?", PreparedStatement::executeUpdate, time, id); }

    boolean isDeleted(String id) { return database.number("SELECT COUNT(*) FROM pictures WHERE id = ? AND deleted > 0", id) > 0; }

    List<String> deletedBefore(long time) { return texts("SELECT id FROM pictures WHERE deleted > 0 AND deleted <= ?", time); }

    List<String> ids() { return texts("SELECT id FROM pictures"); }

    private List<String> texts(String sql, Object... parameters) {
        return database.run(sql, statement -> {
            var texts = new ArrayList<String>();
            try (var rows = statement.executeQuery()) { while (rows.next()) texts.add(rows.getString(1)); }
            return texts;
        }, parameters);
    }

    void remove(String id) {
        database.together(() -> {
            database.run("DELETE FROM words WHERE rowid IN (SELECT number FROM pictures WHERE id = ?)", PreparedStatement::executeUpdate, id);
            database.run("DELETE FROM pictures WHERE id = ?", PreparedStatement::executeUpdate, id);
        });
    }

    @Override public void close() { database.close(); }
}
