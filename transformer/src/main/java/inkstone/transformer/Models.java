package inkstone.transformer;

import inkstone.tensor.Backend;
import inkstone.tensor.CountingBackend;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Arranged;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.TensorInfo;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.Tokenizers;
import inkstone.tokenizer.template.ChatTemplate;
import inkstone.tokenizer.template.JinjaTemplate;
import inkstone.transformer.apertus.ApertusFamily;
import inkstone.transformer.arcee.ArceeFamily;
import inkstone.transformer.bert.BertFamily;
import inkstone.transformer.cohere.CommandRFamily;
import inkstone.transformer.deci.DeciFamily;
import inkstone.transformer.deepseek2.Deepseek2Family;
import inkstone.transformer.deepseekmoe.DeepseekMoeFamily;
import inkstone.transformer.exaone.Exaone4Family;
import inkstone.transformer.falcon.FalconFamily;
import inkstone.transformer.falconh1.FalconH1Family;
import inkstone.transformer.gemma.GemmaFamily;
import inkstone.transformer.gemma2.Gemma2Family;
import inkstone.transformer.gemma3.Gemma3Family;
import inkstone.transformer.gemma4.Gemma4Family;
import inkstone.transformer.glm4.Glm4Family;
import inkstone.transformer.gpt2.Gpt2Family;
import inkstone.transformer.gpt2.StarCoderFamily;
import inkstone.transformer.gptneox.GptNeoxFamily;
import inkstone.transformer.gptoss.GptOssFamily;
import inkstone.transformer.granite.GraniteFamily;
import inkstone.transformer.granite.GraniteHybridFamily;
import inkstone.transformer.hunyuan.HunyuanFamily;
import inkstone.transformer.lfm2.Lfm2Family;
import inkstone.transformer.llama.LlamaFamily;
import inkstone.transformer.llama.LlamaShapedFamily;
import inkstone.transformer.llama4.Llama4Family;
import inkstone.transformer.mamba.MambaFamily;
import inkstone.transformer.mamba2.Mamba2Family;
import inkstone.transformer.mistral3.Mistral3Family;
import inkstone.transformer.nemotron.NemotronFamily;
import inkstone.transformer.nomicbert.NomicBertFamily;
import inkstone.transformer.olmo2.Olmo2Family;
import inkstone.transformer.olmoe.OlmoeFamily;
import inkstone.transformer.openelm.OpenElmFamily;
import inkstone.transformer.phi2.Phi2Family;
import inkstone.transformer.phi3.Phi3Family;
import inkstone.transformer.plamo.PlamoFamily;
import inkstone.transformer.qwen2.Qwen2Family;
import inkstone.transformer.qwen2.Qwen2MoeFamily;
import inkstone.transformer.qwen2.Qwen2VlFamily;
import inkstone.transformer.qwen3.Qwen3Family;
import inkstone.transformer.qwen3next.Qwen3NextFamily;
import inkstone.transformer.rwkv7.Rwkv7Family;
import inkstone.transformer.seedoss.SeedOssFamily;
import inkstone.transformer.smollm3.SmolLm3Family;
import inkstone.transformer.stablelm.StableLmFamily;
import inkstone.transformer.starcoder2.StarCoder2Family;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/** Opens language models of every family known here: GGUF files, and directories with safetensors, config.json and tokenizer.json. */
public final class Models {
    private static final List<Family> FAMILIES = List.of(
        new LlamaFamily(), new Qwen2Family(), new Qwen3Family("qwen3"), new Qwen3Family("qwen3moe"), new Phi3Family(), new Gpt2Family(),
        new Gemma2Family(), new Gemma3Family(), new StableLmFamily("stablelm"), new StableLmFamily("orion"), new Phi2Family(), new FalconFamily(), new GraniteFamily("granite"),
        new GraniteFamily("granitemoe"), new GptOssFamily(), new Olmo2Family(), new SmolLm3Family(), new GptNeoxFamily(),
        new CommandRFamily("command-r"), new CommandRFamily("cohere2"), new Deepseek2Family(), new MambaFamily(), new Rwkv7Family(),
        new GemmaFamily(), new Qwen2MoeFamily(), new OlmoeFamily(), new LlamaShapedFamily("internlm2", Rope.Pairs.INTERLEAVED), new StarCoder2Family("starcoder2"), new StarCoder2Family("codeshell"), new StarCoderFamily(),
        new Glm4Family("chatglm"), new Glm4Family("glm4"), new LlamaShapedFamily("exaone", Rope.Pairs.HALVES), new Exaone4Family(), new NemotronFamily(),
        new GraniteFamily("minicpm"), new ArceeFamily(), new SeedOssFamily(), new LlamaShapedFamily("ernie4_5", Rope.Pairs.INTERLEAVED),
        new LlamaShapedFamily("baichuan", Rope.Pairs.INTERLEAVED), new LlamaShapedFamily("xverse", Rope.Pairs.INTERLEAVED),
        new DeepseekMoeFamily("deepseek", Rope.Pairs.INTERLEAVED, "ffn_norm", Routing.Scoring.SOFTMAX, false),
        new DeepseekMoeFamily("dots1", Rope.Pairs.HALVES, "ffn_norm", Routing.Scoring.SIGMOID, false),
        new DeepseekMoeFamily("bailingmoe", Rope.Pairs.INTERLEAVED, "ffn_norm", Routing.Scoring.SOFTMAX, false),
        new DeepseekMoeFamily("glm4moe", Rope.Pairs.HALVES, "post_attention_norm", Routing.Scoring.SIGMOID, false),
        new DeepseekMoeFamily("ernie4_5-moe", Rope.Pairs.INTERLEAVED, "ffn_norm", Routing.Scoring.SOFTMAX, true),
        new DeepseekMoeFamily("bailingmoe2", Rope.Pairs.HALVES, "ffn_norm", Routing.Scoring.SIGMOID, false), new ApertusFamily(), new HunyuanFamily("hunyuan-dense"),
        new HunyuanFamily("hunyuan-moe"), new Llama4Family(), new Mistral3Family(), new PlamoFamily(), new Qwen2VlFamily(), new Qwen3Family("qwen3vl"), new Qwen3Family("qwen3vlmoe"),
        new Lfm2Family("lfm2"), new Lfm2Family("lfm2moe"), new Gemma4Family(),
        new Mamba2Family(), new FalconH1Family(), new GraniteHybridFamily(), new OpenElmFamily(), new DeciFamily(), new Qwen3NextFamily("qwen3next"),
        new Qwen3NextFamily("qwen35"), new Qwen3NextFamily("qwen35moe"));
    private static final List<EmbeddingFamily> EMBEDDING_FAMILIES = List.of(new BertFamily(), new NomicBertFamily());

