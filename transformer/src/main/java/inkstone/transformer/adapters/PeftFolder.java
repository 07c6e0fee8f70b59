package inkstone.transformer.adapters;

import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.tensor.checkpoint.Safetensors;
import inkstone.tensor.checkpoint.SafetensorsWriter;
import inkstone.tensor.checkpoint.TensorData;
import inkstone.tensor.checkpoint.TensorInfo;
import inkstone.transformer.AdapterBase;
import inkstone.transformer.AdapterLayout;
import inkstone.transformer.HuggingFaceJson;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Collectors;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Adapters as folders that Hugging Face's PEFT writes and reads: adapter_config.json, and adapter_model.safetensors with base_model.model.MODULE.lora_A.weight [rank, in],
 * .lora_B.weight [out, rank] and, for DoRA, .lora_magnitude_vector [out]. The change is lora_alpha / r · b a, or lora_alpha / sqrt(r) · b a where use_rslora
 * (Kalajdzievski 2023, arXiv:2312.03732); rank_pattern and alpha_pattern hold what differs from module to module. GPT-2's fan_in_fan_out concerns the weights, not these.
 */
public final class PeftFolder {
    private static final String CONFIG = "adapter_config.json", TENSORS = "adapter_model.safetensors", PREFIX = "base_model.model.";
    private static final Pattern TENSOR = Pattern.compile(Pattern.quote(PREFIX) + "(.+)\\.(lora_A|lora_B|lora_magnitude_vector)(\\.default)?(\\.weight)?");
    /** Ways to begin that move part of the weights into the adapter: without the weights that were left it is worth nothing. */
    private static final Pattern MOVED_WEIGHTS = Pattern.compile("(pissa|olora|corda|loftq|lora_ga).*");
    /** What changes more than the matrices that are read here. */
    private static final List<String> UNSUPPORTED = List.of("modules_to_save", "layer_replication", "trainable_token_indices", "alora_invocation_tokens", "target_parameters");

    private PeftFolder() {}

    static AdapterData read(Path path, AdapterBase base) throws IOException {
        var folder = Files.isDirectory(path) ? path : path.toAbsolutePath().getParent();
        if (!Files.exists(folder.resolve(CONFIG))) throw new ModelException("%s has no %s, as adapters that PEFT writes have; give the adapter's folder, or a GGUF file".formatted(folder, CONFIG));
        var config = HuggingFaceJson.read(folder.resolve(CONFIG));
        requireSupported(config);
        if (base.layout() == null) {
            throw new ModelException("%s: adapters of PEFT are not read for models of architecture \"%s\"; a GGUF file of the adapter is".formatted(folder, base.architecture()));
        }
        if (!Files.exists(folder.resolve(TENSORS))) {
            throw new ModelException("%s has no %s%s".formatted(folder, TENSORS, Files.exists(folder.resolve("adapter_model.bin"))
                ? "; adapter_model.bin is a Python pickle, which can run any program and is not read: save the adapter as safetensors" : ""));
        }
        try (var file = Safetensors.open(folder.resolve(TENSORS))) {
            boolean dora = config.bool("use_dora", false);
            var tensors = new AdapterTensors(file, base);
            for (var name : file.tensors().keySet()) {
                var match = TENSOR.matcher(name);
                if (!match.matches()) throw tensors.wrong("tensor %s is no lora_A or lora_B of a module; only such are applied".formatted(AdapterTensors.shown(name)));
                var part = switch (match.group(2)) {
                    case "lora_A" -> AdapterTensors.Part.A;
                    case "lora_B" -> AdapterTensors.Part.B;
                    default -> AdapterTensors.Part.MAGNITUDE;
                };
                if (part == AdapterTensors.Part.MAGNITUDE && !dora) throw tensors.wrong("tensor %s is of DoRA, but %s does not say use_dora".formatted(AdapterTensors.shown(name), CONFIG));
                tensors.put(base.layout().linear(match.group(1)), part, name);
            }
            var scales = new Scales(config, base.layout());
            var changes = tensors.changes(scales::of, base::huggingFaceRow);
            for (var change : changes) {
                if (dora && change.magnitude() == null) throw tensors.wrong("%s says use_dora, but lora_magnitude_vector of %s is missing".formatted(CONFIG, change.linear()));
            }
            return new AdapterData(AdapterData.name(folder), changes);
        }
    }

