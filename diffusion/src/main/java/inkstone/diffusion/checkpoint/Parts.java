package inkstone.diffusion.checkpoint;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.tensor.checkpoint.Safetensors;
import inkstone.transformer.HuggingFaceJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Where the networks of a model are, each seen under the names that models ask for.
 *
 * @param convolutional whether the UNet's transformers begin with convolutions
 * @param config        of a folder: keys of each component's config.json behind its name
 * @param markers       tensors that only say something by their presence
 * @param others        tensors of a single file that are in none of the networks
 */
record Parts(NetworkFile unet, NetworkFile autoencoder, List<NetworkFile> texts, boolean convolutional, Metadata config, Set<String> markers, List<String> others) implements AutoCloseable {
    private static final String UNET = "model.diffusion_model.", AUTOENCODER = "first_stage_model.", FIRST = "input_blocks.0.0.weight", FIRST_OF_DIFFUSERS = "conv_in.weight";
    /** Beginnings of names of text encoders, and whether what follows is named as in OpenCLIP. */
    private static final Map<String, Boolean> FIRST_TEXT = Map.of("cond_stage_model.transformer.", false, "cond_stage_model.model.", true, "conditioner.embedders.0.transformer.", false,
        "conditioner.embedders.0.model.", true), SECOND_TEXT = Map.of("conditioner.embedders.1.model.", true, "conditioner.embedders.1.transformer.", false);
    private static final Set<String> MARKERS = Set.of("v_pred", "ztsnr");
    /** Averages of training, tables that follow from the schedule, losses, positions of tokens, temperatures of contrastive training. */
    private static final Pattern USELESS = Pattern.compile("model_ema\\..*|(sqrt_|log_|posterior_)?.*(alphas_cumprod.*|betas?|lvlb_weights|posterior_.*)|denoiser\\.sigmas|.*loss\\..*|.*position_ids"
        + "|(.*\\.)?logit_scale|logvar|embedding_manager\\..*|v_pred|ztsnr");
    /** Tensors that only models of other kinds have. */
    private static final Map<String, String> OTHERS = new TreeMap<>(Map.of("joint_blocks.0.", "Stable Diffusion 3", "double_blocks.0.", "FLUX", "input_hint_block.0.", "a ControlNet",
        "lora_unet_", "a LoRA; give it with a model, as LoRA", ".lora_", "a LoRA; give it with a model, as LoRA", "down_blocks.0.0.channelwise", "Stable Cascade",
        "transformer_blocks.0.attn.add_k_proj", "a diffusion transformer (Stable Diffusion 3 or FLUX) of diffusers", "blocks.0.cross_attn", "a transformer for video or PixArt",
        "blk.0.attn_norm", "a language model", "model.layers.0.self_attn", "a language model"));

    static boolean isUseless(String name) { return USELESS.matcher(name).matches() || PartNames.isTakenApart(name); }

    static Parts find(Path path, Companions companions) throws IOException {
        if (!Files.exists(path)) throw new ModelException("%s does not exist".formatted(path));
        var opened = new ArrayList<NetworkFile>();
        try {
            return Files.isDirectory(path) ? folder(path, companions, opened) : file(path, companions, opened);
        } catch (IOException | RuntimeException e) {
            opened.forEach(NetworkFile::close);
            throw e;
        }
    }

    // ---- a single file -------------------------------------------------------------------------------------------------------------------------------