    private static final UnaryOperator<Weights> AS_THEY_ARE = UnaryOperator.identity();

    private Models() {}

    /**
     * A model ready to be used. Names, shapes and memory are checked here; the weights are mapped and read when first used. Closing the model closes the file; the
     * backend stays its owner's and must outlive it.
     *
     * @throws ModelException where the file is not a model that can run here; the message says why
     */
    public static LanguageModel open(Path path, Backend backend) throws IOException { return open(path, backend, AS_THEY_ARE); }

    /**
     * A model whose parameters go through a decorator: to be trained.
     *
     * @throws ModelException as {@link #open}
     */
    public static LanguageModel open(Path path, Backend backend, UnaryOperator<Weights> decorator) throws IOException {
        requireExists(path);
        return Files.isDirectory(path) ? openDirectory(path, backend, decorator) : openGguf(path, backend, decorator);
    }

    private static void requireExists(Path path) {
        Tokenizers.prepare();
        if (!Files.exists(path)) throw new ModelException("%s does not exist; give a GGUF file or a model's directory".formatted(path));
    }

    /**
     * Whichever of the two a file holds: a model that writes, as {@link #open} reads it, or one that makes vectors only, as {@link #openEmbedder} does.
     *
     * @throws ModelException where the file is neither
     */
    public static TextModel openAny(Path path, Backend backend) throws IOException { return isEncoder(path) ? openEmbedder(path, backend) : open(path, backend); }

