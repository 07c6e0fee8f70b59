package inkstone.server;

import inkstone.server.jobs.Feed;
import inkstone.server.jobs.JobMessage;
import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import tools.jackson.databind.JsonNode;

/**
 * Server-sent events (WHATWG HTML, 9.2), written by hand on the raw response: the web framework's own would buffer, compress, and demand an Accept header that
 * clients of this API do not send. Data is always one line of JSON, so nothing in it can end a frame. A write to a client that has gone throws. One thread.
 */
final class SseStream {
    private static final byte[] DATA = "data: ".getBytes(StandardCharsets.US_ASCII), END = "\n\n".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] PING = ": ping\n\n".getBytes(StandardCharsets.US_ASCII), DONE = "data: [DONE]\n\n".getBytes(StandardCharsets.US_ASCII);

    /** How often a silent feed is looked at, and after how many looks its reader gets a sign of life. */
    private static final Duration LOOK = Duration.ofMillis(200);
    private static final int LOOKS_PER_PING = 25;

    private final ServletOutputStream out;

    SseStream(HttpServletResponse response) throws IOException {
        response.setContentType("text/event-stream;charset=utf-8");
        response.setHeader("Cache-Control", "no-cache");
        response.setHeader("X-Accel-Buffering", "no");
        response.flushBuffer();
        out = response.getOutputStream();
    }

    void data(JsonNode json) throws IOException {
        byte[] line = Json.bytes(json);
        byte[] frame = new byte[DATA.length + line.length + END.length];
        System.arraycopy(DATA, 0, frame, 0, DATA.length);
        System.arraycopy(line, 0, frame, DATA.length, line.length);
        System.arraycopy(END, 0, frame, DATA.length + line.length, END.length);
        write(frame);
    }

    /** @param json one line, sent as it is; a client that comes back names the last {@code id} it has seen */
    void event(long id, String json) throws IOException { write("id: %d\ndata: %s\n\n".formatted(id, json).getBytes(StandardCharsets.UTF_8)); }

    /** @param json one line, sent as it is */
    void event(String json) throws IOException { write("data: %s\n\n".formatted(json).getBytes(StandardCharsets.UTF_8)); }

    /** An event with a name: its type, which is in the data too. */
    void event(String name, JsonNode json) throws IOException { write("event: %s\ndata: %s\n\n".formatted(name, new String(Json.bytes(json), StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8)); }

    /** All that jobs tell, until the client goes, the server stops, or nobody reads. */
    void relay(Feed feed, Client client, Traffic traffic) throws InterruptedException {
        try {
            for (int silence = 0; !client.gone() && !traffic.stopping() && !feed.cut(); ) {
                var message = feed.next(LOOK);
                if (message == null) { if (++silence % LOOKS_PER_PING == 0) ping(); }
                else if (message.kind() == JobMessage.Kind.KEPT) event(message.number(), message.json());
                else event(message.json());
            }
        } catch (IOException gone) {
            /* The client went away: there is nobody to tell. */
        }
    }

    /** A comment, which clients skip: keeps proxies patient and finds out whether the client is still there. */
    void ping() throws IOException { write(PING); }

    void done() throws IOException { write(DONE); }

    private void write(byte[] frame) throws IOException {
        out.write(frame);
        out.flush();
    }
}
