package inkstone.server;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** HTTP as bytes on a socket: says exactly what a test wants said, and shows what came, frame by frame. */
final class Wire implements AutoCloseable {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    record Reply(int status, Map<String, String> headers, String body) {
        JsonNode json() { return JSON.readTree(body); }
        JsonNode error() { return json().path("error"); }

        /** The data of an event stream, comments skipped. */
        List<String> events() {
            var events = new ArrayList<String>();
            for (var frame : body.split("\n\n")) if (frame.startsWith("data: ")) events.add(frame.substring("data: ".length()));
            return events;
        }
    }

    private final Socket socket;

    Wire(int port) throws IOException {
        socket = new Socket("127.0.0.1", port);
        socket.setSoTimeout(20_000);
    }

    static JsonNode json(String text) { return JSON.readTree(text); }

    static Reply get(int port, String path, String... headers) throws IOException { return send(port, "GET", path, null, headers); }

    /** The body of an answer of a known length, as bytes. */
    static byte[] getBytes(int port, String path) throws IOException {
        try (var wire = new Wire(port)) {
            wire.write("GET", path, null);
            var all = wire.socket.getInputStream().readAllBytes();
            var head = new String(all, StandardCharsets.ISO_8859_1);
            return Arrays.copyOfRange(all, head.indexOf("\r\n\r\n") + 4, all.length);
        }
    }

    static Reply post(int port, String path, String body, String... headers) throws IOException { return send(port, "POST", path, body, headers); }

    /** One request on a connection of its own. Headers come as names and values in turn; a Host given replaces the right one. */
    static Reply send(int port, String method, String path, String body, String... headers) throws IOException {
        try (var wire = new Wire(port)) {
            wire.write(method, path, body, headers);
            return wire.reply();
        }
    }

    void write(String method, String path, String body, String... headers) throws IOException {
        var given = new TreeMap<String, String>(String.CASE_INSENSITIVE_ORDER);
        given.put("Host", "127.0.0.1:" + socket.getPort());
        given.put("Connection", "close");
        byte[] bytes = body == null ? new byte[0] : body.getBytes(StandardCharsets.UTF_8);
        if (body != null) {
            given.put("Content-Type", "application/json");
            given.put("Content-Length", Integer.toString(bytes.length));
        }
        for (int i = 0; i < headers.length; i += 2) given.put(headers[i], headers[i + 1]);
        var head = new StringBuilder("%s %s HTTP/1.1\r\n".formatted(method, path));
        given.forEach((name, value) -> head.append(name).append(": ").append(value).append("\r\n"));
        raw((head + "\r\n").getBytes(StandardCharsets.ISO_8859_1));
        raw(bytes);
    }

    void raw(byte[] bytes) throws IOException {
        socket.getOutputStream().write(bytes);
        socket.getOutputStream().flush();
    }

    /** Reads what was sent until {@code text} has come; returns all so far. */
    String readUntil(String text) throws IOException {
        var bytes = new ByteArrayOutputStream();
        while (!bytes.toString(StandardCharsets.UTF_8).contains(text)) {
            int next = socket.getInputStream().read();
            if (next < 0) throw new IOException("the server hung up before \"" + text + "\"; it sent: " + bytes.toString(StandardCharsets.UTF_8));
            bytes.write(next);
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    /** Everything until the connection ends, one way or the other. */
    String rest() {
        var bytes = new ByteArrayOutputStream();
        try {
            socket.getInputStream().transferTo(bytes);
        } catch (IOException reset) {
            bytes.writeBytes("\n(reset)".getBytes(StandardCharsets.UTF_8));
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    Reply reply() throws IOException { return parse(socket.getInputStream()); }

    private static Reply parse(InputStream in) throws IOException {
        var status = line(in);
        var headers = new TreeMap<String, String>(String.CASE_INSENSITIVE_ORDER);
        for (var line = line(in); !line.isEmpty(); line = line(in)) headers.put(line.substring(0, line.indexOf(':')), line.substring(line.indexOf(':') + 1).strip());
        byte[] body;
        if ("chunked".equalsIgnoreCase(headers.get("Transfer-Encoding"))) {
            var whole = new ByteArrayOutputStream();
            for (int size = Integer.parseInt(line(in), 16); size > 0; size = Integer.parseInt(line(in), 16)) {
                whole.write(in.readNBytes(size));
                line(in);
            }
            body = whole.toByteArray();
        } else {
            body = headers.containsKey("Content-Length") ? in.readNBytes(Integer.parseInt(headers.get("Content-Length"))) : in.readAllBytes();
        }
        return new Reply(Integer.parseInt(status.split(" ")[1]), headers, new String(body, StandardCharsets.UTF_8));
    }

    private static String line(InputStream in) throws IOException {
        var line = new StringBuilder();
        for (int next = in.read(); next != '\n'; next = in.read()) {
            if (next < 0) throw new IOException("the server hung up");
            if (next != '\r') line.append((char) next);
        }
        return line.toString();
    }

    /** Drops the connection as a closed browser tab does. */
    @Override public void close() throws IOException { socket.close(); }
}
