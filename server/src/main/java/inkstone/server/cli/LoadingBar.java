package inkstone.server.cli;

import inkstone.tensor.cuda.CudaBackend;
import java.io.PrintWriter;
import java.util.Locale;

/** Shows that a model is on its way to the GPU where that takes long: a bar on a terminal, and one line when it is there. */
final class LoadingBar implements CudaBackend.Loading {
    /** Nanoseconds that nobody minds waiting. */
    private static final long LONG = 1_000_000_000;

    /** Share of the bytes that is almost all: a few vectors are converted on the way and not counted. */
    private static final double ALMOST = 0.99;

    private final PrintWriter err;
    private ProgressBar bar;
    private long started, last;

    LoadingBar(PrintWriter err) { this.err = err; }

    @Override public void at(long bytes, long all) {
        long now = System.nanoTime();
        if (bytes <= last || last == 0) {
            started = now;
            bar = new ProgressBar(err);
        }
        last = bytes;
        if (bar == null || now - started < LONG) return;
        bar.showBytes(bytes, all, "to the GPU");
        if (bytes < ALMOST * all) return;
        bar.close();
        bar = null;
        err.printf(Locale.ROOT, "inkstone: %.1f GB are on the GPU, in %.1f s%n", all / 1e9, (now - started) / 1e9);
    }
}
