package inkstone.server.cli;

import java.io.PrintWriter;

/** A bar on standard error that grows in place; silent where that is no terminal. */
final class ProgressBar implements AutoCloseable {
    private static final int WIDTH = 32;
    private static final String LINE_START = "\r\033[K";

    /** Nanoseconds between two pictures of the same bar. */
    private static final long REDRAWN = 100_000_000;

    private final PrintWriter err;
    private long started, shown;
    private final boolean terminal = System.console() != null && System.console().isTerminal();

    ProgressBar(PrintWriter err) { this.err = err; }

    void show(int done, int all, String what) {
        if (!terminal) return;
        int filled = all == 0 ? WIDTH : (int) ((long) WIDTH * done / all);
        err.print(LINE_START + "[" + "#".repeat(filled) + " ".repeat(WIDTH - filled) + "] %3d%% ".formatted(all == 0 ? 100 : 100L * done / all) + what);
        err.flush();
    }

    /** As {@link #show}, with the time left; may be called often. */
    void showOften(long done, long all, String what) {
        long now = System.nanoTime();
        if (started == 0) started = now;
        if (shown != 0 && now - shown < REDRAWN && done < all) return;
        shown = now;
        var left = done == 0 ? "" : ", %s left".formatted(duration((now - started) / 1e9 * (all - done) / done));
        show((int) (1_000 * done / Math.max(1, all)), 1_000, "%,d of %,d %s%s".formatted(done, all, what, left));
    }

    /** As {@link #show}, with speed and time left; may be called often. */
    void showBytes(long done, long all, String what) {
        long now = System.nanoTime();
        if (!terminal || started != 0 && now - shown < REDRAWN && done < all) return;
        if (started == 0) started = now;
        shown = now;
        double seconds = (now - started) / 1e9, rate = seconds == 0 ? 0 : done / seconds;
        var pace = rate == 0 ? "" : ", %,.0f MB/s, %s left".formatted(rate / 1e6, duration((all - done) / rate));
        show((int) (1_000 * done / Math.max(1, all)), 1_000, "%,d of %,d MB%s  %s".formatted(done / 1_000_000, all / 1_000_000, pace, what));
    }

    static String duration(double seconds) { return seconds < 90 ? "%.0f s".formatted(seconds) : "%.0f min".formatted(seconds / 60); }

    /** Removes the bar. */
    @Override public void close() {
        if (!terminal) return;
        err.print(LINE_START);
        err.flush();
    }
}
