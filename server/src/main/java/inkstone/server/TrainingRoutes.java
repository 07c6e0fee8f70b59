package inkstone.server;

import inkstone.server.jobs.Job;
import inkstone.server.jobs.JobJson;
import inkstone.server.jobs.Jobs;
import inkstone.server.jobs.Training;
import inkstone.tensor.ModelException;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;
import java.util.NoSuchElementException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import tools.jackson.databind.node.ObjectNode;

/**
 * Training over HTTP, for our own page. {@code /api/training}: what there is to train, files of examples, what is understood of them, what a job would take.
 * {@code /api/jobs}: the jobs, what they tell as server-sent events, and their results. A client that comes back to an event stream says in
 * {@code Last-Event-ID} what it has seen, and gets the rest.
 */
final class TrainingRoutes {
    private static final int LONGEST_QUESTION = 20_000, MOST_TOKENS = 1_024;

    private final Jobs jobs;
    private final Traffic traffic;
    private final Limits limits;
    private final Tickets tickets;
    /** One at a time makes an export: a second asker waits and gets the same file. */
    private final ConcurrentHashMap<Path, Object> exporting = new ConcurrentHashMap<>();

    TrainingRoutes(Jobs jobs, Traffic traffic, Limits limits, Tickets tickets) {
        this.jobs = jobs;
        this.traffic = traffic;
        this.limits = limits;
        this.tickets = tickets;
    }

    void addTo(RoutesConfig routes) {
        routes.get("/api/training", context -> Json.answer(context, about()));
        routes.post("/api/training/files", this::upload);
        routes.post("/api/training/samples/{sample}", Errors.told(context -> Json.answer(context.status(201), JobJson.of(jobs.uploads().add(context.pathParam("sample"))))));
        routes.post("/api/training/report", Errors.told(context -> {
            var settings = TuneRequest.of(Json.read(context.req(), limits.bodyBytes()));
            Json.answer(context, JobJson.of(jobs.training().report(jobs.uploads().file(settings.data()), settings)));
        }));
        routes.post("/api/training/plan", Errors.told(context -> {
            var settings = TuneRequest.of(Json.read(context.req(), limits.bodyBytes()));
            Json.answer(context, JobJson.of(jobs.training().plan(jobs.uploads().file(settings.data()), settings)));
        }));
        routes.get("/api/jobs", context -> {
            var list = Json.object();
            var data = list.putArray("data");
            jobs.seen().forEach(data::add);
            Json.answer(context, list);
        });
        routes.post("/api/jobs", Errors.told(context -> answer(context.status(201), jobs.create(TuneRequest.of(Json.read(context.req(), limits.bodyBytes()))))));
        routes.get("/api/jobs/events", context -> follow(context, null));
        routes.get("/api/jobs/{id}", Errors.told(context -> answer(context, jobs.job(context.pathParam("id")))));
        routes.delete("/api/jobs/{id}", Errors.told(context -> {
            jobs.delete(context.pathParam("id"));
            context.status(204);
        }));
        routes.get("/api/jobs/{id}/points", Errors.told(this::points));
        routes.get("/api/jobs/{id}/events", Errors.told(context -> follow(context, context.pathParam("id"))));
        routes.get("/api/jobs/{id}/report", Errors.told(this::report));
        act(routes, "pause", jobs::pause);
        act(routes, "resume", jobs::resume);
        act(routes, "cancel", jobs::cancel);
        act(routes, "finish", jobs::finish);
        act(routes, "undo", jobs::undo);
        routes.post("/api/jobs/{id}/load", Errors.told(context -> load(context, context.pathParam("id"))));
        routes.post("/api/jobs/{id}/unload", Errors.told(context -> load(context, null)));
        routes.post("/api/jobs/{id}/compare", Errors.told(this::compare));
        routes.get("/api/jobs/{id}/exports", Errors.told(this::exports));
        routes.post("/api/jobs/{id}/exports/{export}", Errors.told(this::export));
        routes.get("/api/jobs/{id}/exports/{export}", Errors.told(this::download));
    }

