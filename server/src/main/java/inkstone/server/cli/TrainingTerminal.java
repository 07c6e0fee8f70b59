package inkstone.server.cli;

import inkstone.tensor.train.TrainingEvent;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.function.Consumer;

/** A run on the terminal: a bar with loss, speed and time left, and a line for each evaluation, sample and end. Without a terminal a line now and then in place of the bar. */
final class TrainingTerminal implements Consumer<TrainingEvent>, AutoCloseable {
    /** Nanoseconds between two lines where there is no terminal for a bar. */
    private static final long LINE_EVERY = 30_000_000_000L;

    private final PrintWriter out;
    private final ProgressBar bar;
    private final boolean terminal = System.console() != null && System.console().isTerminal();
    private long lastLine;

    TrainingTerminal(PrintWriter out, PrintWriter err) {
        this.out = out;
        this.bar = new ProgressBar(err);
    }

    void preparing(String what, long done, long all) { bar.showOften(done, all, what); }

    @Override public void accept(TrainingEvent event) {
        switch (event) {
            case TrainingEvent.Step e -> step(e);
            case TrainingEvent.Started e -> line("%s: %,d parameters, %,d of them learn; %,d steps%s%s".formatted(e.what(), e.parameters(), e.trainable(), e.steps(),
                e.fromStep() > 0 ? ", from step %,d".formatted(e.fromStep()) : "", e.predictedBytes() > 0 ? "; needs %.1f GB of memory".formatted(e.predictedBytes() / 1e9) : ""));
            case TrainingEvent.Evaluation e -> line("step %,d: validation loss %.4f, %s".formatted(e.step(), e.loss(),
                Double.isNaN(e.accuracy()) ? "perplexity %.2f".formatted(Math.exp(e.loss())) : "%.1f%% decided rightly".formatted(100 * e.accuracy())));
            case TrainingEvent.Sample e -> line("step %,d: \"%s\" -> %s".formatted(e.step(), e.prompt(), e.text().strip().replace("\n", "\n    ")));
            case TrainingEvent.Pictures e -> line("step %,d: %s in %s".formatted(e.step(), e.what(), e.file()));
            case TrainingEvent.Measure e -> line("step %,d: %s %.4f".formatted(e.step(), e.name(), e.value()));
            case TrainingEvent.Saved e -> line("step %,d: saved".formatted(e.step()));
            case TrainingEvent.Finished e -> line("step %,d: %s".formatted(e.step(), switch (e.end()) {
                case COMPLETE -> "done";
                case STOPPED_EARLY -> "stopped, as validation gets no better; the best parameters are kept";
                case PAUSED -> "paused";
                case CANCELLED -> "cancelled";
            }));
        }
    }

    private void step(TrainingEvent.Step e) {
        var text = "loss %.3f, %,.0f tokens/s, learning rate %.2g, %s left".formatted(e.loss(), e.tokensPerSecond(), e.learningRate(), ProgressBar.duration(e.secondsLeft()));
        if (terminal) {
            bar.show((int) (1_000 * e.step() / e.steps()), 1_000, "step %,d of %,d, %s".formatted(e.step(), e.steps(), text));
        } else if (System.nanoTime() - lastLine > LINE_EVERY) {
            lastLine = System.nanoTime();
            line("step %,d of %,d: %s".formatted(e.step(), e.steps(), text));
        }
    }

    private void line(String text) {
        bar.close();
        out.printf(Locale.ROOT, "%s%n", text);
        out.flush();
    }

    @Override public void close() { bar.close(); }
}