    /** What is told of a file, and of the model in it. */
    interface Measure<R> {
        /** @param model makes the model of weights that have no memory; null of an encoder */
        R of(Checkpoint checkpoint, Function<CountingBackend, CausalModel> model);
    }

    /** Looks at a file or folder without reading its weights. */
    static <R> R measured(Path path, Measure<R> measure) throws IOException {
        if (!Files.isDirectory(path)) {
            requireExists(path);
            try (var file = Gguf.open(path)) {
                var architecture = file.metadata().string("general.architecture");
                return measure.of(file, backend -> isEncoder(architecture) ? null : family(architecture, path).fromGguf(file, CheckpointWeights.unread(file, backend), backend));
            }
        }
        if (isEncoder(path)) {
            try (var file = HuggingFaceFolder.open(path, EMBEDDING_FAMILIES).file()) { return measure.of(file, _ -> null); }
        }
        var folder = HuggingFaceFolder.open(path, FAMILIES);
        try (var file = folder.file()) { return measure.of(file, backend -> folder.family().fromGguf(file, CheckpointWeights.unread(file, backend), backend)); }
    }

    private static boolean isEncoder(Path path) throws IOException {
        requireExists(path);
        if (Files.isDirectory(path)) return HuggingFaceFolder.familyOf(path, EMBEDDING_FAMILIES).isPresent();
        try (var file = Gguf.open(path)) { return isEncoder(file.metadata().string("general.architecture")); }
    }

    private static boolean isEncoder(String architecture) { return EMBEDDING_FAMILIES.stream().anyMatch(family -> family.architecture().equals(architecture)); }

    private static LanguageModel openGguf(Path path, Backend backend, UnaryOperator<Weights> decorator) throws IOException {
        var opened = new Opened(Gguf.open(path));
        try {
            var metadata = opened.checkpoint.metadata();
            var family = family(metadata.string("general.architecture"), path);
            opened.makeRoom(backend, decorator == AS_THEY_ARE);
            opened.weights = new CheckpointWeights(opened.checkpoint, backend, decorator);
            var model = family.fromGguf(opened.checkpoint, opened.weights, backend);
            opened.tokenizer = Tokenizers.fromGguf(metadata);
            return opened.languageModel(name(path), model, opened.adapterBase(family, false, backend), backend,
                metadata.string("tokenizer.chat_template", null), Pooling.ofGguf(metadata, family.architecture()));
        } catch (RuntimeException e) {
            opened.close();
            throw e;
        }
    }

    /**
     * A model that makes vectors of texts; otherwise as {@link #open}.
     *
     * @throws ModelException where the file is not such a model
     */
    public static Embedder openEmbedder(Path path, Backend backend) throws IOException {
        requireExists(path);
        if (Files.isDirectory(path)) return openEmbedderDirectory(path, backend);
        var opened = new Opened(Gguf.open(path));
        try {
            var metadata = opened.checkpoint.metadata();
            var architecture = metadata.string("general.architecture");
            var family = EMBEDDING_FAMILIES.stream().filter(known -> known.architecture().equals(architecture)).findFirst()
                .orElseThrow(() -> unknown("embedding models", path.toString(), architecture, EMBEDDING_FAMILIES.stream().map(EmbeddingFamily::architecture).toList()));
            opened.makeRoom(backend, true);
            opened.weights = new CheckpointWeights(opened.checkpoint, backend);
            var model = family.fromGguf(opened.checkpoint, opened.weights, backend);
            opened.tokenizer = Tokenizers.fromGguf(metadata);
            return opened.embedder(name(path), model, backend, Pooling.ofGguf(metadata, architecture));
        } catch (RuntimeException e) {
            opened.close();
            throw e;
        }
    }

