package inkstone.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.diffusion.Picture;
import inkstone.diffusion.picture.Parameters;
import inkstone.diffusion.picture.PictureFile;
import inkstone.diffusion.picture.Png;
import inkstone.server.images.FakePainter;
import inkstone.server.images.Paintings;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Painting over HTTP: our own API and OpenAI's. */
class ImageRoutesTest {
    private static final String GENERATIONS = "/v1/images/generations", EDITS = "/v1/images/edits";
    @TempDir private Path folder;
    private final FakePainter painter = new FakePainter();
    private Paintings paintings;
    private RunningServer server;

    @BeforeEach void start() throws IOException { start(null); }

    private void start(String key) throws IOException {
        paintings = Paintings.open(folder, painter.easel(), 2);
        server = RunningServer.start(FakeScheduler.free(), key, Limits.DEFAULT.withPaintings(20_000, 2), null, paintings);
    }

    @AfterEach void stop() throws IOException {
        painter.permits.release(1_000_000);
        server.close();
        paintings.close();
    }

    private Wire.Reply post(String path, String body, String... headers) throws IOException { return Wire.post(server.port(), path, body, headers); }
    private Wire.Reply get(String path, String... headers) throws IOException { return Wire.get(server.port(), path, headers); }

    private static byte[] decoded(String base64) { return Base64.getDecoder().decode(base64); }

    @Test void anOpenAiRequestGetsItsPictures() throws Exception {
        painter.permits.release(1_000_000);
        var reply = post(GENERATIONS, "{\"prompt\":\"red apple\",\"n\":2,\"size\":\"48x32\",\"seed\":5,\"quality\":\"high\",\"style\":\"vivid\",\"moderation\":\"low\",\"background\":\"opaque\",\"user\":\"me\",\"model\":\"daub\"}");
        assertEquals(200, reply.status(), reply.body());
        assertEquals(2, reply.json().path("data").size());
        var file = PictureFile.read(decoded(reply.json().path("data").path(1).path("b64_json").stringValue()));
        assertEquals(48, file.picture().width());
        assertTrue(file.texts().get(Parameters.KEYWORD).contains("Seed: 6"), file.texts().toString());
        var url = post(GENERATIONS, "{\"prompt\":\"red apple\",\"size\":\"48x32\",\"seed\":6,\"response_format\":\"url\"}").json().path("data").path(0).path("url").stringValue();
        assertTrue(url.startsWith("http://127.0.0.1:" + server.port() + "/api/images/"), url);
        var png = get(url.substring(url.indexOf("/api")));
        assertEquals("image/png", png.headers().get("Content-Type"));
        assertEquals(3, get("/api/images?words=apple").json().path("all").intValue(), "what is painted so is in the gallery");
        assertEquals("[\"fake\",\"Daub\",\"Smear\"]", models());
    }

    private String models() throws IOException {
        var names = new StringBuilder();
        get("/v1/models").json().path("data").forEach(model -> names.append(names.isEmpty() ? "[" : ",").append(model.path("id").toString().replace(FakeModel.create().name(), "fake")));
        return names.append(']').toString();
    }

    @Test void whatIsNotPaintedHereIsRefusedInOneLine() throws Exception {
        for (var wrong : List.of("{}", "{\"prompt\":\" \"}", "{\"prompt\":\"x\",\"n\":11}", "{\"prompt\":\"x\",\"size\":\"big\"}", "{\"prompt\":\"x\",\"size\":\"1024x1024\"}", "{\"prompt\":\"x\",\"background\":\"transparent\"}",
                "{\"prompt\":\"x\",\"output_format\":\"webp\"}", "{\"prompt\":\"x\",\"response_format\":\"gif\"}", "{\"prompt\":\"x\",\"steps\":0}", "{\"prompt\":\"x\",\"sampler\":\"magic\"}", "{\"prompt\":\"x\",\"stream\":1}")) {
            var reply = post(GENERATIONS, wrong);
            assertEquals(400, reply.status(), wrong + " " + reply.body());
            assertTrue(reply.error().path("message").stringValue().length() > 10, reply.body());
        }
        assertEquals(404, post(GENERATIONS, "{\"prompt\":\"x\",\"model\":\"dall-e-9\"}").status());
        painter.permits.release(1_000_000);
        var trouble = post(GENERATIONS, "{\"prompt\":\"trouble\"}");
        assertEquals(500, trouble.status());
        assertEquals("the canvas is wet", trouble.error().path("message").stringValue());
        assertEquals(415, post(EDITS, "{\"prompt\":\"x\"}").status());
        assertEquals(403, post("/api/images/jobs", "{\"prompt\":\"x\"}", "Origin", "http://evil.example").status());
        for (var path : List.of("/api/images/nothing", "/api/images/nothing.png", "/api/images/nothing/small.png", "/api/images/nothing/steps.png", "/api/images/jobs/nothing", "/api/images/..%2Fgallery.db")) {
            assertEquals(404, get(path).status(), path);
        }
        assertEquals(400, get("/api/images?before=x").status());
        assertEquals(400, get("/api/images?most=9999").status());
    }

