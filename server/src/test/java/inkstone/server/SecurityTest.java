package inkstone.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.BindException;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Who gets in, what a page may do, and which files there are. */
class SecurityTest {
    private static RunningServer server;

    @BeforeAll static void start() throws IOException { server = RunningServer.start(FakeScheduler.free()); }
    @AfterAll static void stop() { server.close(); }

    private static final List<String> PATHS = List.of("/", "/health", "/v1/models", "/api/studio", "/webjars/lit/3.3.2/index.js", "/nothing");
    private static final String BODY = "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";

    @Test void foreignHostsAreRefusedEverywhere() throws Exception {
        for (var path : PATHS) {
            for (var host : List.of("evil.example", "evil.example:7860", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.2", "10.0.0.1", "[::2]", "localhost:x", "")) {
                int status = Wire.get(server.port(), path, "Host", host).status();
                assertTrue(status == 403 || status == 400, path + " for host " + host + " answered " + status);
            }
        }
        assertEquals(403, Wire.post(server.port(), "/v1/chat/completions", BODY, "Host", "evil.example").status());
    }

    @Test void localNamesAreServed() throws Exception {
        for (var host : List.of("localhost", "LOCALHOST:" + server.port(), "127.0.0.1:1", "[::1]:" + server.port())) {
            assertEquals(200, Wire.get(server.port(), "/health", "Host", host).status(), host);
        }
    }

    @Test void pagesOfOtherOriginsAreRefusedEverywhere() throws Exception {
        for (var path : PATHS) {
            for (var origin : List.of("http://evil.example", "null", "https://127.0.0.1:" + server.port(), "http://127.0.0.1:1", "http://localhost:" + server.port())) {
                var reply = Wire.get(server.port(), path, "Origin", origin);
                assertEquals(403, reply.status(), path + " for origin " + origin);
                assertFalse(reply.headers().containsKey("Access-Control-Allow-Origin"));
            }
        }
        int before = server.scheduler().requests.size();
        assertEquals(403, Wire.post(server.port(), "/v1/chat/completions", BODY, "Origin", "http://evil.example").status());
        assertEquals(before, server.scheduler().requests.size());
        assertEquals(200, Wire.post(server.port(), "/v1/chat/completions", BODY, "Origin", "http://127.0.0.1:" + server.port()).status());
    }

    @Test void everyAnswerCarriesThePolicy() throws Exception {
        for (var path : PATHS) {
            var headers = Wire.get(server.port(), path).headers();
            var policy = headers.get("Content-Security-Policy");
            assertTrue(policy.startsWith("default-src 'self'; script-src 'self'"), policy);
            for (var part : List.of("style-src 'self';", "img-src 'self' data: blob:;", "connect-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'")) {
                assertTrue(policy.contains(part), policy);
            }
            assertFalse(policy.contains("unsafe"), policy);
            assertEquals("nosniff", headers.get("X-Content-Type-Options"));
            assertEquals("no-referrer", headers.get("Referrer-Policy"));
            assertEquals("same-origin", headers.get("Cross-Origin-Opener-Policy"));
            assertFalse(headers.containsKey("Server"));
        }
    }

    /** The hash was made with openssl: {@code printf '\n{"imports":{}}\n' | openssl dgst -sha256 -binary | base64}. */
    @Test void theImportMapIsNamedByItsHash() {
        var policy = ContentPolicy.of("<html><script type=\"importmap\">\r\n{\"imports\":{}}\r\n</script><script type=\"module\" src=\"/a.js\"></script></html>");
        assertTrue(policy.contains("script-src 'self' 'sha256-ffC2AD47+TTlsBxC1I7uibsU5L2bw5CRqg3hXMGumqs=';"), policy);
        assertTrue(ContentPolicy.of("").contains("script-src 'self';"));
    }

    @Test void theKeyIsWantedInEitherHeader() throws Exception {
        try (var locked = RunningServer.start(FakeScheduler.free(), "sésame", Limits.DEFAULT)) {
            int port = locked.port();
            for (var path : List.of("/v1/models", "/v1/nothing", "/api/studio")) {
                var refused = Wire.get(port, path);
                assertEquals(401, refused.status(), path);
                assertEquals("authentication_error", refused.error().path("type").stringValue());
                assertEquals(401, Wire.get(port, path, "Authorization", "Bearer wrong").status());
                assertEquals(401, Wire.get(port, path, "Authorization", "Basic c3Vz").status());
                assertEquals(401, Wire.get(port, path, "x-api-key", "").status());
            }
            for (var path : List.of("/%76%31/models", "//v1/models", "/./v1/models", "/x/../v1/models", "/V1/models", "/v1;a=b/models", "/v1/models;a", "/health/../v1/models", "/health;/../v1/models",
                    "/health/%2e%2e/v1/models", "/v1/models/", "/index.html/../v1/models", "/v1/models?a=/health")) {
                int status = Wire.get(port, path).status();
                assertTrue(status == 401 || status == 400, path + " answered " + status);
            }
            assertEquals(401, Wire.post(port, "/v1/chat/completions", BODY, "x-api-key", "wrong").status());
            assertEquals(0, locked.scheduler().requests.size());
            assertEquals(200, Wire.get(port, "/health").status());
            assertEquals(200, Wire.get(port, "/").status(), "the page is open: it asks for the key");
        }
        try (var locked = RunningServer.start(FakeScheduler.free(), "sesame-1", Limits.DEFAULT)) {
            assertEquals(200, Wire.get(locked.port(), "/v1/models", "Authorization", "Bearer sesame-1").status());
            assertEquals(200, Wire.get(locked.port(), "/v1/models", "x-api-key", "sesame-1").status());
            assertEquals(200, Wire.post(locked.port(), "/v1/chat/completions", BODY, "x-api-key", "sesame-1").status());
        }
    }

    @Test void otherMachinesAreLetInOnlyWithAKey() throws Exception {
        assertTrue(assertThrows(IllegalArgumentException.class, () -> new ServerSettings("0.0.0.0", 0, null, Limits.DEFAULT)).getMessage().contains("--api-key"));
        assertThrows(IllegalArgumentException.class, () -> new ServerSettings("::", 0, null, Limits.DEFAULT));
        assertThrows(IllegalArgumentException.class, () -> new ServerSettings("0.0.0.0", 0, " ", Limits.DEFAULT));
        var model = FakeModel.create();
        var served = new Served(model, FakeScheduler.free(), FakeModel.CONTEXT, new Served.KvMemory("f16", 1, 1), 1);
        try (var open = StudioServer.start(new ServerSettings("0.0.0.0", 0, "k", Limits.DEFAULT), served)) {
            assertEquals(200, Wire.get(open.port(), "/health", "Host", "192.168.7.7:" + open.port()).status());
            assertEquals(403, Wire.get(open.port(), "/health", "Host", "evil.example").status());
        }
        model.backend().close();
    }

    @Test void aTakenPortIsSaidPlainly() {
        var settings = new ServerSettings("127.0.0.1", server.port(), null, Limits.DEFAULT);
        var served = new Served(server.model(), server.scheduler(), 1, new Served.KvMemory("f16", 1, 1), 1);
        var problem = assertThrows(BindException.class, () -> StudioServer.start(settings, served));
        assertTrue(problem.getMessage().contains(Integer.toString(server.port())), problem.getMessage());
    }

    @Test void librariesAreServedForGoodAndNeverListed() throws Exception {
        var library = Wire.get(server.port(), "/webjars/lit/3.3.2/index.js");
        assertEquals(200, library.status());
        assertEquals("text/javascript;charset=utf-8", library.headers().get("Content-Type"));
        assertTrue(library.headers().get("Cache-Control").contains("immutable"));
        assertEquals(304, Wire.get(server.port(), "/webjars/lit/3.3.2/index.js", "If-None-Match", library.headers().get("ETag")).status());
        for (var path : List.of("/webjars/", "/webjars", "/webjars/lit", "/webjars/lit/3.3.2", "/webjars/lit/3.3.2/", "/webjars/lit/3.3.2/package.xml")) {
            assertEquals(404, Wire.get(server.port(), path).status(), path);
        }
    }

    @Test void thereIsNoWayOutOfTheFolder() throws Exception {
        for (var path : List.of("/../server/StudioServer.class", "/%2e%2e/server/StudioServer.class", "/..%2fserver/StudioServer.class", "/..;/server/StudioServer.class", "/css/../../server/a.js",
                "/webjars/../../META-INF/MANIFEST.MF", "/webjars/%2e%2e/%2e%2e/maven/a.json", "/webjars/lit/..%5c..%5ca.js", "//etc/passwd.txt", "/.git/config.json", "/a%00.js", "/file:/etc/hosts.txt",
                "/META-INF/MANIFEST.MF", "/inkstone/web/index.html", "/index.html/", "/%", "/%zz.js")) {
            int status = Wire.get(server.port(), path).status();
            assertTrue(status >= 400 && status < 500, path + " answered " + status);
        }
    }
}
