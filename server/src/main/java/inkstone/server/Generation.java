package inkstone.server;

import inkstone.transformer.GenerationRequest;
import inkstone.transformer.GenerationResult;
import inkstone.transformer.Piece;
import inkstone.transformer.Scheduler;
import inkstone.transformer.Ticket;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The answers of one HTTP request while they are written: one ticket for each, whose pieces meet in one queue. The scheduler's thread only puts into the queue
 * and never waits: where {@code maxUnread} pieces wait for their reader, the answer is cancelled. One thread reads; any thread may cancel.
 */
final class Generation implements AutoCloseable {
    /** What happens to answer number {@code choice}. */
    sealed interface Event {
        int choice();

        record Text(int choice, Piece piece) implements Event {}
        record End(int choice, GenerationResult result) implements Event {}
        record Failure(int choice, Throwable cause) implements Event {}
    }

    private final List<Ticket> tickets = new CopyOnWriteArrayList<>();
    private final BlockingQueue<Event> events = new LinkedBlockingQueue<>();
    private final AtomicInteger started = new AtomicInteger(), ended = new AtomicInteger();
    private final Traffic traffic;
    private final int maxUnread;
    private volatile boolean cancelled;

    private Generation(Traffic traffic, int maxUnread) {
        this.traffic = traffic;
        this.maxUnread = maxUnread;
    }

    /** Submits every request, or none: throws what the scheduler throws. */
    static Generation start(Scheduler scheduler, List<GenerationRequest> requests, Traffic traffic, int maxUnread) {
        var generation = new Generation(traffic, maxUnread);
        traffic.enter(generation);
        try {
            for (int choice = 0; choice < requests.size(); choice++) generation.submit(scheduler, requests.get(choice), choice);
            return generation;
        } catch (RuntimeException refused) {
            generation.close();
            throw refused;
        }
    }

    private void submit(Scheduler scheduler, GenerationRequest request, int choice) {
        var begun = new AtomicBoolean();
        var ticket = scheduler.submit(request, piece -> {
            if (begun.compareAndSet(false, true)) started.incrementAndGet();
            put(piece, choice);
        });
        tickets.add(ticket);
        if (cancelled) ticket.cancel();
        ticket.result().whenComplete((result, problem) -> {
            if (begun.compareAndSet(false, true)) started.incrementAndGet();
            ended.incrementAndGet();
            events.add(problem == null ? new Event.End(choice, result) : new Event.Failure(choice, problem));
        });
    }

    /** On the scheduler's thread. */
    private void put(Piece piece, int choice) {
        if (piece.text().isEmpty() && piece.logprobs().isEmpty()) return;
        if (events.size() >= maxUnread) {
            throw new ApiException(400, "invalid_request_error", null, "reader_too_slow",
                "the answer was cancelled: %d pieces of it waited to be read".formatted(maxUnread));
        }
        events.add(new Event.Text(choice, piece));
    }

    /** The next event, or null where none comes in time. */
    Event next(Duration patience) throws InterruptedException { return events.poll(patience.toMillis(), TimeUnit.MILLISECONDS); }

    void cancel() {
        cancelled = true;
        tickets.forEach(Ticket::cancel);
    }

    /** Answers that are being written, and answers that wait for their first token. */
    int active() { return started.get() - ended.get(); }
    int waiting() { return tickets.size() - started.get(); }

    /** Ends what still runs. */
    @Override public void close() {
        cancel();
        traffic.leave(this);
    }
}