    @Test void aStreamShowsPartialPictures() throws Exception {
        painter.permits.release(1_000_000);
        var reply = post(GENERATIONS, "{\"prompt\":\"sky\",\"n\":2,\"seed\":1,\"steps\":8,\"stream\":true,\"partial_images\":2}");
        var types = reply.body().lines().filter(line -> line.startsWith("event: ")).map(line -> line.substring(7)).toList();
        assertEquals(List.of("partial_image", "partial_image", "completed", "partial_image", "partial_image", "completed").stream().map(type -> "image_generation." + type).toList(), types);
        var data = reply.body().lines().filter(line -> line.startsWith("data: ")).map(line -> Wire.json(line.substring(6))).toList();
        assertEquals(1, data.get(1).path("partial_image_index").intValue());
        assertEquals("32x32", data.getLast().path("size").stringValue());
        assertEquals(32, PictureFile.read(decoded(data.getFirst().path("b64_json").stringValue())).picture().width());
        assertTrue(PictureFile.read(decoded(data.getLast().path("b64_json").stringValue())).texts().get(Parameters.KEYWORD).contains("Seed: 2"));
    }

    /** A form as clients send it. */
    private byte[] form(Map<String, Object> fields) throws IOException {
        var form = new ByteArrayOutputStream();
        for (var field : fields.entrySet()) {
            boolean file = field.getValue() instanceof byte[];
            form.write("--bound\r\nContent-Disposition: form-data; name=\"%s\"%s\r\n%s\r\n".formatted(field.getKey(), file ? "; filename=\"a.png\"" : "", file ? "Content-Type: image/png\r\n" : "").getBytes(StandardCharsets.US_ASCII));
            form.write(file ? (byte[]) field.getValue() : field.getValue().toString().getBytes(StandardCharsets.UTF_8));
            form.write("\r\n".getBytes(StandardCharsets.US_ASCII));
        }
        form.write("--bound--\r\n".getBytes(StandardCharsets.US_ASCII));
        return form.toByteArray();
    }

    private Wire.Reply send(String path, byte[] body, String type) throws IOException {
        try (var wire = new Wire(server.port())) {
            wire.raw("POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n".formatted(path, server.port(), type, body.length).getBytes(StandardCharsets.US_ASCII));
            wire.raw(body);
            return wire.reply();
        }
    }

    private Wire.Reply edit(Map<String, Object> fields) throws IOException { return send(EDITS, form(fields), "multipart/form-data; boundary=bound"); }

