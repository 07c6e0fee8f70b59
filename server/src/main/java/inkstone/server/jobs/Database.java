package inkstone.server.jobs;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.List;
import org.sqlite.SQLiteConfig;

/**
 * An SQLite file. Every write is on disk in order, and whole after a crash of the program or the machine (write-ahead log; a power cut may take the last seconds with
 * it). One thread at a time. A full or broken disk throws {@link UncheckedIOException}.
 */
public final class Database implements AutoCloseable {
    private final Path file;
    private final Connection connection;

    /**
     * @param what    it is a database of, for complaints
     * @param version of the tables, from 1
     * @param tables  the statements that make them in a new file
     */
    public Database(Path file, String what, int version, List<String> tables) throws IOException {
        this.file = file;
        var config = new SQLiteConfig();
        config.setJournalMode(SQLiteConfig.JournalMode.WAL);
        config.setSynchronous(SQLiteConfig.SynchronousMode.NORMAL);
        config.setBusyTimeout(10_000);
        config.enforceForeignKeys(true);
        try {
            connection = config.createConnection("jdbc:sqlite:" + file.toAbsolutePath());
            prepare(version, tables);
        } catch (SQLException problem) {
            throw new IOException("%s cannot be used as a database of %s: %s".formatted(file, what, problem.getMessage()), problem);
        }
    }

    private void prepare(int version, List<String> tables) throws SQLException, IOException {
        try (var statement = connection.createStatement()) {
            int found;
            try (var row = statement.executeQuery("PRAGMA user_version")) { found = row.getInt(1); }
            if (found > version) throw new IOException("%s was written by a newer Inkstone; use that, or another --data-dir".formatted(file));
            if (found == version) return;
            for (var table : tables) statement.execute(table);
            statement.execute("PRAGMA user_version = " + version);
        }
    }

    /** What is done with a statement whose parameters are set. */
    public interface Work<T> { T with(PreparedStatement statement) throws SQLException; }

    /** Runs one statement with its parameters in order. */
    public <T> T run(String sql, Work<T> work, Object... parameters) {
        try (var statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++) statement.setObject(i + 1, parameters[i]);
            return work.with(statement);
        } catch (SQLException problem) {
            throw failed("failed", problem);
        }
    }

    /** The number that a query answers with. */
    public long number(String sql, Object... parameters) {
        return run(sql, statement -> {
            try (var rows = statement.executeQuery()) { return rows.getLong(1); }
        }, parameters);
    }

    /** All that {@code changes} writes, or nothing of it. */
    public void together(Runnable changes) {
        boolean whole = false;
        try {
            connection.setAutoCommit(false);
            try {
                changes.run();
                connection.commit();
                whole = true;
            } finally {
                if (!whole) connection.rollback();
                connection.setAutoCommit(true);
            }
        } catch (SQLException problem) {
            throw failed("failed", problem);
        }
    }

    private UncheckedIOException failed(String how, SQLException problem) {
        return new UncheckedIOException(new IOException("the database %s %s: %s".formatted(file, how, problem.getMessage()), problem));
    }

    @Override public void close() {
        try {
            connection.close();
        } catch (SQLException problem) {
            throw failed("did not close", problem);
        }
    }
}
