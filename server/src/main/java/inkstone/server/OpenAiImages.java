package inkstone.server;

import inkstone.diffusion.Picture;
import inkstone.diffusion.picture.PictureFile;
import inkstone.diffusion.picture.Png;
import inkstone.diffusion.picture.Resize;
import inkstone.server.images.PaintJob;
import inkstone.server.images.PaintOrder;
import inkstone.server.images.Painting;
import inkstone.server.images.Paintings;
import inkstone.server.jobs.JobJson;
import io.javalin.http.Context;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.Part;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * {@code POST /v1/images/generations} and {@code /v1/images/edits} in OpenAI's shape, pictures as base64 or as addresses, at once or as a stream with partial pictures.
 * What is painted so is kept in the gallery as everything else is. A client that goes away ends its job.
 */
final class OpenAiImages {
    /** How often it is looked whether the client still waits, and after how many looks of a stream it gets a sign of life. */
    private static final Duration LOOK = Duration.ofMillis(200);
    private static final int LOOKS_PER_PING = 25, MOST_PARTIAL = 3;
    /** There is one here; events must name one of OpenAI's. */
    private static final String QUALITY = "high";
    private static final Set<String> FILES = Set.of("image", "image[]", "mask");
    private static final Set<String> NUMBERS = Set.of("n", "seed", "steps", "guidance", "rescale", "eta", "strength", "partial_images", "output_compression");

    private final Paintings paintings;
    private final Traffic traffic;
    private final Limits limits;
    private final Tickets tickets;
    private final boolean locked;

    OpenAiImages(Paintings paintings, Traffic traffic, ServerSettings settings, Tickets tickets) {
        this.paintings = paintings;
        this.traffic = traffic;
        this.limits = settings.limits();
        this.tickets = tickets;
        this.locked = settings.apiKey() != null;
    }

    void generate(Context context) throws IOException, InterruptedException {
        var fields = Json.read(context.req(), limits.bodyBytes());
        paint(context, fields, PaintRequest.openAi(fields, null, null), "image_generation");
    }

    /** A form with {@code image}, {@code mask} and the fields of a generation. Where the mask (without one: the picture) is transparent, it is painted anew. */
    void edit(Context context) throws IOException, InterruptedException {
        if (!context.isMultipartFormData()) {
            throw new ApiException(415, "invalid_request_error", null, "unsupported_media_type", "expected content-type multipart/form-data, got %s".formatted(context.contentType() == null ? "none" : context.contentType()));
        }
        if (context.req().getContentLengthLong() > limits.formBytes()) throw ImageRoutes.tooLarge(limits);
        var fields = form(context);
        var images = parts(context, "image", "image[]");
        if (images.size() > 1) throw ApiException.unsupported("image", "one picture is changed at a time, got several");
        var image = images.isEmpty() ? null : picture(images.getFirst(), "image");
        if (image == null) throw ApiException.invalid("image", "image must be the picture to change, a file of the form, got nothing");
        var masks = parts(context, "mask");
        var mask = masks.isEmpty() ? null : picture(masks.getFirst(), "mask");
        var where = mask != null ? holes(mask) : image.channels() == 4 ? holes(image) : null;
        if (mask != null && (mask.width() != image.width() || mask.height() != image.height())) {
            throw ApiException.invalid("mask", "the mask must be as large as the picture, %d x %d, got %d x %d".formatted(image.width(), image.height(), mask.width(), mask.height()));
        }
        paint(context, fields, PaintRequest.openAi(fields, kept(image.rgb(0xFFFFFF)), where == null ? null : kept(where)), "image_edit");
    }

    private Fields form(Context context) {
        var object = Json.object();
        texts(context).forEach((name, values) -> {
            if (values.isEmpty() || FILES.contains(name)) return;
            var text = values.getFirst();
            if (name.equals("stream")) object.put(name, text.equals("true"));
            else if (NUMBERS.contains(name)) object.set(name, Json.number(text));
            else object.put(name, text);
        });
        return new Fields(object, "");
    }

    private Map<String, List<String>> texts(Context context) {
        try {
            return context.formParamMap();
        } catch (Exception broken) {   // Javalin passes on a checked one that it does not declare
            if (!(broken instanceof ServletException)) throw broken;
            throw broken(limits);
        }
    }

    private static ApiException broken(Limits limits) {
        return ApiException.invalid(null, "the form cannot be read: it is broken, or has more than %,d bytes".formatted(limits.formBytes()));
    }

    /** Parts of these names that have content. Clients that send a stream, such as OpenAI's for Java, give them no file name, and then the form does not call them files. */
    private List<Part> parts(Context context, String... names) throws IOException {
        try {
            return context.req().getParts().stream().filter(part -> List.of(names).contains(part.getName()) && part.getSize() > 0).toList();
        } catch (ServletException broken) {
            throw broken(limits);
        }
    }

    private Picture picture(Part file, String name) throws IOException {
        if (file.getSize() > limits.pictureBytes()) throw ImageRoutes.tooLarge(limits);
        try (var content = file.getInputStream()) {
            return paintings.gallery().read(content.readAllBytes()).picture();
        } catch (IllegalArgumentException wrong) {
            throw ApiException.invalid(name, wrong.getMessage());
        }
    }

