package inkstone.server;

import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The page and its files from the class path: ours at {@code /}, checked with the server at each use; libraries at {@code /webjars/name/version/}, kept by the
 * browser for good, for their path names their version. Only plain names of known kinds are looked up at all, so there is nothing to decode, no way up and no listing.
 */
final class WebFiles {
    private static final String PAGES = "inkstone/web/", LIBRARIES = "META-INF/resources/webjars/";
    /** Each part begins with a letter, a digit, '_' or '@': no "..", no hidden file. */
    private static final Pattern PLAIN_PATH = Pattern.compile("([A-Za-z0-9_@][A-Za-z0-9._@-]*/)*[A-Za-z0-9_@][A-Za-z0-9._@-]*\\.([a-z0-9]+)");
    private static final Map<String, String> TYPES = Map.ofEntries(
        Map.entry("html", "text/html;charset=utf-8"), Map.entry("css", "text/css;charset=utf-8"),
        Map.entry("js", "text/javascript;charset=utf-8"), Map.entry("mjs", "text/javascript;charset=utf-8"),
        Map.entry("json", "application/json"), Map.entry("webmanifest", "application/manifest+json"), Map.entry("txt", "text/plain;charset=utf-8"),
        Map.entry("svg", "image/svg+xml"), Map.entry("png", "image/png"), Map.entry("jpg", "image/jpeg"), Map.entry("webp", "image/webp"),
        Map.entry("ico", "image/vnd.microsoft.icon"), Map.entry("woff2", "font/woff2"));

    /** The start page's HTML; empty where the web module is not on the class path. */
    static String startPage() throws IOException {
        try (var stream = open(PAGES + "index.html")) { return stream == null ? "" : new String(stream.readAllBytes(), StandardCharsets.UTF_8); }
    }

    /** Serves the path where it is one of the files, and ends the request so; otherwise leaves it to the routes. */
    void serve(Context context) throws IOException {
        if (context.method() != HandlerType.GET && context.method() != HandlerType.HEAD) return;
        var path = context.path();
        if (path.equals("/")) answer(context, PAGES, "index.html", "no-cache");
        else if (path.startsWith("/webjars/")) answer(context, LIBRARIES, path.substring("/webjars/".length()), "public, max-age=31536000, immutable");
        else answer(context, PAGES, path.substring(1), "no-cache");
    }

    private static void answer(Context context, String folder, String path, String caching) throws IOException {
        var plain = PLAIN_PATH.matcher(path);
        var type = plain.matches() ? TYPES.get(plain.group(2)) : null;
        if (type == null) return;
        try (var stream = open(folder + path)) {
            if (stream == null) return;
            byte[] bytes = stream.readAllBytes();
            var tag = '"' + HexFormat.of().formatHex(ContentPolicy.sha256(bytes), 0, 12) + '"';
            context.header("ETag", tag).header("Cache-Control", caching);
            if (tag.equals(context.header("If-None-Match"))) context.status(304);
            else context.contentType(type).result(bytes);
            context.skipRemainingHandlers();
        }
    }

    private static InputStream open(String resource) { return WebFiles.class.getClassLoader().getResourceAsStream(resource); }
}
