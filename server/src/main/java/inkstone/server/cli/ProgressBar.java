package inkstone.server.cli;

import java.io.PrintWriter;

/** A bar on standard error that grows in place; silent where that is no terminal. */
final class ProgressBar implements AutoCloseable {
    private static final int WIDTH = 32;
    private static final String LINE_START = "\r\033[K";

    private final PrintWriter err;
    private final boolean terminal = System.console() != null && System.console().isTerminal();

    ProgressBar(PrintWriter err) { this.err = err; }

    void show(int done, int all, String what) {
        if (!terminal) return;
        int filled = all == 0 ? WIDTH : (int) ((long) WIDTH * done / all);
        err.print(LINE_START + "[" + "#".repeat(filled) + " ".repeat(WIDTH - filled) + "] %3d%% ".formatted(all == 0 ? 100 : 100L * done / all) + what);
        err.flush();
    }

    /** Removes the bar. */
    @Override public void close() {
        if (!terminal) return;
        err.print(LINE_START);
        err.flush();
    }
}