    private void act(RoutesConfig routes, String action, Function<String, Job> change) {
        routes.post("/api/jobs/{id}/" + action, Errors.told(context -> answer(context, change.apply(context.pathParam("id")))));
    }

    private void answer(Context context, Job job) { Json.answer(context, jobs.seen(job.id())); }

    private ObjectNode about() {
        var about = Json.object();
        var models = about.putArray("models");
        jobs.training().models().forEach(model -> models.add(JobJson.of(model)));
        var samples = about.putArray("samples");
        jobs.uploads().samples().forEach(sample -> samples.add(JobJson.of(sample)));
        return about.put("fileBytes", limits.uploadBytes()).put("undoSeconds", Jobs.UNDO.toSeconds());
    }

    // Data

    /** {@code POST /api/training/files?name=NAME}: the file itself is the body, of whatever content type, and goes to disk as it comes. */
    private void upload(Context context) throws IOException {
        var name = context.queryParam("name");
        if (name == null || name.isBlank()) throw ApiException.invalid("name", "name must be the file's name, got nothing");
        if (context.req().getContentLengthLong() > limits.uploadBytes()) throw tooLarge();
        long room = jobs.uploads().room();
        if (context.req().getContentLengthLong() > room) throw ApiException.invalid("file", "the disk has room for %,d bytes, this file has more".formatted(room));
        try {
            var upload = jobs.uploads().add(name, context.req().getInputStream(), limits.uploadBytes());
            Json.answer(context.status(201), JobJson.of(upload));
        } catch (IllegalArgumentException wrong) {
            throw ApiException.invalid("file", wrong.getMessage());
        }
    }

    private ApiException tooLarge() {
        return new ApiException(413, "invalid_request_error", null, "request_too_large",
            "the file may have %,d bytes, this one has more; split it, or train at the terminal".formatted(limits.uploadBytes()));
    }

    /** What was understood of a job's data: looked at once and kept. */
    private void report(Context context) throws IOException {
        var job = jobs.job(context.pathParam("id"));
        var run = jobs.run(job);
        var kept = jobs.exports(job).resolveSibling("report.json");
        if (!Files.exists(kept)) {
            var partial = Files.createTempFile(kept.getParent(), "report", ".partial");
            Files.write(partial, Json.bytes(JobJson.of(jobs.training().report(run.data(), run.settings()))));
            Files.move(partial, kept, StandardCopyOption.ATOMIC_MOVE);
        }
        context.contentType("application/json").result(Files.readAllBytes(kept));
    }

    // What jobs tell

    /** The curve at once, for programs: {@code {"steps":[{...}],"evaluations":[{...}]}}. */
    private void points(Context context) {
        var points = Json.object();
        var steps = points.putArray("steps");
        var evaluations = points.putArray("evaluations");
        for (var line : jobs.history(context.pathParam("id"))) {
            var event = Json.parse(line.getBytes(StandardCharsets.UTF_8)).node();
            switch (event.path("type").stringValue()) {
                case "step" -> steps.add(event);
                case "evaluation" -> evaluations.add(event);
                default -> { }
            }
        }
        Json.answer(context, points);
    }

    private void follow(Context context, String job) throws IOException, InterruptedException {
        long after = 0;
        try {
            if (context.header("Last-Event-ID") != null) after = Long.parseLong(context.header("Last-Event-ID").strip());
        } catch (NumberFormatException odd) {
            throw ApiException.invalid("Last-Event-ID", "Last-Event-ID must be the number of an event of this stream, got " + Fields.shortened(context.header("Last-Event-ID")));
        }
        var client = new Client(context.req());
        try (var feed = jobs.follow(job, after)) {
            new SseStream(context.res()).relay(feed, client, traffic);
        }
        if (client.pipelining()) client.cut(context.res());
    }

    // What they have learned

    private void load(Context context, String id) throws IOException {
        jobs.load(id);
        answer(context, jobs.job(context.pathParam("id")));
    }