    private static Parts file(Path path, Companions companions, List<NetworkFile> opened) throws IOException {
        var names = new HashSet<String>();
        var fourAxes = new HashSet<String>();
        try (Checkpoint all = path.toString().endsWith(".gguf") ? Gguf.open(path) : Safetensors.open(path)) {
            names.addAll(all.tensors().keySet());
            names.addAll(all.unsupported().keySet());
            all.tensors().values().forEach(info -> { if (info.shape().rank() == 4) fourAxes.add(info.name()); });
        }
        var prefix = names.contains(UNET + FIRST) ? UNET : names.contains(FIRST) ? "" : null;
        boolean diffusers = prefix == null && names.contains(FIRST_OF_DIFFUSERS) && names.contains("down_blocks.0.resnets.0.conv1.weight") && names.contains("time_embedding.linear_1.weight");
        if (prefix == null && !diffusers) throw new ModelException("%s is %s".formatted(path, otherKind(names)));
        if (names.stream().anyMatch(name -> name.contains("input_hint_block."))) throw new ModelException("%s is a ControlNet, which is not supported; use a text-to-image model".formatted(path));
        var unet = diffusers ? unet(path, names, opened) : part(path, prefix, UnaryOperator.identity(), opened);
        var autoencoder = companions.autoencoder() != null ? autoencoder(companions.autoencoder(), opened) : part(path, AUTOENCODER, UnaryOperator.identity(), opened);
        var texts = new ArrayList<NetworkFile>();
        for (var path2 : companions.texts()) texts.add(text(path2, opened));
        for (var prefixes : List.of(FIRST_TEXT, SECOND_TEXT)) {
            if (!companions.texts().isEmpty()) break;
            var found = prefixes.keySet().stream().filter(beginning -> names.stream().anyMatch(name -> name.startsWith(beginning))).findFirst();
            if (found.isEmpty()) break;
            texts.add(part(path, found.get(), prefixes.get(found.get()) ? PartNames::text : Parts::completed, opened));
        }
        var others = new ArrayList<String>();
        for (var name : names) if (!isUseless(name) && !isPart(name, prefix == null || prefix.isEmpty())) others.add(name);
        others.sort(null);
        return new Parts(unet, autoencoder, List.copyOf(texts), fourAxes.stream().anyMatch(name -> name.endsWith(".proj_in.weight")), new Metadata(path.toString(), Map.of()), found(names), others);
    }

    private static boolean isPart(String name, boolean unetAlone) {
        if (unetAlone || name.startsWith(UNET) || name.startsWith(AUTOENCODER)) return true;
        return FIRST_TEXT.keySet().stream().anyMatch(name::startsWith) || SECOND_TEXT.keySet().stream().anyMatch(name::startsWith);
    }

    private static Set<String> found(Collection<String> names) {
        var found = new HashSet<>(MARKERS);
        found.retainAll(names);
        return found;
    }

    /** Old files name parts of a text encoder without "text_model.". */
    private static String completed(String name) { return name.startsWith("text_model.") || name.startsWith("text_projection") ? name : "text_model." + name; }

    private static String otherKind(Collection<String> names) {
        for (var other : OTHERS.entrySet()) {
            if (names.stream().anyMatch(name -> name.contains(other.getKey()))) return "%s, not a Stable Diffusion 1, 2 or XL model, which are supported".formatted(other.getValue());
        }
        if (names.stream().anyMatch(name -> name.contains("decoder.conv_in.weight"))) return "an autoencoder alone; give it beside a model";
        return "no model for pictures that is known here (Stable Diffusion 1, 2 and XL are); it has tensors such as " + ImageCheckpoint.listed(names.stream().sorted().limit(3).toList());
    }

    // ---- a folder of diffusers -----------------------------------------------------------------------------------------------------------------------

    private static Parts folder(Path path, Companions companions, List<NetworkFile> opened) throws IOException {
        var index = HuggingFaceJson.read(path.resolve("model_index.json"));
        var pipeline = index.string("_class_name", "");
        if (!pipeline.matches("(StableDiffusion(XL)?|LatentConsistencyModel)(Img2Img|Inpaint)?Pipeline")) {
            throw new ModelException("%s is made for %s of diffusers; StableDiffusionPipeline, StableDiffusionXLPipeline and LatentConsistencyModelPipeline are supported".formatted(path, pipeline));
        }
        var config = new LinkedHashMap<String, Object>();
        for (var part : List.of("unet", "vae", "text_encoder", "text_encoder_2")) configured(path.resolve(part).resolve("config.json"), part, config);
        configured(path.resolve("scheduler").resolve("scheduler_config.json"), "scheduler", config);
        var weights = weights(path.resolve("unet"));
        var names = new HashSet<String>();
        boolean convolutional;
        try (var all = Safetensors.open(weights)) {
            names.addAll(all.tensors().keySet());
            convolutional = all.tensors().values().stream().anyMatch(info -> info.name().endsWith(".proj_in.weight") && info.shape().rank() == 4);
        }
        var unet = unet(weights, names, opened);
        var autoencoder = autoencoder(companions.autoencoder() != null ? companions.autoencoder() : weights(path.resolve("vae")), opened);
        var texts = new ArrayList<NetworkFile>();
        for (var own : companions.texts()) texts.add(text(own, opened));
        for (var part : List.of("text_encoder", "text_encoder_2")) {
            if (companions.texts().isEmpty() && Files.isDirectory(path.resolve(part))) texts.add(text(weights(path.resolve(part)), opened));
        }
        return new Parts(unet, autoencoder, List.copyOf(texts), convolutional, new Metadata(path.toString(), config), Set.of(), List.of());
    }

