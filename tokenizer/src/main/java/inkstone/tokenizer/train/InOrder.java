package inkstone.tokenizer.train;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Runs tasks on several threads and hands on their results in the order in which the tasks came, on the thread that brings them, so that what comes of the results
 * does not depend on the number of threads. At most two tasks a thread are held: who brings more waits. One thread may use it.
 */
public final class InOrder<T> implements AutoCloseable {
    public interface Results<T> { void accept(T result) throws IOException; }

    private final ExecutorService threads;
    private final int most;
    private final Results<T> results;
    private final ArrayDeque<Future<T>> begun = new ArrayDeque<>();

    public InOrder(int threadCount, Results<T> results) {
        if (threadCount < 1) throw new IllegalArgumentException("threads should be 1 or more, got " + threadCount);
        this.threads = Executors.newFixedThreadPool(threadCount, Thread.ofPlatform().name("in-order-", 0).daemon().factory());
        this.most = 2 * threadCount;
        this.results = results;
    }

    /** What a task throws comes out of here, or of {@link #finish}, when its turn comes. */
    public void submit(Callable<T> task) throws IOException {
        if (begun.size() == most) results.accept(result(begun.remove()));
        begun.add(threads.submit(task));
    }

    /** Hands on all that is left. */
    public void finish() throws IOException {
        while (!begun.isEmpty()) results.accept(result(begun.remove()));
    }

    private static <T> T result(Future<T> task) throws IOException {
        try {
            return task.get();
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case IOException problem -> throw problem;
                case RuntimeException problem -> throw problem;
                case Error problem -> throw problem;
                default -> throw new IllegalStateException(e.getCause());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while texts were read", e);
        }
    }

    /** Drops what has not begun, waits for the rest. */
    @Override public void close() {
        begun.forEach(task -> task.cancel(false));
        threads.close();
    }
}