    private static byte[] grey(int width, int height, int channels, int alpha) {
        var bytes = new byte[width * height * channels];
        for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) (channels == 4 && i % 4 == 3 ? (i / 4 % width < width / 2 ? 255 : alpha) : 128);
        return Png.write(new Picture(width, height, channels, bytes), Map.of());
    }

    @Test void anEditChangesWhereTheMaskIsTransparent() throws Exception {
        painter.permits.release(1_000_000);
        var reply = edit(Map.of("image", grey(32, 32, 3, 0), "mask", grey(32, 32, 4, 0), "prompt", "fire", "seed", "3", "strength", "1", "n", "1"));
        assertEquals(200, reply.status(), reply.body());
        var picture = PictureFile.read(decoded(reply.json().path("data").path(0).path("b64_json").stringValue())).picture();
        assertEquals(128, picture.at(4, 4, 0));
        assertFalse(picture.at(28, 4, 0) == 128 && picture.at(28, 5, 1) == 128);
        assertEquals(400, edit(Map.of("prompt", "fire")).status(), "no picture");
        assertEquals(400, edit(Map.of("image", "no picture".getBytes(StandardCharsets.US_ASCII), "prompt", "fire")).status());
        assertEquals(400, edit(Map.of("image", grey(32, 32, 3, 0), "mask", grey(16, 16, 4, 0), "prompt", "fire")).status());
        assertEquals(400, edit(Map.of("image", grey(32, 32, 3, 0), "prompt", "fire", "n", "many")).status());
        var large = edit(Map.of("image", new byte[25_000], "prompt", "fire"));
        assertEquals(413, large.status(), large.body());
        assertEquals(413, edit(Map.of("image", new byte[3_000_000], "prompt", "fire")).status());
    }

    @Test void aPictureHandedInIsReadAndTellsItsSettings() throws Exception {
        painter.permits.release(1_000_000);
        var id = paint("{\"prompt\":\"red apple\",\"negative\":\"text\",\"seed\":9,\"steps\":3,\"sampler\":\"heun\"}");
        var png = Wire.getBytes(server.port(), "/api/images/%s.png".formatted(id));
        var guest = send("/api/images/guests", png, "image/png");
        assertEquals(201, guest.status(), guest.body());
        var settings = guest.json().path("settings");
        assertEquals(List.of("red apple", "text", 9, 3, "heun", FakePainter.NAME), List.of(settings.path("prompt").stringValue(), settings.path("negative").stringValue(), settings.path("seed").intValue(), settings.path("steps").intValue(),
            settings.path("sampler").stringValue(), settings.path("model").stringValue()));
        assertTrue(send("/api/images/guests", grey(20, 10, 3, 0), "image/png").json().path("settings").isNull());
        assertEquals(400, send("/api/images/guests", new byte[30], "image/png").status());
        assertEquals(413, send("/api/images/guests", new byte[30_000], "image/png").status());
        var from = guest.json().path("id").stringValue();
        assertEquals("whole", Wire.json(get("/api/images/" + paint("{\"prompt\":\"fire\",\"from\":\"%s\",\"strength\":0.5}".formatted(from))).body()).path("changed").stringValue());
        assertEquals(404, post("/api/images/jobs", "{\"prompt\":\"fire\",\"from\":\"00000000000000ff\"}").status());
    }

    private String paint(String order) throws Exception {
        var reply = post("/api/images/jobs", order);
        assertEquals(201, reply.status(), reply.body());
        var job = paintings.job(reply.json().path("id").stringValue());
        RunningServer.await("it is painted", () -> job.done().size() == 1);
        return job.done().getFirst().id();
    }

    @Test void theGalleryIsKeptByItsOwner() throws Exception {
        painter.permits.release(1_000_000);
        var id = paint("{\"prompt\":\"red apple\"}");
        assertEquals("private, max-age=31536000, immutable", get("/api/images/%s.png".formatted(id)).headers().get("Cache-Control"));
        assertEquals(200, get("/api/images/%s/small.png".formatted(id)).status());
        assertEquals(200, get("/api/images/%s/steps.png".formatted(id)).status());
        assertTrue(post("/api/images/%s/favourite".formatted(id), "{\"favourite\":true}").json().path("favourite").booleanValue());
        assertEquals(1, get("/api/images?favourites=true").json().path("all").intValue());
        assertEquals(204, Wire.send(server.port(), "DELETE", "/api/images/" + id, null).status());
        assertEquals(404, get("/api/images/%s.png".formatted(id)).status());
        assertEquals(200, post("/api/images/%s/undo".formatted(id), "").status());
        assertEquals(201, post("/api/images/%s/enlarge".formatted(id), "").status());
        assertEquals(2, get("/api/images/about").json().path("enlarging").path("factor").intValue());
        assertTrue(get("/api/studio").json().path("painting").booleanValue());
        try (var without = RunningServer.start(FakeScheduler.free())) {
            assertFalse(Wire.get(without.port(), "/api/studio").json().path("painting").booleanValue());
            assertEquals(404, Wire.post(without.port(), GENERATIONS, "{\"prompt\":\"x\"}").status());
        }
    }

    @Test void aFullQueueAnswers429AndAClientThatGoesAwayEndsItsJob() throws Exception {
        var first = new Wire(server.port());
        first.write("POST", GENERATIONS, "{\"prompt\":\"one\",\"steps\":150}");
        RunningServer.await("it is being painted", () -> paintings.seen().stream().anyMatch(job -> job.path("state").stringValue().equals("running")));
        assertEquals(201, post("/api/images/jobs", "{\"prompt\":\"two\"}").status());
        assertEquals(201, post("/api/images/jobs", "{\"prompt\":\"three\"}").status());
        var full = post("/api/images/jobs", "{\"prompt\":\"four\"}");
        assertEquals(429, full.status(), full.body());
        assertTrue(full.headers().containsKey("Retry-After"));
        first.close();
        RunningServer.await("it is cancelled", () -> {
            painter.permits.release();
            return paintings.seen().stream().anyMatch(job -> job.path("state").stringValue().equals("cancelled"));
        });
        try (var events = new Wire(server.port())) {
            events.write("GET", "/api/images/events", null);
            painter.permits.release(1_000_000);
            events.readUntil("\"state\":\"finished\"");
        }
    }

    @Test void aServerWithAKeyGivesAnAddressThatOpensWithoutIt() throws Exception {
        server.close();
        paintings.close();
        start("sesame");
        painter.permits.release(1_000_000);
        assertEquals(401, post(GENERATIONS, "{\"prompt\":\"x\"}").status());
        var url = post(GENERATIONS, "{\"prompt\":\"x\",\"response_format\":\"url\"}", "x-api-key", "sesame").json().path("data").path(0).path("url").stringValue();
        assertEquals(200, get(url.substring(url.indexOf("/api"))).status());
        assertEquals(401, get(url.substring(url.indexOf("/api"), url.indexOf('?'))).status());
    }
}