    /** White where a picture is transparent; null where nothing is. A mask without transparency says with white where to paint. */
    private static Picture holes(Picture picture) {
        if (picture.channels() != 4) return picture;
        var bytes = new byte[picture.width() * picture.height()];
        boolean any = false;
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (255 - (picture.bytes()[4 * i + 3] & 0xFF));
            any |= bytes[i] != 0;
        }
        return any ? new Picture(picture.width(), picture.height(), 1, bytes) : null;
    }

    private String kept(Picture picture) throws IOException { return paintings.gallery().receive(Png.write(picture, Map.of())); }

    private void paint(Context context, Fields fields, PaintOrder order, String event) throws IOException, InterruptedException {
        boolean stream = fields.bool("stream", false);
        int partial = (int) fields.integer("partial_images", 0, MOST_PARTIAL, 0);
        var asker = context.req().getRemoteAddr() + " " + fields.string("user", "");
        var client = new Client(context.req());
        if (stream) stream(context, order, asker, client, partial, event);
        else whole(context, fields, order, asker, client);
    }

    private void whole(Context context, Fields fields, PaintOrder order, String asker, Client client) throws IOException, InterruptedException {
        var job = paintings.paint(order, asker);
        while (!paintings.await(job, LOOK)) {
            if (traffic.stopping()) paintings.cancel(job.id());
            if (!client.gone()) continue;
            paintings.cancel(job.id());
            return;
        }
        requirePainted(job);
        if (client.pipelining()) context.header("Connection", "close");
        boolean addresses = fields.string("response_format", "b64_json").equals("url");
        var document = Json.object().put("created", System.currentTimeMillis() / 1_000);
        var data = document.putArray("data");
        for (var painting : job.done()) {
            if (addresses) data.addObject().put("url", address(context, painting));
            else data.addObject().put("b64_json", base64(painting));
        }
        describe(document);
        Json.answer(context, document);
    }

    private void requirePainted(PaintJob job) {
        switch (job.state()) {
            case FINISHED -> { }
            case CANCELLED -> throw traffic.stopping() ? ApiException.stopping() : new ApiException(409, "invalid_request_error", null, "cancelled", "this job was cancelled on the server's page");
            default -> throw job.invalid() ? ApiException.invalid(null, job.problem()) : new ApiException(500, "server_error", null, "painting_failed", job.problem());
        }
    }

    /** Where the picture can be had; on a server with a key for a minute, without the key. */
    private String address(Context context, Painting painting) {
        var path = "/api/images/%s.png".formatted(painting.id());
        return "http://" + context.header("Host") + (locked ? tickets.address(path) : path);
    }

    private String base64(Painting painting) throws IOException { return Base64.getEncoder().encodeToString(Files.readAllBytes(paintings.gallery().file(painting.id()))); }

    private static void describe(ObjectNode json) {
        json.put("background", "opaque").put("output_format", "png");
        /* Nothing here is counted in tokens, and clients that add them up want numbers. */
        json.putObject("usage").put("total_tokens", 0).put("input_tokens", 0).put("output_tokens", 0).putObject("input_tokens_details").put("text_tokens", 0).put("image_tokens", 0);
    }

    /** Events {@code image_generation.partial_image} and {@code image_generation.completed}, or {@code image_edit...}, a completed one for each picture. */
    private void stream(Context context, PaintOrder order, String asker, Client client, int partial, String event) throws IOException, InterruptedException {
        try (var feed = paintings.follow()) {
            var job = paintings.paint(order, asker);
            var out = new SseStream(context.res());
            boolean whole = false;
            try {
                int told = 0, shown = 0;
                for (int silence = 0; !whole && !client.gone() && !feed.cut(); ) {
                    if (traffic.stopping()) paintings.cancel(job.id());
                    var message = feed.next(LOOK);
                    if (message == null) {
                        if (++silence % LOOKS_PER_PING == 0) out.ping();
                        continue;
                    }
                    var json = JobJson.parse(message.json());
                    if (json.path("job").asString("").equals(job.id())) {
                        if (shown < partial && json.path("step").intValue() * (partial + 1) >= (shown + 1) * json.path("steps").intValue()) {
                            out.event(event + ".partial_image", partial(json, job, event).put("partial_image_index", shown++));
                        }
                    } else if (json.path("id").asString("").equals(job.id())) {
                        for (; told < json.path("done").size(); told++, shown = 0) out.event(event + ".completed", completed(job.done().get(told), event));
                        whole = json.path("ended").longValue() > 0;
                    }
                }
                if (whole && job.state() != PaintJob.State.FINISHED) failed(out, job);
            } catch (IOException gone) {
                /* The client went away. */
            } finally {
                if (!whole) paintings.cancel(job.id());
            }
        }
        if (client.pipelining()) client.cut(context.res());
    }

    private void failed(SseStream out, PaintJob job) throws IOException {
        try {
            requirePainted(job);
        } catch (ApiException problem) {
            out.data(Errors.body(problem));
        }
    }

    /** What the network expects at a step, at the size of the finished picture. */
    private static ObjectNode partial(JsonNode step, PaintJob job, String event) {
        var url = step.path("predicted").stringValue();
        var small = PictureFile.read(Base64.getDecoder().decode(url.substring(url.indexOf(',') + 1))).picture();
        var large = Resize.to(small, job.width(), job.height());
        return Json.object().put("type", event + ".partial_image").put("b64_json", Base64.getEncoder().encodeToString(Png.write(large, Map.of()))).put("created_at", System.currentTimeMillis() / 1_000)
            .put("size", "%dx%d".formatted(job.width(), job.height())).put("quality", QUALITY).put("background", "opaque").put("output_format", "png");
    }

    private ObjectNode completed(Painting painting, String event) throws IOException {
        var json = Json.object().put("type", event + ".completed").put("b64_json", base64(painting)).put("created_at", painting.created() / 1_000)
            .put("size", "%dx%d".formatted(painting.pixelWidth(), painting.pixelHeight())).put("quality", QUALITY);
        describe(json);
        return json;
    }
}
