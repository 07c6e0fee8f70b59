package inkstone.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.server.jobs.FakeTraining;
import inkstone.server.jobs.Jobs;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training over HTTP. */
class TrainingRoutesTest {
    @TempDir private Path folder;
    private final FakeTraining training = new FakeTraining();
    private Jobs jobs;
    private RunningServer server;

    @BeforeEach void start() throws IOException { start(null); }

    private void start(String key) throws IOException {
        jobs = Jobs.open(folder, training);
        server = RunningServer.start(FakeScheduler.free(), key, Limits.DEFAULT.withUploadBytes(1_000), jobs);
    }

    @AfterEach void stop() throws IOException {
        server.close();
        jobs.close();
    }

    private Wire.Reply post(String path, String body, String... headers) throws IOException { return Wire.post(server.port(), path, body, headers); }
    private Wire.Reply get(String path, String... headers) throws IOException { return Wire.get(server.port(), path, headers); }

    private String upload() throws IOException {
        var reply = post("/api/training/files?name=talks.jsonl", "one\ntwo\n", "Content-Type", "application/octet-stream");
        assertEquals(201, reply.status(), reply.body());
        assertEquals(8, reply.json().path("bytes").longValue());
        return reply.json().path("id").stringValue();
    }

    private static String settings(String data, int steps) {
        return "{\"title\":\"Guppy\",\"model\":\"fake\",\"data\":\"%s\",\"method\":\"lora\",\"maxSteps\":%d}".formatted(data, steps);
    }

    private String create(int steps) throws IOException {
        var reply = post("/api/jobs", settings(upload(), steps));
        assertEquals(201, reply.status(), reply.body());
        return reply.json().path("id").stringValue();
    }

    private String state(String id) {
        try {
            return get("/api/jobs/" + id).json().path("state").stringValue();
        } catch (IOException problem) {
            throw new AssertionError(problem);
        }
    }

    private void awaitState(String id, String state) throws InterruptedException { RunningServer.await("the job is " + state, () -> state(id).equals(state)); }

    @Test void theStudioSaysWhetherItTrains() throws Exception {
        assertTrue(get("/api/studio").json().path("training").booleanValue());
        try (var without = RunningServer.start(FakeScheduler.free())) {
            assertFalse(Wire.get(without.port(), "/api/studio").json().path("training").booleanValue());
            assertEquals(404, Wire.get(without.port(), "/api/jobs").status());
        }
    }

    @Test void fromAFileToATrainedModel() throws Exception {
        var about = get("/api/training").json();
        assertEquals("fake", about.path("models").path(0).path("id").stringValue());
        assertEquals("[\"lora\",\"full\"]", about.path("models").path(0).path("methods").toString());
        var data = upload();
        var report = post("/api/training/report", settings(data, 5));
        assertEquals(2, report.json().path("examples").intValue(), report.body());
        var plan = post("/api/training/plan", settings(data, 5)).json();
        assertEquals(0.05, plan.path("settings").path("dropout").doubleValue());
        assertEquals(32, plan.path("settings").path("alpha").doubleValue());
        assertEquals("lora", plan.path("settings").path("method").stringValue());
        var id = create(12);
        assertEquals(409, get("/api/jobs/" + id + "/exports").status(), "nothing is saved yet");
        training.permits.release(12);
        awaitState(id, "finished");
        var job = get("/api/jobs/" + id).json();
        assertEquals(12, job.path("progress").path("step").intValue());
        assertEquals(10, job.path("progress").path("bestStep").intValue());
        assertEquals(1.1, job.path("progress").path("bestValidation").doubleValue(), 1e-9);
        var points = get("/api/jobs/" + id + "/points").json();
        assertEquals(12, points.path("steps").size());
        assertEquals(1, points.path("evaluations").size());
        assertEquals(2, get("/api/jobs/" + id + "/report").json().path("examples").intValue());
        var answers = post("/api/jobs/" + id + "/compare", "{\"prompt\":\"Who are you?\"}");
        assertEquals(List.of("{\"side\":\"base\",\"text\":\"I am \"}", "{\"side\":\"base\",\"text\":\"BASE\"}", "{\"side\":\"tuned\",\"text\":\"I am \"}", "{\"side\":\"tuned\",\"text\":\"TUNED\"}", "[DONE]"),
            answers.events());
        assertTrue(post("/api/jobs/" + id + "/load", "").json().path("loaded").booleanValue());
        assertTrue(training.loaded.endsWith("run"));
        assertEquals(409, Wire.send(server.port(), "DELETE", "/api/jobs/" + id, null).status(), "the chat needs its files");
        assertFalse(post("/api/jobs/" + id + "/unload", "").json().path("loaded").booleanValue());
        assertEquals(1, get("/api/jobs").json().path("data").size());
        assertEquals(204, Wire.send(server.port(), "DELETE", "/api/jobs/" + id, null).status());
        assertEquals(404, get("/api/jobs/" + id).status());
        assertEquals("finished", post("/api/jobs/" + id + "/undo", "").json().path("state").stringValue());
    }

