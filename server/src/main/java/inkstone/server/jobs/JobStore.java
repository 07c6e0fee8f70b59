package inkstone.server.jobs;

import java.io.IOException;
import java.nio.file.Path;
import java.sql.PreparedStatement;
import java.util.ArrayList;
import java.util.List;

/** The jobs and what they told, in an SQLite file. One thread at a time. */
final class JobStore implements AutoCloseable {
    private static final List<String> TABLES = List.of("CREATE TABLE jobs (id TEXT PRIMARY KEY, document TEXT NOT NULL)",
        "CREATE TABLE events (job TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE, number INTEGER NOT NULL, type TEXT NOT NULL, step INTEGER NOT NULL, json TEXT NOT NULL, "
            + "PRIMARY KEY (job, number)) WITHOUT ROWID");

    /** One event of a job, numbered from 1 in the order it was told. */
    record Stored(long number, String json) {}

    private final Database database;

    JobStore(Path file) throws IOException { database = new Database(file, "jobs", 1, TABLES); }

    List<Job> jobs() {
        return database.run("SELECT document FROM jobs", statement -> {
            var jobs = new ArrayList<Job>();
            try (var rows = statement.executeQuery()) { while (rows.next()) jobs.add(JobJson.job(rows.getString(1))); }
            return jobs;
        });
    }

    void put(Job job) {
        database.run("INSERT INTO jobs (id, document) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET document = excluded.document", PreparedStatement::executeUpdate, job.id(), JobJson.text(JobJson.of(job)));
    }

    /** Its events go with it. */
    void remove(String job) { database.run("DELETE FROM jobs WHERE id = ?", PreparedStatement::executeUpdate, job); }

    void append(String job, long number, String type, long step, String json) {
        database.run("INSERT INTO events (job, number, type, step, json) VALUES (?, ?, ?, ?, ?)", PreparedStatement::executeUpdate, job, number, type, step, json);
    }

    /** The events after number {@code after}, in order. */
    List<Stored> events(String job, long after) {
        return database.run("SELECT number, json FROM events WHERE job = ? AND number > ? ORDER BY number", statement -> {
            var events = new ArrayList<Stored>();
            try (var rows = statement.executeQuery()) { while (rows.next()) events.add(new Stored(rows.getLong(1), rows.getString(2))); }
            return events;
        }, job, after);
    }

    long lastNumber(String job) { return database.number("SELECT COALESCE(MAX(number), 0) FROM events WHERE job = ?", job); }

    long points(String job) { return database.number("SELECT COUNT(*) FROM events WHERE job = ? AND type = 'step'", job); }

    /** Keeps one step in {@code stride}. */
    void thin(String job, long stride) { database.run("DELETE FROM events WHERE job = ? AND type = 'step' AND step % ? <> 0", PreparedStatement::executeUpdate, job, stride); }

    /** Takes out what was told of steps after {@code step}: the run begins there again. */
    void forget(String job, long step) {
        database.run("DELETE FROM events WHERE job = ? AND step > ? AND type IN ('step', 'evaluation', 'sample', 'saved', 'finished')", PreparedStatement::executeUpdate, job, step);
    }

    @Override public void close() { database.close(); }
}
