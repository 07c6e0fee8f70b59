package inkstone.server;

import inkstone.tokenizer.template.ChatTemplate;
import inkstone.transformer.CausalModel;
import inkstone.transformer.EmbeddedModel;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.SamplerSettings;
import inkstone.transformer.Scheduler;
import inkstone.transformer.TextModel;
import inkstone.transformer.adapters.Adapters;
import java.util.concurrent.atomic.AtomicReference;

/**
 * The model that answers, and the scheduler that runs it. Whoever made them closes them, after the server.
 *
 * @param contextLength tokens that a prompt and its answer may have together here, at most what the model was made for
 * @param kvMemory      null where the model makes vectors only
 * @param threads       threads the backend computes with
 * @param adapters      loaded beside the model, which has their first weights; null where there are none
 * @param embedded      whether it is the model that comes with the program
 * @param tuned         what was trained here and answers in place of the model; holds null where nothing does
 */
public record Served(TextModel model, Scheduler scheduler, int contextLength, KvMemory kvMemory, int threads, Adapters adapters, boolean embedded,
                     AtomicReference<Answering> tuned) {
    /** A model from elsewhere, without adapters and without what was trained here. */
    public Served(TextModel model, Scheduler scheduler, int contextLength, KvMemory kvMemory, int threads) {
        this(model, scheduler, contextLength, kvMemory, threads, null, false, new AtomicReference<>());
    }

    /**
     * Who answers a request, and how it is spoken to.
     *
     * @param variant  of the model, of the same shape; null for the model itself
     * @param template of conversations
     */
    public record Answering(CausalModel variant, ChatTemplate template) {}

    /**
     * The memory for keys and values.
     *
     * @param dtype  "f16" or "f32"
     * @param tokens that it holds, of all conversations together
     */
    public record KvMemory(String dtype, int tokens, long bytes) {}

    /** Clients that must name a model and do not care which may say this. */
    static final String ANY_MODEL = "default";

    /** The model as one that writes; a 400 where it makes vectors only. */
    LanguageModel language() {
        if (model instanceof LanguageModel language) return language;
        throw new ApiException(400, "invalid_request_error", "model", "model_cannot_write",
            "%s makes vectors of texts (POST /v1/embeddings) and cannot write; start Inkstone with a language model to chat".formatted(model.name()));
    }

    /** How tokens are drawn where the client does not say. */
    SamplerSettings sampling() { return embedded ? EmbeddedModel.SAMPLING : SamplerSettings.DEFAULT; }

    boolean answersTo(String name) { return name.equals(ANY_MODEL) || name.equals(model.name()); }
}
