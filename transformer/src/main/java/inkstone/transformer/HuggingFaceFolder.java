package inkstone.transformer;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Arranged;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.tensor.checkpoint.Safetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A model's folder as Hugging Face publishes it (config.json and safetensors), seen as the GGUF file it would be. Closing it closes the files.
 *
 * @param config of the text model, where the model also sees or hears: what those senses need is passed over
 */
record HuggingFaceFolder<F extends HuggingFaceFamily>(Path directory, Metadata config, F family, HuggingFaceModel model, Arranged file) implements AutoCloseable {
    /** Models with a text model of a known kind inside, by its model_type. */
    private static final Map<String, String> TEXT_MODELS = Map.of("gemma3_text", "Gemma3ForCausalLM", "mistral", "MistralForCausalLM", "llama", "LlamaForCausalLM");
    private static final List<String> WITH_OTHER_SENSES = List.of("Gemma3ForConditionalGeneration", "Mistral3ForConditionalGeneration", "LlavaForConditionalGeneration");
    private static final Pattern OTHER_SENSES = Pattern.compile("(model\\.)?(vision_tower|vision_model|multi_modal_projector)\\..*");
    private static final String POOLING = "1_Pooling";

    /** @throws ModelException where the folder lacks a part, or none of the families knows its model; the message says which are known */
    static <F extends HuggingFaceFamily> HuggingFaceFolder<F> open(Path directory, Collection<F> families) throws IOException {
        var config = config(directory);
        var family = family(config, families);
        requireReadable(config);
        var model = described(config, family);
        var safetensors = Safetensors.open(directory);
        try {
            var folder = new HuggingFaceFolder<>(directory, config, family, model, Arranged.of(safetensors, view(config, family, model)));
            folder.requireHead();
            return folder;
        } catch (RuntimeException e) {
            safetensors.close();
            throw e;
        }
    }

    /** Which of the families, if any, knows the model of the folder. */
    static <F extends HuggingFaceFamily> Optional<F> familyOf(Path directory, Collection<F> families) throws IOException {
        var named = HuggingFaceJson.read(directory.resolve("config.json")).values().get("architectures");
        return named instanceof List<?> architectures ? families.stream().filter(family -> architectures.stream().anyMatch(family.huggingFaceArchitectures()::contains)).findFirst()
            : Optional.empty();
    }

    // ---- config.json -----------------------------------------------------------------------------------------------------------------------------------

    private static Metadata config(Path directory) throws IOException {
        var config = HuggingFaceJson.read(directory.resolve("config.json"));
        var values = new LinkedHashMap<>(config.values());
        if (hasOtherSenses(config)) config.values().forEach((key, value) -> { if (key.startsWith("text_config.")) values.put(key.substring("text_config.".length()), value); });
        var pooling = directory.resolve(POOLING).resolve("config.json");
        if (Files.exists(pooling)) HuggingFaceJson.read(pooling).values().forEach((key, value) -> values.put(POOLING + "." + key, value));
        if (Files.exists(directory.resolve("2_Dense"))) throw new ModelException("%s: models with a layer behind the pooling (2_Dense) are not supported".formatted(directory));
        rotation(values);
        return new Metadata(config.source(), values);
    }

    /** What transformers 5 writes as rope_parameters, under the names of before; of models with two kinds of layers, that of those that see all. */
    private static void rotation(Map<String, Object> values) {
        for (var prefix : List.of("rope_parameters.", "rope_parameters.full_attention.")) {
            for (var key : List.copyOf(values.keySet())) {
                if (!key.startsWith(prefix) || key.indexOf('.', prefix.length()) >= 0) continue;
                var name = key.substring(prefix.length());
                boolean alone = name.equals("rope_theta") || name.equals("partial_rotary_factor") || name.equals("original_max_position_embeddings");
                if (alone) values.putIfAbsent(name, values.get(key));
                values.putIfAbsent("rope_scaling." + name, values.get(key));
            }
        }
        if (values.containsKey("rope_parameters.sliding_attention.rope_theta")) values.putIfAbsent("rope_local_base_freq", values.get("rope_parameters.sliding_attention.rope_theta"));
        values.keySet().removeIf(key -> key.startsWith("rope_parameters."));
    }

    private static boolean hasOtherSenses(Metadata config) {
        return config.values().get("architectures") instanceof List<?> architectures && architectures.stream().anyMatch(WITH_OTHER_SENSES::contains);
    }

