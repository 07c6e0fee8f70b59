package inkstone.server;

import io.javalin.http.Context;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Stands before every route, files included. A web page elsewhere must not reach this server through its reader's browser: the Host must be a name of this
 * machine (a foreign name that resolves to 127.0.0.1 is an attack, DNS rebinding), and the Origin, where there is one, must be this very server. Where a key is
 * set, everything but the page's own files and {@code /health} demands it.
 */
final class SecurityFilter {
    private static final Set<String> LOCAL_NAMES = Set.of("localhost", "127.0.0.1", "[::1]");
    private static final Set<String> EVERY_ADDRESS = Set.of("0.0.0.0", "[::]");
    /** Digits and dots, or anything in brackets: an address, which no foreign name server can have made up. */
    private static final Pattern ADDRESS = Pattern.compile("[0-9.]+|\\[[0-9a-f:.%]+]");
    private static final Pattern HOST = Pattern.compile("(\\[[^\\]]*]|[^:\\[\\]]+)(:[0-9]{1,5})?");

    private static final String HEALTH = "/health";

    private final String boundHost, policy;
    private final byte[] apiKey;
    private final Traffic traffic;
    private final Tickets tickets;

    /** @param policy the Content-Security-Policy */
    SecurityFilter(ServerSettings settings, String policy, Traffic traffic, Tickets tickets) {
        this.boundHost = bracketed(settings.host()).toLowerCase(Locale.ROOT);
        this.apiKey = settings.apiKey() == null ? null : settings.apiKey().getBytes(StandardCharsets.UTF_8);
        this.policy = policy;
        this.traffic = traffic;
        this.tickets = tickets;
    }

    /** An IPv6 address as URLs have it. */
    static String bracketed(String host) { return host.contains(":") && !host.startsWith("[") ? "[" + host + "]" : host; }

    void check(Context context) {
        context.header("Content-Security-Policy", policy).header("X-Content-Type-Options", "nosniff").header("Referrer-Policy", "no-referrer")
            .header("Cross-Origin-Opener-Policy", "same-origin").header("Cross-Origin-Resource-Policy", "same-origin");
        var host = context.header("Host");
        if (host == null || !isOurs(host.toLowerCase(Locale.ROOT))) {
            throw ApiException.forbidden("this server does not answer to the host name of this request; open it by its address");
        }
        var origin = context.header("Origin");
        if (origin != null && !origin.equalsIgnoreCase("http://" + host)) throw ApiException.forbidden("requests from other web pages are refused");
        if (traffic.stopping() && !context.path().equals(HEALTH)) throw ApiException.stopping();
    }

    /**
     * Runs when the page's files have been served already: of the rest, only {@code /health} is open. No other path is compared, so no way of spelling one gets
     * around this. A ticket opens the one path it was given for.
     */
    void requireKey(Context context) {
        if (apiKey == null || context.path().equals(HEALTH) || hasKey(context) || tickets.opens(context)) return;
        throw new ApiException(401, "authentication_error", null, "invalid_api_key",
            "this server wants its API key, as \"Authorization: Bearer KEY\" or \"x-api-key: KEY\"");
    }

    private boolean isOurs(String host) {
        var parts = HOST.matcher(host);
        if (!parts.matches()) return false;
        var name = parts.group(1);
        return LOCAL_NAMES.contains(name) || name.equals(boundHost) || EVERY_ADDRESS.contains(boundHost) && ADDRESS.matcher(name).matches();
    }

    private boolean hasKey(Context context) {
        var bearer = context.header("Authorization");
        return bearer != null && bearer.regionMatches(true, 0, "Bearer ", 0, 7) && isKey(bearer.substring(7).strip()) || isKey(context.header("x-api-key"));
    }

    /** Takes as long for a key that is nearly right as for one that is all wrong. */
    private boolean isKey(String given) { return given != null && MessageDigest.isEqual(apiKey, given.getBytes(StandardCharsets.UTF_8)); }
}