    /** The base model's answer and the tuned one's, in pieces: {@code {"side":"base","text":"..."}}, at the end {@code [DONE]}. */
    private void compare(Context context) throws IOException, InterruptedException {
        var fields = Json.read(context.req(), limits.bodyBytes());
        var text = fields.string("prompt", "");
        if (text.isBlank()) throw fields.wrong("prompt", "a question");
        if (text.length() > LONGEST_QUESTION) throw ApiException.invalid("prompt", "prompt may have %,d characters, got %,d".formatted(LONGEST_QUESTION, text.length()));
        var question = new Training.Question(text, fields.integer("seed", 0, Integer.MAX_VALUE, 0), fields.number("temperature", 0, 2, 0.8), (int) fields.integer("max_tokens", 1, MOST_TOKENS, 160));
        var run = jobs.run(jobs.trained(context.pathParam("id")));
        var client = new Client(context.req());
        var out = new SseStream(context.res());
        try {
            jobs.training().compare(run, question, (side, piece) -> write(out, side, piece), () -> client.gone() || traffic.stopping());
            out.done();
        } catch (IllegalArgumentException | IllegalStateException | ModelException | UnsupportedOperationException wrong) {
            out.data(Errors.body(ApiException.invalid(null, wrong.getMessage())));
        } catch (UncheckedIOException gone) {
            /* The client went away, and so ended the answers. */
        }
        if (client.pipelining()) client.cut(context.res());
    }

    private static void write(SseStream out, Training.Side side, String piece) {
        try {
            out.data(Json.object().put("side", side.name().toLowerCase(Locale.ROOT)).put("text", piece));
        } catch (IOException gone) {
            throw new UncheckedIOException(gone);
        }
    }

    private void exports(Context context) throws IOException {
        var list = Json.object();
        var data = list.putArray("data");
        jobs.training().exports(jobs.run(jobs.trained(context.pathParam("id")))).forEach(export -> data.add(JobJson.of(export)));
        Json.answer(context, list);
    }

    private Training.Export export(Training.Run run, String id) {
        return jobs.training().exports(run).stream().filter(export -> export.id().equals(id)).findFirst()
            .orElseThrow(() -> new NoSuchElementException("there is no such form of the result"));
    }

    /** Makes the file where it is not made yet, and says where to download it. A job that went on has its files made anew. */
    private void export(Context context) throws IOException {
        var job = jobs.trained(context.pathParam("id"));
        var run = jobs.run(job);
        var export = export(run, context.pathParam("export"));
        var file = file(job, export);
        synchronized (exporting.computeIfAbsent(file, path -> new Object())) {
            if (!Files.exists(file)) make(run, export, file);
        }
        Json.answer(context, Json.object().put("url", tickets.address(context.path())).put("file", export.file()).put("bytes", Files.size(file)));
    }

    private void make(Training.Run run, Training.Export export, Path file) throws IOException {
        try (var older = Files.newDirectoryStream(file.getParent(), export.id() + "-*")) { for (var each : older) Files.delete(each); }
        var partial = file.resolveSibling(export.id() + "-partial");
        try {
            jobs.training().export(run, export.id(), partial);
            Files.move(partial, file, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(partial);
        }
    }

    /** Named after the step it was made of. */
    private Path file(Job job, Training.Export export) throws IOException { return jobs.exports(job).resolve("%s-%d".formatted(export.id(), job.progress().resultStep())); }

    private void download(Context context) throws IOException {
        var job = jobs.trained(context.pathParam("id"));
        var export = export(jobs.run(job), context.pathParam("export"));
        var file = file(job, export);
        if (!Files.exists(file)) throw new NoSuchElementException("this file is not made yet; POST to this address makes it");
        var name = URLEncoder.encode(export.file(), StandardCharsets.UTF_8).replace("+", "%20");
        context.header("Content-Disposition", "attachment; filename*=UTF-8''" + name).header("Content-Length", Long.toString(Files.size(file)))
            .header("Cache-Control", "no-store").contentType("application/octet-stream").result(Files.newInputStream(file));
    }
}