    private static Embedder openEmbedderDirectory(Path directory, Backend backend) throws IOException {
        var folder = HuggingFaceFolder.open(directory, EMBEDDING_FAMILIES);
        var opened = new Opened(folder.file());
        try {
            requireMemory(folder.file());
            opened.makeRoom(backend, true);
            opened.weights = new CheckpointWeights(opened.checkpoint, backend);
            var model = folder.family().fromGguf(opened.checkpoint, opened.weights, backend);
            opened.tokenizer = Tokenizers.fromJson(directory);
            return opened.embedder(name(directory), model, backend, Pooling.ofGguf(opened.checkpoint.metadata(), folder.family().architecture()));
        } catch (IOException | RuntimeException e) {
            opened.close();
            throw e;
        }
    }

    private static LanguageModel openDirectory(Path directory, Backend backend, UnaryOperator<Weights> decorator) throws IOException {
        HuggingFaceFolder.familyOf(directory, EMBEDDING_FAMILIES).ifPresent(family -> { throw onlyEmbeds(family.architecture(), directory); });
        var folder = HuggingFaceFolder.open(directory, FAMILIES);
        var opened = new Opened(folder.file());
        try {
            requireMemory(folder.file());
            opened.makeRoom(backend, decorator == AS_THEY_ARE);
            opened.weights = new CheckpointWeights(opened.checkpoint, backend, decorator);
            var model = folder.family().fromGguf(opened.checkpoint, opened.weights, backend);
            opened.tokenizer = Tokenizers.fromJson(directory);
            return opened.languageModel(name(directory), model, opened.adapterBase(folder.family(), true, backend), backend,
                chatTemplate(directory), Pooling.ofGguf(opened.checkpoint.metadata(), folder.family().architecture()));
        } catch (IOException | RuntimeException e) {
            opened.close();
            throw e;
        }
    }

    // ---- families --------------------------------------------------------------------------------------------------------------------------------------

    static Family family(String architecture, Path path) {
        if (isEncoder(architecture)) throw onlyEmbeds(architecture, path);
        return FAMILIES.stream().filter(family -> family.architecture().equals(architecture)).findFirst()
            .orElseThrow(() -> unknown("models", path.toString(), architecture, FAMILIES.stream().map(Family::architecture).toList()));
    }

    private static ModelException onlyEmbeds(String architecture, Path path) {
        return new ModelException("%s: a model of architecture \"%s\" makes vectors of texts and cannot write; use it with serve or embed".formatted(path, architecture));
    }

    /** All whose folders are read. */
    static List<HuggingFaceFamily> huggingFaceFamilies() { return Stream.<HuggingFaceFamily>concat(FAMILIES.stream(), EMBEDDING_FAMILIES.stream()).toList(); }

    /** Experts stored one by one, and other tensors that must be put together, are copied: their memory is not the file's. */
    private static void requireMemory(Arranged file) {
        MachineMemory.require(file.madeBytes(), file.metadata().source() + ": what must be put together of its tensors", "a GGUF file, which the convert command makes of the folder");
    }

    static ModelException unknown(String kind, String source, String architecture, Collection<String> known) {
        return new ModelException("%s: %s of architecture \"%s\" are not supported; supported are: %s"
            .formatted(source, kind, architecture, String.join(", ", known)));
    }

    // ---- what comes with the weights -------------------------------------------------------------------------------------------------------------------

    /** The text of a directory's chat template, null where it has none; of several the one called default. */
    public static String chatTemplate(Path directory) throws IOException {
        if (Files.exists(directory.resolve("chat_template.jinja"))) return Files.readString(directory.resolve("chat_template.jinja"));
        if (!Files.exists(directory.resolve("tokenizer_config.json"))) return null;
        var config = HuggingFaceJson.read(directory.resolve("tokenizer_config.json"));
        if (!(config.values().get("chat_template") instanceof List<?> templates)) return config.string("chat_template", null);
        for (var template : templates) {
            if (template instanceof Map<?, ?> named && "default".equals(named.get("name")) && named.get("template") instanceof String text) return text;
        }
        return null;
    }

