package inkstone.server;

import java.net.InetAddress;
import java.net.UnknownHostException;

/**
 * Where the server listens and whom it lets in.
 *
 * @param host   address or name to bind; beyond this machine only together with a key
 * @param port   0 takes any free port
 * @param apiKey what clients must send as {@code Authorization: Bearer} or {@code x-api-key}; null lets every local client in
 */
public record ServerSettings(String host, int port, String apiKey, Limits limits) {
    public static final int DEFAULT_PORT = 7860;

    public ServerSettings {
        if (port < 0 || port > 65_535) throw new IllegalArgumentException("the port must be from 0 to 65535, got " + port);
        if (apiKey != null && apiKey.isBlank()) throw new IllegalArgumentException("the API key is empty");
        if (apiKey == null && !isLoopback(host)) {
            throw new IllegalArgumentException(
                "listening on %s lets other machines in: give a key with --api-key-file or --api-key, or listen on 127.0.0.1".formatted(host));
        }
    }

    private static boolean isLoopback(String host) {
        try {
            return InetAddress.getByName(host).isLoopbackAddress();
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("the host %s is not known; use an address of this machine, for example 127.0.0.1".formatted(host));
        }
    }
}