    private static void requireSupported(Metadata config) {
        var type = config.string("peft_type", "LORA");
        if (!type.equals("LORA")) throw wrong(config, "peft_type is \"%s\", expected \"LORA\"".formatted(AdapterTensors.shown(type)));
        for (var key : UNSUPPORTED) {
            boolean nested = config.values().keySet().stream().anyMatch(each -> each.startsWith(key + "."));
            if (nested || config.has(key) && !isEmpty(config.values().get(key))) {
                throw wrong(config, "%s is not supported: only matrices with lora_A and lora_B are applied; merge such an adapter with PEFT and convert the model".formatted(key));
            }
        }
        var bias = config.string("bias", "none");
        if (!bias.equals("none") || config.bool("lora_bias", false)) throw wrong(config, "trained biases (bias \"%s\", lora_bias) are not supported".formatted(AdapterTensors.shown(bias)));
        if (config.values().get("init_lora_weights") instanceof String start && MOVED_WEIGHTS.matcher(start.toLowerCase()).matches()) {
            throw wrong(config, "init_lora_weights is \"%s\", which changed the weights of the model as well; save the adapter converted to plain LoRA".formatted(AdapterTensors.shown(start)));
        }
    }

    private static boolean isEmpty(Object value) { return value instanceof Collection<?> list && list.isEmpty() || Boolean.FALSE.equals(value); }

    private static ModelException wrong(Metadata config, String problem) { return new ModelException("%s: %s".formatted(config.source(), problem)); }

    /** r and lora_alpha of each module. A pattern is a regular expression for the end of a module's name. */
    private static final class Scales {
        private final Metadata config;
        private final AdapterLayout layout;
        private final int r;
        private final float alpha;
        private final boolean stabilised;
        private final Map<Pattern, String> ranks, alphas;

        Scales(Metadata config, AdapterLayout layout) {
            this.config = config;
            this.layout = layout;
            this.r = config.integer("r");
            this.alpha = config.floating("lora_alpha");
            this.stabilised = config.bool("use_rslora", false);
            this.ranks = patterns("rank_pattern.");
            this.alphas = patterns("alpha_pattern.");
        }

        private Map<Pattern, String> patterns(String prefix) {
            var patterns = new LinkedHashMap<Pattern, String>();
            for (var key : config.values().keySet()) {
                if (!key.startsWith(prefix)) continue;
                try {
                    patterns.put(Pattern.compile("(.*\\.)?(" + key.substring(prefix.length()) + ")"), key);
                } catch (PatternSyntaxException e) {
                    throw wrong(config, "%s is no regular expression".formatted(AdapterTensors.shown(key)));
                }
            }
            return patterns;
        }

        private static String key(Map<Pattern, String> patterns, String module) {
            return patterns.entrySet().stream().filter(entry -> entry.getKey().matcher(module).matches()).map(Map.Entry::getValue).findFirst().orElse(null);
        }

        float of(String linear, int rank) {
            var module = layout.module(linear);
            String ofRank = key(ranks, module), ofAlpha = key(alphas, module);
            int expected = ofRank == null ? r : config.integer(ofRank);
            if (rank != expected) throw wrong(config, "the rank of %s should be %d, its matrices have %d".formatted(module, expected, rank));
            float alpha = ofAlpha == null ? this.alpha : config.floating(ofAlpha);
            return (float) (alpha / (stabilised ? Math.sqrt(rank) : rank));
        }
    }

    // ---- writing ---------------------------------------------------------------------------------------------------------------------------------------