    static String name(Path path) {
        var name = path.toAbsolutePath().normalize().getFileName().toString();
        return (name.endsWith(".gguf") ? name.substring(0, name.length() - 5) : name).replaceFirst("-\\d{5}-of-\\d{5}$", "");
    }

    /** The format that most weights are in. */
    static String format(Collection<TensorInfo> tensors) {
        var elements = new EnumMap<DType, Long>(DType.class);
        for (var tensor : tensors) elements.merge(tensor.dtype(), tensor.shape().elements(), Long::sum);
        return elements.entrySet().stream().max(Map.Entry.comparingByValue()).map(most -> most.getKey().name()).orElse("empty");
    }

    /** What must be closed, together with the model or when it fails to open. */
    private static final class Opened {
        private final Checkpoint checkpoint;
        private CheckpointWeights weights;
        private Tokenizer tokenizer;

        Opened(Checkpoint checkpoint) { this.checkpoint = checkpoint; }

        AdapterBase adapterBase(Family family, boolean folder, Backend backend) {
            return AdapterBase.of(checkpoint, family, folder, adaptation -> family.fromGguf(checkpoint, weights.adapted(adaptation), backend));
        }

        LanguageModel languageModel(String name, CausalModel model, AdapterBase base, Backend backend, String template, Pooling pooling) {
            UnheededKeys.refuse(checkpoint.metadata(), checkpoint.metadata().string("general.architecture"));
            requireFits(model.config());
            var chat = template == null ? ChatTemplate.PLAIN : compile(template);
            return new LanguageModel(name, model, tokenizer, chat, template != null, backend, format(checkpoint.tensors().values()), parameters(), bytes(), pooling, base, this::closeFile);
        }

        Embedder embedder(String name, EmbeddingModel model, Backend backend, Pooling pooling) {
            UnheededKeys.refuse(checkpoint.metadata(), checkpoint.metadata().string("general.architecture"));
            requireFits(model.config());
            return new Embedder(name, model, tokenizer, pooling, backend, format(checkpoint.tensors().values()), parameters(), bytes(), this::closeFile);
        }

        /**
         * Tells the backend what comes; throws where it has no room for it.
         *
         * @param all whether every weight is used as it is; copies that learn find their room themselves
         */
        void makeRoom(Backend backend, boolean all) {
            var used = Footprint.used(checkpoint);
            long bytes = bytes(used);
            if (all || backend.memory().isEmpty()) MachineMemory.require(backend, bytes, checkpoint.metadata().source(), "a smaller or more compressed model");
            if (all) backend.expect(used.size(), bytes);
        }

        private long bytes() { return bytes(checkpoint.tensors().values()); }

        private static long bytes(Collection<TensorInfo> tensors) { return tensors.stream().mapToLong(tensor -> tensor.dtype().bytes(tensor.shape().elements())).sum(); }

        private long parameters() { return checkpoint.tensors().values().stream().mapToLong(tensor -> tensor.shape().elements()).sum(); }

        /** Throws where the tokenizer has tokens that the model has not. */
        private void requireFits(ModelConfig config) {
            var source = checkpoint.metadata().source();
            if (tokenizer.vocabularySize() > config.vocabularySize()) {
                throw new ModelException("%s: the tokenizer has %d tokens, the model %d".formatted(source, tokenizer.vocabularySize(), config.vocabularySize()));
            }
        }

        private ChatTemplate compile(String template) {
            try {
                return JinjaTemplate.compile(template, piece(tokenizer.bos()), piece(tokenizer.eos()));
            } catch (ModelException e) {
                throw new ModelException("%s: chat template: %s".formatted(checkpoint.metadata().source(), e.getMessage()), e);
            }
        }

        private String piece(int token) { return token < 0 ? "" : tokenizer.piece(token); }

        void close() {
            if (tokenizer != null) tokenizer.close();
            closeFile();
        }

        private void closeFile() {
            if (weights != null) weights.close();
            checkpoint.close();
        }
    }
}
