package inkstone.server;

import inkstone.diffusion.picture.Parameters;
import inkstone.server.images.Gallery;
import inkstone.server.images.PaintJob;
import inkstone.server.images.PaintOrder;
import inkstone.server.images.Paintings;
import inkstone.server.jobs.JobJson;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/**
 * Painting over HTTP, for our own page. {@code /api/images/jobs}: what is to be painted, and what it tells as server-sent events. {@code /api/images}: the gallery, page
 * by page. {@code /api/images/guests}: pictures that are handed in, to begin with or to read the settings of. OpenAI's form of it is {@link OpenAiImages}.
 */
final class ImageRoutes {
    private static final int MOST_SHOWN = 200, SHOWN = 60, LONGEST_SEARCH = 400;
    /** A picture never changes under its id. */
    private static final String FOR_GOOD = "private, max-age=31536000, immutable";

    private final Paintings paintings;
    private final Traffic traffic;
    private final Limits limits;
    private final OpenAiImages openAi;

    ImageRoutes(Paintings paintings, Traffic traffic, ServerSettings settings, Tickets tickets) {
        this.paintings = paintings;
        this.traffic = traffic;
        this.limits = settings.limits();
        this.openAi = new OpenAiImages(paintings, traffic, settings, tickets);
    }

    void addTo(RoutesConfig routes) {
        routes.post("/v1/images/generations", Errors.told(openAi::generate));
        routes.post("/v1/images/edits", Errors.told(openAi::edit));
        routes.get("/api/images/about", context -> Json.answer(context, about()));
        routes.get("/api/images/events", this::follow);
        routes.post("/api/images/guests", Errors.told(this::receive));
        routes.get("/api/images/jobs", context -> {
            var list = Json.object();
            var data = list.putArray("data");
            paintings.seen().forEach(data::add);
            Json.answer(context, list);
        });
        routes.post("/api/images/jobs", Errors.told(context -> answer(context.status(201), paintings.paint(PaintRequest.of(Json.read(context.req(), limits.bodyBytes())), client(context)))));
        routes.get("/api/images/jobs/{id}", Errors.told(context -> answer(context, paintings.job(context.pathParam("id")))));
        routes.post("/api/images/jobs/{id}/cancel", Errors.told(context -> answer(context, paintings.cancel(context.pathParam("id")))));
        routes.get("/api/images", Errors.told(this::find));
        routes.get("/api/images/{id}.png", Errors.told(context -> file(context, gallery().file(context.pathParam("id")))));
        routes.get("/api/images/{id}/small.png", Errors.told(context -> file(context, gallery().smallFile(context.pathParam("id")))));
        routes.get("/api/images/{id}/steps.png", Errors.told(context -> file(context, gallery().stepsFile(context.pathParam("id")))));
        routes.get("/api/images/{id}", Errors.told(context -> Json.answer(context, JobJson.of(gallery().painting(context.pathParam("id"))))));
        routes.post("/api/images/{id}/favourite", Errors.told(context -> {
            boolean favourite = Json.read(context.req(), limits.bodyBytes()).bool("favourite", true);
            Json.answer(context, JobJson.of(gallery().favourite(context.pathParam("id"), favourite)));
        }));
        routes.post("/api/images/{id}/enlarge", Errors.told(context -> answer(context.status(201), paintings.enlarge(context.pathParam("id"), client(context)))));
        routes.post("/api/images/{id}/undo", Errors.told(context -> Json.answer(context, JobJson.of(gallery().undo(context.pathParam("id"))))));
        routes.delete("/api/images/{id}", Errors.told(context -> {
            gallery().delete(context.pathParam("id"));
            context.status(204);
        }));
    }

    private Gallery gallery() { return paintings.gallery(); }

    private static String client(Context context) { return context.req().getRemoteAddr(); }

    private void answer(Context context, PaintJob job) { Json.answer(context, paintings.seen(job)); }

