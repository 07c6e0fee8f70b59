package inkstone.diffusion.picture;

import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Optional;
import java.util.function.Predicate;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The graph of nodes that ComfyUI keeps in a PNG under {@code prompt}, as JSON: {"3": {"class_type": "KSampler", "inputs": {"steps": 20, "positive": ["6", 0], ...}}, ...}, where a list names the
 * node that a value comes from. What the first node that samples says, and what the nodes before it say of prompt, size and model, is read; other nodes are not.
 */
final class ComfyGraph {
    static final String KEYWORD = "prompt";
    private static final JsonMapper JSON = JsonMapper.shared();
    /** Inputs of a sampling node, each beside its name in the line of parameters. */
    private static final String[][] FIELDS = {{"steps", "Steps"}, {"sampler_name", "Sampler"}, {"scheduler", "Schedule type"}, {"cfg", "CFG scale"}, {"seed", "Seed"}, {"noise_seed", "Seed"}};

    private final JsonNode nodes;

    private ComfyGraph(JsonNode nodes) { this.nodes = nodes; }

    /** Empty for what is no such graph, or one that samples in a way of its own. */
    static Optional<Parameters> read(String text) {
        try {
            return new ComfyGraph(JSON.readTree(text)).parameters();
        } catch (JacksonException e) {
            return Optional.empty();
        }
    }

    private Optional<Parameters> parameters() {
        for (JsonNode node : nodes) {
            JsonNode inputs = node.path("inputs");
            if (!inputs.path("sampler_name").isString() || !inputs.path("steps").isNumber()) continue;
            var fields = new LinkedHashMap<String, String>();
            for (String[] field : FIELDS) if (inputs.path(field[0]).isValueNode()) fields.put(field[1], inputs.path(field[0]).asString());
            before(inputs.path("latent_image"), latent -> latent.path("width").isNumber() && latent.path("height").isNumber())
                .ifPresent(latent -> fields.put("Size", latent.path("width").asString() + "x" + latent.path("height").asString()));
            before(inputs.path("model"), model -> model.path("ckpt_name").isString() || model.path("unet_name").isString())
                .ifPresent(model -> fields.put("Model", model.path(model.path("ckpt_name").isString() ? "ckpt_name" : "unet_name").asString()));
            if (inputs.path("denoise").isNumber() && inputs.path("denoise").asDouble() < 1) fields.put("Denoising strength", inputs.path("denoise").asString());
            fields.put("RNG", "CPU");
            return Optional.of(new Parameters(text(inputs.path("positive")), text(inputs.path("negative")), fields));
        }
        return Optional.empty();
    }

    private String text(JsonNode from) { return before(from, node -> node.path("text").isString()).map(node -> node.path("text").asString()).orElse(""); }

    /** Inputs of the nearest node that is as wanted, on any way back from a link. */
    private Optional<JsonNode> before(JsonNode link, Predicate<JsonNode> wanted) {
        var next = new ArrayDeque<JsonNode>();
        var seen = new HashSet<String>();
        next.add(link);
        while (!next.isEmpty()) {
            JsonNode from = next.remove();
            if (!from.isArray() || !from.path(0).isString() || !seen.add(from.path(0).asString())) continue;
            JsonNode inputs = nodes.path(from.path(0).asString()).path("inputs");
            if (wanted.test(inputs)) return Optional.of(inputs);
            for (JsonNode input : inputs) next.add(input);
        }
        return Optional.empty();
    }
}
