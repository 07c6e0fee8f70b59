package inkstone.server.jobs;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.sqlite.SQLiteConfig;

/**
 * The jobs and what they told, in an SQLite file. Every write is on disk in order, and whole after a crash of the program or the machine (write-ahead log; a power
 * cut may take the last seconds with it). One thread at a time. A full or broken disk throws {@link UncheckedIOException}.
 */
final class JobStore implements AutoCloseable {
    private static final int VERSION = 1;

    /** One event of a job, numbered from 1 in the order it was told. */
    record Stored(long number, String json) {}

    private final Path file;
    private final Connection connection;

    JobStore(Path file) throws IOException {
        this.file = file;
        var config = new SQLiteConfig();
        config.setJournalMode(SQLiteConfig.JournalMode.WAL);
        config.setSynchronous(SQLiteConfig.SynchronousMode.NORMAL);
        config.setBusyTimeout(10_000);
        config.enforceForeignKeys(true);
        try {
            connection = config.createConnection("jdbc:sqlite:" + file.toAbsolutePath());
            prepare();
        } catch (SQLException problem) {
            throw new IOException("%s cannot be used as a database of jobs: %s".formatted(file, problem.getMessage()), problem);
        }
    }

    private void prepare() throws SQLException, IOException {
        try (var statement = connection.createStatement()) {
            int version;
            try (var found = statement.executeQuery("PRAGMA user_version")) { version = found.getInt(1); }
            if (version > VERSION) throw new IOException("%s was written by a newer Inkstone; use that, or another --data-dir".formatted(file));
            if (version == VERSION) return;
            statement.execute("CREATE TABLE jobs (id TEXT PRIMARY KEY, document TEXT NOT NULL)");
            statement.execute("CREATE TABLE events (job TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE, number INTEGER NOT NULL, type TEXT NOT NULL, step INTEGER NOT NULL, json TEXT NOT NULL, "
                + "PRIMARY KEY (job, number)) WITHOUT ROWID");
            statement.execute("PRAGMA user_version = " + VERSION);
        }
    }

    private interface Work<T> { T with(PreparedStatement statement) throws SQLException; }

    /** Runs one statement with its parameters in order. */
    private <T> T run(String sql, Work<T> work, Object... parameters) {
        try (var statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++) statement.setObject(i + 1, parameters[i]);
            return work.with(statement);
        } catch (SQLException problem) {
            throw new UncheckedIOException(new IOException("the database %s failed: %s".formatted(file, problem.getMessage()), problem));
        }
    }

    List<Job> jobs() {
        return run("SELECT document FROM jobs", statement -> {
            var jobs = new ArrayList<Job>();
            try (var rows = statement.executeQuery()) { while (rows.next()) jobs.add(JobJson.job(rows.getString(1))); }
            return jobs;
        });
    }

    void put(Job job) {
        run("INSERT INTO jobs (id, document) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET document = excluded.document", PreparedStatement::executeUpdate, job.id(), JobJson.text(JobJson.of(job)));
    }

    /** Its events go with it. */
    void remove(String job) { run("DELETE FROM jobs WHERE id = ?", PreparedStatement::executeUpdate, job); }

    void append(String job, long number, String type, long step, String json) {
        run("INSERT INTO events (job, number, type, step, json) VALUES (?, ?, ?, ?, ?)", PreparedStatement::executeUpdate, job, number, type, step, json);
    }

    /** The events after number {@code after}, in order. */
    List<Stored> events(String job, long after) {
        return run("SELECT number, json FROM events WHERE job = ? AND number > ? ORDER BY number", statement -> {
            var events = new ArrayList<Stored>();
            try (var rows = statement.executeQuery()) { while (rows.next()) events.add(new Stored(rows.getLong(1), rows.getString(2))); }
            return events;
        }, job, after);
    }

    long lastNumber(String job) { return count("SELECT COALESCE(MAX(number), 0) FROM events WHERE job = ?", job); }

    long points(String job) { return count("SELECT COUNT(*) FROM events WHERE job = ? AND type = 'step'", job); }

    private long count(String sql, String job) {
        return run(sql, statement -> {
            try (var rows = statement.executeQuery()) { return rows.getLong(1); }
        }, job);
    }

    /** Keeps one step in {@code stride}. */
    void thin(String job, long stride) { run("DELETE FROM events WHERE job = ? AND type = 'step' AND step % ? <> 0", PreparedStatement::executeUpdate, job, stride); }

    /** Takes out what was told of steps after {@code step}: the run begins there again. */
    void forget(String job, long step) {
        run("DELETE FROM events WHERE job = ? AND step > ? AND type IN ('step', 'evaluation', 'sample', 'saved', 'finished')", PreparedStatement::executeUpdate, job, step);
    }

    @Override public void close() {
        try {
            connection.close();
        } catch (SQLException problem) {
            throw new UncheckedIOException(new IOException("the database %s did not close: %s".formatted(file, problem.getMessage()), problem));
        }
    }
}
