package inkstone.server.jobs;

import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.Message;
import io.vertx.core.file.FileSystemOptions;
import java.util.Locale;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * Carries what jobs tell to whoever listens: Vert.x's event bus, within this process. A message is a line of JSON with headers that say whose it is, so it could
 * cross machines as it stands. Messages arrive in the order in which one thread at a time published them. Any thread.
 */
public final class JobBus implements AutoCloseable {
    private static final String ADDRESS = "inkstone.jobs", JOB = "job", NUMBER = "number", KIND = "kind";

    /* It warns of each message that was on its way to a listener when that left. Held here: unheld loggers are forgotten. */
    private static final Logger TALKATIVE = Logger.getLogger("io.vertx.core.eventbus");

    private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1).setWorkerPoolSize(1).setInternalBlockingPoolSize(1)
        .setFileSystemOptions(new FileSystemOptions().setFileCachingEnabled(false).setClassPathResolvingEnabled(false)));

    public JobBus() { TALKATIVE.setLevel(Level.SEVERE); }

    public interface Subscription extends AutoCloseable {
        @Override void close();
    }

    public void publish(JobMessage message) {
        var headers = new DeliveryOptions().addHeader(JOB, message.job()).addHeader(NUMBER, Long.toString(message.number())).addHeader(KIND, message.kind().name().toLowerCase(Locale.ROOT));
        vertx.eventBus().publish(ADDRESS, message.json(), headers);
    }

    /** From the moment this returns, {@code listener} gets every message, on the bus's thread, which it must not hold up. */
    public Subscription subscribe(Consumer<JobMessage> listener) {
        var consumer = vertx.eventBus().<String>consumer(ADDRESS, message -> listener.accept(read(message)));
        consumer.completion().await();
        return () -> {
            try {
                consumer.unregister();
            } catch (RejectedExecutionException closed) {
                /* The bus was closed first, and every subscription with it. */
            }
        };
    }

    private static JobMessage read(Message<String> message) {
        var headers = message.headers();
        return new JobMessage(headers.get(JOB), Long.parseLong(headers.get(NUMBER)), JobMessage.Kind.valueOf(headers.get(KIND).toUpperCase(Locale.ROOT)), message.body());
    }

    @Override public void close() { vertx.close().await(); }
}