    @Test void anExportIsMadeOnceAndDownloadedWithATicket() throws Exception {
        server.close();
        jobs.close();
        start("sesame");
        String[] key = {"x-api-key", "sesame"};
        var data = post("/api/training/files?name=a.txt", "x", "Content-Type", "text/plain", key[0], key[1]).json().path("id").stringValue();
        var id = post("/api/jobs", settings(data, 10), key).json().path("id").stringValue();
        training.permits.release(10);
        RunningServer.await("it has ended", () -> {
            try {
                return get("/api/jobs/" + id, key).json().path("state").stringValue().equals("finished");
            } catch (IOException problem) {
                throw new AssertionError(problem);
            }
        });
        var path = "/api/jobs/" + id + "/exports/gguf-lora";
        assertEquals(404, get(path, key).status(), "it is not made yet");
        var made = post(path, "", key).json();
        assertEquals("made of 10".length(), made.path("bytes").intValue());
        var url = made.path("url").stringValue();
        var file = get(url);
        assertEquals("made of 10", file.body());
        assertEquals("attachment; filename*=UTF-8''tuned%20%C3%A9.gguf", file.headers().get("Content-Disposition"));
        assertEquals(401, get(path).status());
        assertEquals(401, get(path + "?ticket=0").status());
        assertEquals(401, get("/api/jobs" + url.substring(url.indexOf('?'))).status(), "a ticket opens one path");
        assertEquals(401, post(url, "").status(), "a ticket is for reading");
        assertEquals(401, get("/api/jobs/events").status());
    }

    @Test void whatIsAskedWronglyIsSaidClearly() throws Exception {
        assertEquals(404, get("/api/jobs/nothing").status());
        assertEquals(404, post("/api/jobs/nothing/pause", "").status());
        assertEquals(404, get("/api/jobs/nothing/events").status());
        var id = create(5);
        assertEquals(409, post("/api/jobs/" + id + "/resume", "").status());
        assertEquals(409, Wire.send(server.port(), "DELETE", "/api/jobs/" + id, null).status());
        var data = upload();
        for (var wrong : List.of("{}", "{\"model\":\"fake\"}", settings(data, -1), settings("../../etc", 5), settings(data, 5).replace("lora", "magic"), settings(data, 5).replace("\"method\"", "\"rank\":0,\"method\""),
                settings(data, 5).replace("Guppy", "x".repeat(200)))) {
            var reply = post("/api/jobs", wrong);
            assertTrue(reply.status() == 400 || reply.status() == 404, wrong + " answered " + reply.status());
            assertTrue(reply.error().path("message").stringValue().length() > 10, reply.body());
        }
        assertEquals(400, get("/api/jobs/" + id + "/events", "Last-Event-ID", "x").status());
        assertEquals(400, post("/api/training/files", "x", "Content-Type", "text/plain").status(), "no name");
        assertEquals(413, post("/api/training/files?name=a", "x".repeat(1_001), "Content-Type", "text/plain").status());
        assertEquals(400, post("/api/training/files?name=a", "", "Content-Type", "text/plain").status());
        assertEquals(404, post("/api/training/samples/nothing", "").status());
        assertEquals(403, post("/api/jobs", settings(data, 5), "Origin", "http://evil.example").status());
        assertEquals(403, post("/api/training/files?name=a", "x", "Origin", "http://evil.example", "Content-Type", "text/plain").status());
        training.fits = false;
        assertTrue(post("/api/jobs", settings(data, 5)).error().path("message").stringValue().contains("needs 2,000"));
    }

    @Test void aFileWithoutALengthIsCutAtTheLimit() throws Exception {
        try (var wire = new Wire(server.port())) {
            wire.raw("POST /api/training/files?name=a HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n7d0\r\n%s\r\n0\r\n\r\n".formatted(server.port(), "x".repeat(2_000))
                .getBytes(StandardCharsets.US_ASCII));
            assertEquals(400, wire.reply().status());
        }
    }

    @Test void theSampleComesWithTheProgram() throws Exception {
        server.close();
        server = RunningServer.start(FakeScheduler.free(), null, Limits.DEFAULT, jobs);
        var sample = post("/api/training/samples/" + get("/api/training").json().path("samples").path(0).path("id").stringValue(), "");
        assertEquals(201, sample.status(), sample.body());
        var report = post("/api/training/report", settings(sample.json().path("id").stringValue(), 5));
        assertEquals(48, report.json().path("examples").intValue(), report.body());
    }

    @Test void anEventStreamGoesOnAfterTheLastEventSeen() throws Exception {
        var id = create(30);
        training.permits.release(15);
        RunningServer.await("step 15", () -> jobs.job(id).progress().step() == 15);
        try (var first = new Wire(server.port())) {
            first.write("GET", "/api/jobs/" + id + "/events", null);
            var text = first.readUntil("\"live\"}\n\n");
            assertTrue(text.contains("text/event-stream"), text);
            assertTrue(text.contains("{\"type\":\"job\",\"id\":\"" + id), text);
            training.permits.release(15);
            text += first.readUntil("\"type\":\"finished\"");
            var seen = numbers(text);
            assertEquals(seen.stream().distinct().sorted().toList(), seen);
            try (var again = new Wire(server.port())) {
                again.write("GET", "/api/jobs/" + id + "/events", null, "Last-Event-ID", "10");
                assertEquals(seen.subList(10, seen.size()), numbers(again.readUntil("\"live\"}\n\n")));
            }
        }
        try (var list = new Wire(server.port())) {
            list.write("GET", "/api/jobs/events", null);
            var text = list.readUntil("\"live\"}\n\n");
            assertTrue(text.contains("\"finished\"") && numbers(text).isEmpty(), text);
        }
    }

    private static List<Long> numbers(String stream) {
        return Arrays.stream(stream.split("\n")).filter(line -> line.startsWith("id: ")).map(line -> Long.parseLong(line.substring(4).strip())).toList();
    }
}
