package inkstone.server;

import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Lets a browser download a file that is too large to pass through a page. Its own downloads cannot carry the server's key, so the page, which has it, asks for a
 * ticket: a random number in the address that opens this one path for reading, for a minute. Any thread.
 */
final class Tickets {
    private static final Duration VALID = Duration.ofMinutes(1);
    private static final String PARAMETER = "ticket";

    private record Ticket(String path, long until) {}

    private final Map<String, Ticket> tickets = new ConcurrentHashMap<>();
    private final SecureRandom random = new SecureRandom();

    /** The address of {@code path} with a new ticket. */
    String address(String path) {
        long now = System.nanoTime();
        tickets.values().removeIf(ticket -> ticket.until - now < 0);
        var bytes = new byte[16];
        random.nextBytes(bytes);
        var name = HexFormat.of().formatHex(bytes);
        tickets.put(name, new Ticket(path, now + VALID.toNanos()));
        return "%s?%s=%s".formatted(path, PARAMETER, name);
    }

    boolean opens(Context context) {
        var name = context.queryParam(PARAMETER);
        var ticket = name == null || context.method() != HandlerType.GET ? null : tickets.get(name);
        return ticket != null && ticket.until - System.nanoTime() >= 0 && ticket.path.equals(context.path());
    }
}