    private ObjectNode about() {
        var about = Json.object();
        var models = about.putArray("models");
        paintings.easel().models().forEach(model -> models.add(JobJson.of(model)));
        var enlarging = paintings.easel().enlarging();
        if (enlarging == null) about.putNull("enlarging");
        else about.putObject("enlarging").put("name", enlarging.name()).put("factor", enlarging.factor());
        return about.put("mostPictures", PaintOrder.MOST_PICTURES).put("mostSteps", PaintOrder.MOST_STEPS).put("pictureBytes", limits.pictureBytes()).put("undoSeconds", Gallery.UNDO.toSeconds());
    }

    private void follow(Context context) throws IOException, InterruptedException {
        var client = new Client(context.req());
        try (var feed = paintings.follow()) {
            new SseStream(context.res()).relay(feed, client, traffic);
        }
        if (client.pipelining()) client.cut(context.res());
    }

    /** {@code GET /api/images?words=&favourites=&before=&most=}: a page of the gallery; {@code next} is the {@code before} of the next one, 0 after the last. */
    private void find(Context context) {
        var words = context.queryParam("words");
        if (words != null && words.length() > LONGEST_SEARCH) throw ApiException.invalid("words", "words may have %d characters, got %d".formatted(LONGEST_SEARCH, words.length()));
        int most = (int) number(context, "most", 1, MOST_SHOWN, SHOWN);
        var found = gallery().find(words == null ? "" : words, "true".equals(context.queryParam("favourites")), number(context, "before", 0, Long.MAX_VALUE, 0), most);
        var list = Json.object();
        var data = list.putArray("data");
        found.pictures().forEach(painting -> data.add(JobJson.of(painting)));
        Json.answer(context, list.put("all", found.all()).put("next", found.pictures().size() < most ? 0 : found.pictures().getLast().number()));
    }

    private static long number(Context context, String name, long min, long max, long absent) {
        var text = context.queryParam(name);
        if (text == null || text.isEmpty()) return absent;
        try {
            long value = Long.parseLong(text);
            if (value >= min && value <= max) return value;
        } catch (NumberFormatException odd) {
            /* Said below. */
        }
        throw ApiException.invalid(name, "%s must be a whole number from %d to %d, got %s".formatted(name, min, max, Fields.shortened(text)));
    }

    private static void file(Context context, Path file) throws IOException {
        context.header("Cache-Control", FOR_GOOD).header("Content-Length", Long.toString(Files.size(file))).contentType("image/png").result(Files.newInputStream(file));
    }

    /** The picture itself is the body, of whatever content type: kept for jobs that begin with it. Answers with the settings that it carries, where it does. */
    private void receive(Context context) throws IOException {
        var bytes = context.req().getContentLengthLong() > limits.pictureBytes() ? null : context.req().getInputStream().readNBytes(limits.pictureBytes() + 1);
        if (bytes == null || bytes.length > limits.pictureBytes()) throw tooLarge(limits);
        Json.answer(context.status(201), received(bytes));
    }

    static ApiException tooLarge(Limits limits) {
        return new ApiException(413, "invalid_request_error", null, "request_too_large", "a picture may have %,d bytes, this one has more; make it smaller first".formatted(limits.pictureBytes()));
    }

    private ObjectNode received(byte[] bytes) throws IOException {
        var file = gallery().read(bytes);
        var json = Json.object().put("id", gallery().receive(bytes)).put("width", file.picture().width()).put("height", file.picture().height());
        var text = file.texts().get(Parameters.KEYWORD);
        return text == null ? json.putNull("settings") : json.set("settings", settings(Parameters.parse(text)));
    }

    /** What a picture was painted with, as the form takes it; what the text does not say is the model's choice. */
    private ObjectNode settings(Parameters told) {
        var models = paintings.easel().models();
        var info = models.stream().filter(model -> model.name().equalsIgnoreCase(told.model())).findFirst().orElse(models.getFirst());
        var filled = told.fill(info.defaults());
        var settings = JobJson.of(filled.request()).put("model", info.name());
        settings.remove(List.of("from", "mask", "count"));
        if (!told.fields().containsKey("Seed")) settings.remove("seed");
        var notes = settings.putArray("notes");
        filled.notes().forEach(notes::add);
        return settings;
    }
}