    private static void configured(Path file, String part, Map<String, Object> config) throws IOException {
        if (!Files.exists(file)) return;
        HuggingFaceJson.read(file).values().forEach((key, value) -> config.put(part + "." + key, value));
    }

    /** The weights in a component's folder: whole before shards, those of full precision before others. */
    private static Path weights(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) throw new ModelException("%s does not exist; download the whole model".formatted(folder));
        Optional<Path> found;
        boolean pickled;
        try (var files = Files.list(folder)) {
            var all = files.map(file -> file.getFileName().toString()).sorted((a, b) -> a.length() != b.length() ? a.length() - b.length() : a.compareTo(b)).toList();
            var whole = all.stream().filter(name -> name.endsWith(".safetensors") && !name.matches(".*-\\d+-of-\\d+\\.safetensors") && !name.contains("non_ema"));
            var shards = all.stream().filter(name -> name.matches(".*\\.safetensors\\.index(\\.\\w+)?\\.json"));
            found = Stream.concat(whole, shards).findFirst().map(folder::resolve);
            pickled = all.stream().anyMatch(name -> name.endsWith(".bin"));
        }
        return found.orElseThrow(() -> new ModelException("%s has no safetensors%s".formatted(folder, pickled ? "; its .bin is a Python pickle, which can run any program and is not read" : "")));
    }

    // ---- parts ---------------------------------------------------------------------------------------------------------------------------------------

    /** What begins with {@code prefix}, without it. */
    private static NetworkFile part(Path path, String prefix, UnaryOperator<String> names, List<NetworkFile> opened) throws IOException {
        UnaryOperator<String> seen = name -> name.startsWith(prefix) ? names.apply(name.substring(prefix.length())) : "\0" + name;
        return kept(NetworkFile.open(path, seen, name -> name.startsWith("\0"), PartNames::apart), opened);
    }

    private static NetworkFile unet(Path path, Collection<String> names, List<NetworkFile> opened) throws IOException {
        return kept(NetworkFile.open(path, UNetNames.ofDiffusers(names)::compVis, _ -> false, _ -> Map.of()), opened);
    }

    /** An autoencoder by itself, with names of CompVis or diffusers. */
    private static NetworkFile autoencoder(Path path, List<NetworkFile> opened) throws IOException {
        int levels;
        try (var all = Safetensors.open(path)) {
            levels = (int) all.tensors().keySet().stream().filter(name -> name.matches("decoder\\.up_blocks\\.\\d+\\.resnets\\.0\\.conv1\\.weight")).count();
        }
        UnaryOperator<String> names = name -> PartNames.autoencoder(name.startsWith(AUTOENCODER) ? name.substring(AUTOENCODER.length()) : name, levels);
        return kept(NetworkFile.open(path, names, _ -> false, _ -> Map.of()), opened);
    }

    /** A text encoder by itself, with names of Hugging Face or OpenCLIP. */
    private static NetworkFile text(Path path, List<NetworkFile> opened) throws IOException {
        return kept(NetworkFile.open(path, PartNames::text, _ -> false, PartNames::apart), opened);
    }

    private static NetworkFile kept(NetworkFile file, List<NetworkFile> opened) {
        opened.add(file);
        return file;
    }

    @Override public void close() {
        unet.close();
        autoencoder.close();
        texts.forEach(NetworkFile::close);
    }
}
