package inkstone.transformer;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Serves many requests for vectors and writes nothing, so that it needs no cache: one platform thread owns the backend and reads texts of any requests side by side.
 * The model must outlive it.
 */
public final class EmbeddingScheduler implements Scheduler {
    /** Tokens of one pass, where no single text has more: enough to fill the matrix kernels. */
    private static final int ROWS = 512;

    private final TextModel model;
    private final EmbeddingQueue texts;
    private final Thread thread;
    private boolean closed;

    private EmbeddingScheduler(TextModel model, int contextLength, int maxWaiting) {
        this.model = model;
        this.texts = new EmbeddingQueue(model, contextLength, maxWaiting);
        this.thread = Thread.ofPlatform().name("scheduler").daemon().unstarted(this::run);
    }

    /**
     * @param contextLength tokens that a text may have
     * @param maxWaiting    requests that may wait; one more is refused
     */
    public static EmbeddingScheduler start(TextModel model, int contextLength, int maxWaiting) {
        int most = model.config().contextLength();
        if (contextLength < 1 || contextLength > most) throw new IllegalArgumentException("the context must be 1 to %d tokens for %s, got %d".formatted(most, model.name(), contextLength));
        if (maxWaiting < 1) throw new IllegalArgumentException("requests that wait must be 1 or more, got " + maxWaiting);
        var scheduler = new EmbeddingScheduler(model, contextLength, maxWaiting);
        scheduler.thread.start();
        return scheduler;
    }

    @Override public Ticket submit(GenerationRequest request, Consumer<Piece> onPiece) {
        throw new UnsupportedOperationException("this scheduler makes vectors of %s and writes nothing".formatted(model.name()));
    }

    @Override public synchronized CompletableFuture<List<float[]>> embed(List<int[]> texts, Pooling pooling) {
        if (closed) throw new IllegalStateException("the scheduler is closed");
        var vectors = this.texts.submit(texts, pooling);
        notifyAll();
        return vectors;
    }

    @Override public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        BatchScheduler.awaitEnd(thread);
    }

    private void run() {
        try {
            while (awaitWork()) texts.embedNext(ROWS);
        } finally {
            synchronized (this) {
                closed = true;
            }
            texts.close();
        }
    }

    /** False when closed. */
    private synchronized boolean awaitWork() {
        try {
            while (!closed && texts.idle()) wait();
            return !closed;
        } catch (InterruptedException e) {
            return false;
        }
    }
}
