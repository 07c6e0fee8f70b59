package inkstone.server;

import inkstone.transformer.CausalModel;
import io.javalin.http.Context;
import java.io.IOException;
import java.util.List;
import tools.jackson.databind.JsonNode;

/**
 * Adapters in the words of llama.cpp's server: {@code GET /lora-adapters} lists those that were loaded at the start, {@code POST /lora-adapters} sets how much of each is
 * wanted from now on, and {@code "lora": [{"id": 0, "scale": 0.5}]} in a request says it for that request alone. An adapter that is not named in either has scale 0.
 * Embeddings keep the scales of the start.
 */
final class AdapterRoutes {
    /** Weights beyond this are a slip. */
    private static final int MOST = 1_000;

    private final Served served;
    private final Limits limits;

    AdapterRoutes(Served served, Limits limits) {
        this.served = served;
        this.limits = limits;
    }

    void list(Context context) {
        var list = Json.array();
        if (served.adapters() != null) {
            var weights = served.adapters().weights();
            for (int id = 0; id < weights.length; id++) {
                var adapter = served.adapters().all().get(id);
                list.addObject().put("id", id).put("name", adapter.name()).put("scale", weights[id]).put("rank", adapter.rank()).put("parameters", adapter.parameters());
            }
        }
        Json.answer(context, list);
    }

    void set(Context context) throws IOException {
        var given = Json.readArray(context.req(), limits.bodyBytes());
        if (served.adapters() == null) throw none("");
        served.adapters().weights(weights(given, ""));
        list(context);
    }

    /** Who answers a request: what was trained here and loaded, unless the request names adapters itself. */
    Served.Answering answering(Fields fields) {
        var tuned = served.tuned().get();
        return tuned != null && !fields.has("lora") ? tuned : new Served.Answering(variant(fields), served.language().template());
    }

    private CausalModel variant(Fields fields) {
        if (!fields.has("lora")) return served.adapters() == null ? null : served.adapters().variant();
        var given = fields.array("lora", Integer.MAX_VALUE);
        if (served.adapters() == null) {
            if (given.isEmpty()) return null;
            throw none("lora");
        }
        return served.adapters().variant(weights(given, "lora"));
    }

    private static ApiException none(String field) {
        return ApiException.invalid(field.isEmpty() ? null : field, "no adapters are loaded; start Inkstone with --lora FILE");
    }

    private float[] weights(List<JsonNode> given, String field) {
        var weights = new float[served.adapters().all().size()];
        var named = new boolean[weights.length];
        for (int i = 0; i < given.size(); i++) {
            var where = "%s[%d]".formatted(field.isEmpty() ? "adapters" : field, i);
            var entry = Fields.object(given.get(i), where);
            if (!entry.has("id")) throw entry.wrong("id", "the number of an adapter");
            int id = (int) entry.integer("id", 0, weights.length - 1, 0);
            if (named[id]) throw ApiException.invalid(where + ".id", "adapter %d is named twice".formatted(id));
            named[id] = true;
            if (!entry.has("scale")) throw entry.wrong("scale", "a number");
            weights[id] = entry.number("scale", -MOST, MOST, 0);
        }
        return weights;
    }
}
