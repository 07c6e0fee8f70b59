package inkstone.server.jobs;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * One listener's view of the jobs: first what is known, then what comes, without a gap or a repetition between the two. A listener that falls far behind is
 * {@link #cut} off; it can come again and say what it has seen. One thread reads.
 */
public final class Feed implements AutoCloseable {
    /** Messages that may wait for a slow reader. */
    private static final int MOST = 10_000;

    private final BlockingQueue<JobMessage> waiting = new LinkedBlockingQueue<>();
    private final String job;
    private JobBus.Subscription subscription;
    private volatile boolean cut;
    private long last;

    /** @param job whose events are wanted; null: of no job, only the jobs themselves */
    public Feed(String job, long after) {
        this.job = job;
        this.last = after;
    }

    /**
     * Listens from now on, and puts what is known before what comes. While this runs nobody may publish.
     *
     * @param known looks up what is known
     */
    public void begin(JobBus bus, Supplier<List<JobMessage>> known) {
        subscription = bus.subscribe(this::take);
        waiting.addAll(known.get());
    }

    private void take(JobMessage message) {
        boolean event = message.kind() == JobMessage.Kind.KEPT || message.kind() == JobMessage.Kind.PASSING;
        if (event && !message.job().equals(job)) return;
        if (waiting.size() >= MOST) cut = true;
        else waiting.add(message);
    }

    /** The next message, or null where none comes in time. */
    public JobMessage next(Duration patience) throws InterruptedException {
        for (var message = waiting.poll(patience.toMillis(), TimeUnit.MILLISECONDS); message != null; message = waiting.poll()) {
            switch (message.kind()) {
                case KEPT -> {
                    if (message.number() <= last) continue;
                    last = message.number();
                }
                case PASSING -> { if (message.number() < last) continue; }
                default -> { }
            }
            return message;
        }
        return null;
    }

    /** Whether messages were lost because nobody read them. */
    public boolean cut() { return cut; }

    @Override public void close() { subscription.close(); }
}
