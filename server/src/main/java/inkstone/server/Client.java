package inkstone.server;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.eclipse.jetty.ee10.servlet.ServletContextRequest;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.util.BufferUtil;

/**
 * Tells whether the client of a request is still there. A closed connection shows only to who reads from it or writes to it, and while a model thinks nobody
 * does either; so this reads. The request was read to its end, and clients do not send the next one before they have the answer: what a read finds is nothing,
 * or the end. One thread.
 */
final class Client {
    private final EndPoint connection;
    private final ByteBuffer unexpected = BufferUtil.allocate(1);
    private boolean pipelining;

    Client(HttpServletRequest request) {
        this.connection = ServletContextRequest.getServletContextRequest(request).getConnectionMetaData().getConnection().getEndPoint();
    }

    boolean gone() {
        if (pipelining) return false;
        try {
            BufferUtil.clear(unexpected);
            int count = connection.fill(unexpected);
            pipelining = count > 0;
            return count < 0;
        } catch (IOException broken) {
            return true;
        }
    }

    /** Whether the client did send more: its next request is broken by our reading, and the connection must end with this answer. */
    boolean pipelining() { return pipelining; }

    /** Ends the connection after a stream, whose headers are long written. */
    void cut(HttpServletResponse response) throws IOException {
        response.getOutputStream().close();
        connection.close();
    }
}
