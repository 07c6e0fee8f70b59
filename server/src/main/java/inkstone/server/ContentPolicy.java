package inkstone.server;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.regex.Pattern;

/**
 * The Content-Security-Policy of every answer: scripts and styles from here alone, nothing inline, no other machine ever asked. The page's import map is the one
 * inline script there is; the policy names it by its hash.
 */
final class ContentPolicy {
    private static final Pattern IMPORT_MAP = Pattern.compile("<script\\s+type=\"importmap\"\\s*>(.*?)</script>", Pattern.DOTALL);

    private ContentPolicy() {}

    /** @param page the HTML that may have an import map */
    static String of(String page) {
        /* Browsers hash the text after their parser turned every line end into \n. */
        var map = IMPORT_MAP.matcher(page.replace("\r\n", "\n"));
        var hash = map.find() ? " 'sha256-" + Base64.getEncoder().encodeToString(sha256(map.group(1).getBytes(StandardCharsets.UTF_8))) + "'" : "";
        return "default-src 'self'; script-src 'self'%s; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; object-src 'none'; ".formatted(hash)
            + "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    }

    static byte[] sha256(byte[] bytes) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(bytes);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }
}
