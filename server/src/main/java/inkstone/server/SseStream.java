package inkstone.server;

import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import tools.jackson.databind.JsonNode;

/**
 * Server-sent events (WHATWG HTML, 9.2), written by hand on the raw response: the web framework's own would buffer, compress, and demand an Accept header that
 * clients of this API do not send. Data is always one line of JSON, so nothing in it can end a frame. A write to a client that has gone throws. One thread.
 */
final class SseStream {
    private static final byte[] DATA = "data: ".getBytes(StandardCharsets.US_ASCII), END = "\n\n".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] PING = ": ping\n\n".getBytes(StandardCharsets.US_ASCII), DONE = "data: [DONE]\n\n".getBytes(StandardCharsets.US_ASCII);

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

    /** A comment, which clients skip: keeps proxies patient and finds out whether the client is still there. */
    void ping() throws IOException { write(PING); }

    void done() throws IOException { write(DONE); }

    private void write(byte[] frame) throws IOException {
        out.write(frame);
        out.flush();
    }
}