    private static <F extends HuggingFaceFamily> F family(Metadata config, Collection<F> families) {
        var named = config.strings("architectures");
        var architectures = hasOtherSenses(config) ? List.of(TEXT_MODELS.getOrDefault(config.string("text_config.model_type", ""), String.join(", ", named))) : named;
        return families.stream().filter(family -> architectures.stream().anyMatch(family.huggingFaceArchitectures()::contains)).findFirst()
            .orElseThrow(() -> Models.unknown("folders", config.source(), String.join(", ", architectures),
                families.stream().flatMap(family -> family.huggingFaceArchitectures().stream()).sorted().toList()));
    }

    private static HuggingFaceModel described(Metadata config, HuggingFaceFamily family) {
        try {
            var model = family.fromHuggingFace(config);
            boolean pools = config.values().keySet().stream().anyMatch(key -> key.startsWith(POOLING + "."));
            return pools ? model.with(family.architecture() + ".pooling_type", Pooling.ofHuggingFace(config).ggufType()) : model;
        } catch (ArithmeticException | IllegalArgumentException e) {
            throw new ModelException("%s: sizes do not fit together: %s".formatted(config.source(), e.getMessage()), e);
        }
    }

    /** Throws where the weights are in a quantized format that is not read. */
    private static void requireReadable(Metadata config) {
        var method = config.string("quantization_config.quant_method", config.has("quantization_config.load_in_4bit") ? "bitsandbytes" : "");
        if (method.isEmpty() || method.equals("mxfp4") || method.equals("fp8") && tile(config, 0) > 0) return;
        throw new ModelException("%s: the weights are quantized with %s, which is not read; use the folder of the same model in BF16 or F16, or a GGUF file of it in Q4_K_M or Q8_0"
            .formatted(config.source(), method.equals("fp8") ? "fp8 without weight_block_size" : method));
    }

    /** Rows (0) or columns (1) that share a scale in weights of eight bits, 0 where there are none. */
    private static int tile(Metadata config, int axis) {
        if (!(config.values().get("quantization_config.weight_block_size") instanceof List<?> tile)) return 0;
        if (tile.size() == 2 && tile.get(axis) instanceof Long size && size > 0 && size <= 1 << 16) return (int) (long) size;
        throw new ModelException("%s: weight_block_size should be two sizes, found %s".formatted(config.source(), tile));
    }

    // ---- tensors ---------------------------------------------------------------------------------------------------------------------------------------

    private static Arranged.View view(Metadata config, HuggingFaceFamily family, HuggingFaceModel model) {
        boolean senses = hasOtherSenses(config), tied = config.bool("tie_word_embeddings", false);
        var keys = new LinkedHashMap<String, Object>();
        keys.put("general.architecture", family.architecture());
        model.metadata().forEach((key, value) -> keys.put(key, switch (value) {
            case Integer integer -> (long) integer;
            case Float number -> (double) number;
            default -> value;
        }));
        if (model.halved() != null) keys.put(family.architecture() + DecoderConfig.ROPE_PAIRS, "halves");
        return new Arranged.View(keys, name -> model.names().apply(senses ? textName(name) : name),
            name -> model.unused().test(name) || senses && OTHER_SENSES.matcher(name).matches() || tied && name.equals("output.weight"),
            held -> {
                var arrangements = new Arrangements(config.source(), held);
                try {
                    model.arrangements().accept(arrangements);
                } catch (IllegalArgumentException | ArithmeticException e) {
                    throw new ModelException("%s: sizes do not fit together: %s".formatted(config.source(), e.getMessage()), e);
                }
                return arrangements.made();
            }, model.vectors(), tile(config, 0), tile(config, 1));
    }

    /** language_model.model.layers.0, or model.language_model.layers.0 as transformers has it from 4.52 on -> model.layers.0 */
    static String textName(String name) {
        if (name.startsWith("language_model.")) return name.substring("language_model.".length());
        return name.startsWith("model.language_model.") ? "model." + name.substring("model.language_model.".length()) : name;
    }

    /** Embeddings must not take the place of a head that is lost. */
    private void requireHead() {
        if (!(family instanceof Family) || config.bool("tie_word_embeddings", true) || file.tensors().containsKey("output.weight")) return;
        throw new ModelException("%s says that the head is not the embeddings (tie_word_embeddings), but the folder has no tensor for it; download the whole model"
            .formatted(config.source()));
    }

    @Override public void close() { file.close(); }
}
