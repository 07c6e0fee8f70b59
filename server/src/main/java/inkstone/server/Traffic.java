package inkstone.server;

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** The answers that are under way, and the door that closes when the server is to stop. Any thread. */
final class Traffic {
    /** What cancelled answers get to write their last chunk. */
    private static final Duration LAST_WORDS = Duration.ofSeconds(2);

    private final Set<Generation> open = new HashSet<>();
    private boolean stopping;

    synchronized boolean stopping() { return stopping; }

    synchronized void enter(Generation generation) {
        if (stopping) throw ApiException.stopping();
        open.add(generation);
    }

    synchronized void leave(Generation generation) {
        open.remove(generation);
        notifyAll();
    }

    synchronized int active() { return open.stream().mapToInt(Generation::active).sum(); }
    synchronized int waiting() { return open.stream().mapToInt(Generation::waiting).sum(); }

    /** Lets nothing new in, gives what runs {@code patience} to end by itself, then cancels it and waits a moment for the last chunks. */
    void drain(Duration patience) throws InterruptedException {
        synchronized (this) { stopping = true; }
        if (empty(patience)) return;
        List<Generation> late;
        synchronized (this) { late = List.copyOf(open); }
        late.forEach(Generation::cancel);
        empty(LAST_WORDS);
    }

    private synchronized boolean empty(Duration patience) throws InterruptedException {
        long end = System.nanoTime() + patience.toNanos();
        while (!open.isEmpty()) {
            long left = (end - System.nanoTime()) / 1_000_000;
            if (left <= 0) return false;
            wait(left);
        }
        return true;
    }
}
