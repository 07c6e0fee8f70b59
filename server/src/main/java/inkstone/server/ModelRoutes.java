package inkstone.server;

import inkstone.diffusion.ImageModelInfo;
import inkstone.tokenizer.template.ChatTemplate;
import inkstone.transformer.Embedder;
import inkstone.transformer.LanguageModel;
import io.javalin.http.Context;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/** What the server has and how it is: {@code GET /v1/models}, {@code /v1/models/{id}}, {@code /health} and {@code /api/studio}, which our own page reads. */
final class ModelRoutes {
    private final Served served;
    private final boolean trains;
    private final List<ImageModelInfo> painters;
    private final Traffic traffic;
    private final long started = System.currentTimeMillis() / 1_000;

    /** @param painters models that paint; empty where none does */
    ModelRoutes(Served served, boolean trains, List<ImageModelInfo> painters, Traffic traffic) {
        this.served = served;
        this.trains = trains;
        this.painters = painters;
        this.traffic = traffic;
    }

    static void requireModel(String name, Served served) {
        if (!served.answersTo(name)) {
            throw new ApiException(404, "not_found_error", "model", "model_not_found",
                "there is no model %s here; the loaded one is %s".formatted(Errors.shown(name), served.model().name()));
        }
    }

    void list(Context context) {
        var list = Json.object().put("object", "list");
        var data = list.putArray("data").add(model(served.model().name()));
        painters.forEach(painter -> data.add(model(painter.name())));
        Json.answer(context, list);
    }

    void one(Context context) {
        var painter = painters.stream().map(ImageModelInfo::name).filter(context.pathParam("id")::equals).findFirst();
        if (painter.isEmpty()) requireModel(context.pathParam("id"), served);
        Json.answer(context, model(painter.orElse(served.model().name())));
    }

    private ObjectNode model(String name) {
        return Json.object().put("id", name).put("object", "model").put("created", started).put("owned_by", "inkstone");
    }

    void health(Context context) {
        boolean stopping = traffic.stopping();
        Json.answer(context.status(stopping ? 503 : 200), Json.object().put("status", stopping ? "stopping" : "ok"));
    }

    private static boolean talks(Served.Answering tuned) { return tuned != null && tuned.template() != ChatTemplate.PLAIN; }

    void studio(Context context) {
        var model = served.model();
        var studio = Json.object().put("version", StudioServer.VERSION);
        var about = studio.putObject("model").put("id", model.name()).put("architecture", model.config().architecture()).put("format", model.format())
            .put("parameters", model.parameters()).put("bytes", model.bytes()).put("contextLength", served.contextLength()).put("dimensions", model.config().dim())
            .put("pooling", EmbeddingRequest.name(model.pooling())).put("embedded", served.embedded());
        switch (model) {
            case LanguageModel language -> about.put("kind", "language").put("chatTemplate", language.hasChatTemplate() || talks(served.tuned().get()));
            case Embedder embedder -> about.put("kind", "embedding");
        }
        studio.putObject("machine").put("backend", model.backend().name()).put("device", model.backend().device()).put("threads", served.threads())
            .put("memoryTotal", Memory.ofMachine()).put("memoryUsed", Memory.resident());
        var kv = served.kvMemory();
        if (kv != null) studio.putObject("kvCache").put("dtype", kv.dtype()).put("tokens", kv.tokens()).put("bytes", kv.bytes());
        var usual = served.sampling();
        studio.putObject("defaults").put("temperature", usual.temperature()).put("top_k", usual.topK()).put("top_p", usual.topP()).put("min_p", usual.minP())
            .put("repeat_penalty", usual.repetitionPenalty()).put("max_tokens", AnswerOptions.DEFAULT_MAX_TOKENS);
        studio.putObject("queue").put("active", traffic.active()).put("waiting", traffic.waiting());
        studio.put("training", trains).put("painting", !painters.isEmpty());
        Json.answer(context, studio);
    }
}