    /**
     * Writes a folder that PEFT reads, F32; it is made where it is not there.
     *
     * @param baseName what the adapter's configuration calls the model: a name on the Hugging Face hub, or a path
     * @throws ModelException where the names of the model's matrices in Hugging Face's files are not known
     */
    public static void write(AdapterData adapter, AdapterBase base, String baseName, Path folder) throws IOException {
        if (base.layout() == null) {
            throw new ModelException("adapters of models of architecture \"%s\" cannot be written as a PEFT folder; write a GGUF file".formatted(base.architecture()));
        }
        var modules = new TreeMap<String, LowRank>();
        for (var change : adapter.changes()) {
            var module = base.layout().module(change.linear());
            if (module == null) throw new ModelException("%s has no name in Hugging Face's files; write the adapter as a GGUF file".formatted(change.linear()));
            modules.put(module, change);
        }
        var writer = new SafetensorsWriter().metadata("format", "pt");
        modules.forEach((module, change) -> {
            var rows = AdapterTensors.inverse(base.huggingFaceRow(change.linear()), change.out());
            add(writer, PREFIX + module + ".lora_A.weight", change.a(), change.rank(), change.in());
            add(writer, PREFIX + module + ".lora_B.weight", AdapterTensors.moved(change.b(), change.rank(), rows), change.out(), change.rank());
            if (change.magnitude() != null) add(writer, PREFIX + module + ".lora_magnitude_vector", AdapterTensors.moved(change.magnitude(), 1, rows), change.out());
        });
        Files.createDirectories(folder);
        writer.write(folder.resolve(TENSORS));
        var json = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
        Files.writeString(folder.resolve(CONFIG), json.writeValueAsString(config(modules, base, baseName)) + "\n");
    }

    private static void add(SafetensorsWriter writer, String name, float[] values, int... dims) {
        writer.tensor(new TensorInfo(name, DType.F32, new Shape(dims)), TensorData.of(MemorySegment.ofArray(values)));
    }

    /** The keys in the order of the alphabet, as PEFT has them. */
    private static ObjectNode config(Map<String, LowRank> modules, AdapterBase base, String baseName) {
        var first = modules.values().iterator().next();
        var config = JsonMapper.shared().createObjectNode();
        var alphas = config.putObject("alpha_pattern");
        float alpha = alpha(first);
        modules.forEach((module, change) -> { if (alpha(change) != alpha) put(alphas, module, alpha(change)); });
        config.putNull("auto_mapping").put("base_model_name_or_path", baseName).put("bias", "none").put("fan_in_fan_out", base.layout().transposed())
            .put("inference_mode", true).put("init_lora_weights", true).putNull("layers_pattern").putNull("layers_to_transform");
        put(config, "lora_alpha", alpha);
        config.put("lora_dropout", 0.0).putNull("modules_to_save").put("peft_type", "LORA").put("r", first.rank());
        var ranks = config.putObject("rank_pattern");
        modules.forEach((module, change) -> { if (change.rank() != first.rank()) ranks.put(module, change.rank()); });
        config.putNull("revision");
        targets(modules, base).forEach(config.putArray("target_modules")::add);
        return config.put("task_type", "CAUSAL_LM").put("use_dora", first.magnitude() != null).put("use_rslora", false);
    }

    /* Rounded to what a scale in single precision tells of it, so that 16 does not become 15.999999. */
    private static float alpha(LowRank change) {
        float alpha = change.scale() * change.rank(), whole = Math.round(alpha);
        return Math.abs(alpha - whole) < 1e-5f * Math.abs(alpha) ? whole : alpha;
    }

    private static void put(ObjectNode object, String key, float value) {
        if (value == Math.rint(value)) object.put(key, (long) value);
        else object.put(key, value);
    }

    /** Names of kinds of modules where all layers have the same; otherwise every module by its whole name. */
    private static Collection<String> targets(Map<String, LowRank> modules, AdapterBase base) {
        var kinds = new TreeMap<String, Integer>();
        var outside = new TreeSet<String>();
        for (var entry : modules.entrySet()) {
            var parts = entry.getValue().linear().split("\\.", 3);
            if (parts[0].equals("blk")) kinds.merge(parts[2], 1, Integer::sum);
            else outside.add(entry.getKey());
        }
        int layers = base.metadata().integer(base.architecture() + ".block_count");
        if (kinds.values().stream().anyMatch(count -> count != layers)) return modules.keySet();
        var named = base.layout().names().inLayers().entrySet().stream().filter(entry -> kinds.containsKey(entry.getValue())).map(Map.Entry::getKey).collect(Collectors.toSet());
        var targets = new TreeSet<>(outside);
        for (var name : named) {
            var last = name.substring(name.lastIndexOf('.') + 1);
            boolean alone = base.layout().names().inLayers().keySet().stream().noneMatch(other -> !named.contains(other) && (other.equals(last) || other.endsWith("." + last)));
            targets.add(alone ? last : name);
        }
        return targets;
    }
}
