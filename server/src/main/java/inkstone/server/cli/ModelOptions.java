package inkstone.server.cli;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.transformer.EmbeddedModel;
import inkstone.transformer.Footprint;
import inkstone.transformer.KvCache;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.Models;
import inkstone.transformer.TextModel;
import inkstone.transformer.adapters.Adapter;
import inkstone.transformer.adapters.AdapterFile;
import inkstone.transformer.adapters.Adapters;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;
import java.util.function.UnaryOperator;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options of every command that runs a model. */
final class ModelOptions {
    /** Tokens of context where nobody says: what most chats fit in, small enough for any machine's memory. */
    private static final int USUAL_CONTEXT = 4_096;

    enum CacheType {
        f16(DType.F16), f32(DType.F32), q8_0(DType.Q8_0);

        private final DType dtype;

        CacheType(DType dtype) { this.dtype = dtype; }
    }

    @Spec(Spec.Target.MIXEE) private CommandSpec command;

    @Option(names = {"-m", "--model"}, paramLabel = "MODEL",
        description = "A .gguf file, or a folder with safetensors, config.json and tokenizer.json. Default: ink, the very small model that comes with the program.")
    private Path given;

    private Path path;

    @Mixin private DeviceOptions devices;

    @Option(names = "--gpu-layers", paramLabel = "N",
        description = "The last N layers on the GPU, the rest on the CPU; 0: all on the CPU. Default: as many as the GPU's free memory holds.")
    private Integer gpuLayers;

    @Option(names = "--context", paramLabel = "N",
        description = "Tokens that a prompt and its answer may have together. Default: what the model was made for, at most " + USUAL_CONTEXT
            + "; perplexity 512.")
    private Integer context;

    @Option(names = "--kv", paramLabel = "TYPE", defaultValue = "f16",
        description = "Format of the cache for keys and values: ${COMPLETION-CANDIDATES}; q8_0 takes half of f16's memory. "
            + "Default: ${DEFAULT-VALUE}.")
    private CacheType cacheType;

    @Option(names = "--lora", paramLabel = "FILE[:WEIGHT]",
        description = "An adapter of the model: a GGUF file, or a folder as PEFT writes it; several with several --lora. WEIGHT says how much of it: 1 is all.")
    private List<String> adapters = List.of();

    /** The model's file or folder. */
    Path path() throws IOException {
        if (path == null) path = located(given, command);
        return path;
    }

    boolean embedded() { return embedded(given); }

    private static boolean embedded(Path given) { return given == null || given.toString().equalsIgnoreCase(EmbeddedModel.NAME); }

    /** What a command without these options reads: the file or folder that the user named, or the embedded model's. */
    static Path located(Path given, CommandSpec command) throws IOException {
        if (!embedded(given)) return given;
        if (!EmbeddedModel.present()) {
            throw new ParameterException(command.commandLine(), "no model, and this build comes with none: give one with -m MODEL, a .gguf file or a folder with safetensors, config.json and tokenizer.json");
        }
        return EmbeddedModel.file(Path.of(System.getProperty("user.home"), ".inkstone", "models"));
    }

    ParameterException wrong(String message) { return new ParameterException(command.commandLine(), message); }

    /** @param loadNanos nanoseconds from the start of opening to a model that is ready */
    record Opened(Backend backend, LanguageModel model, int threads, int contextLength, DType cacheType, long loadNanos) implements AutoCloseable {
        @Override public void close() {
            model.close();
            backend.close();
        }
    }

    /**
     * A model that may be one for vectors only.
     *
     * @param adapters of the model, which has their weights already; null where it has none
     */
    record OpenedText(Backend backend, TextModel model, Adapters adapters, int threads, int contextLength) implements AutoCloseable {
        @Override public void close() {
            model.close();
            backend.close();
        }
    }

    Opened open() throws IOException { return open(USUAL_CONTEXT); }

    /** @param cacheTokens tokens that the cache will hold where the context is so many */
    OpenedText openAny(IntUnaryOperator cacheTokens) throws IOException {
        var file = path();
        var backend = backend(USUAL_CONTEXT, cacheTokens);
        try {
            var model = Models.openAny(file, backend);
            if (model instanceof LanguageModel writing) requireCache(writing);
            var uses = uses(model);
            return new OpenedText(backend, adapted(model, uses), uses.isEmpty() ? null : new Adapters((LanguageModel) model, uses), backend.threads(), contextLength(model, USUAL_CONTEXT));
        } catch (IOException | RuntimeException problem) {
            backend.close();
            throw problem;
        }
    }

    DType cacheType() { return cacheType.dtype; }

    /** Threads for what the CPU does. */
    int threads() { return devices.threads(); }

    /** Another backend of the same device, whole: for training, and for a second model beside the first. */
    Backend another() { return devices.open(command); }

    /** @param usualContext tokens of context where the user says none and the model was made for as many */
    Opened open(int usualContext) throws IOException { return open(usualContext, UnaryOperator.identity()); }

    /** @param decorator of the backend that the model is opened on */
    Opened open(int usualContext, UnaryOperator<Backend> decorator) throws IOException {
        var file = path();
        long start = System.nanoTime();
        var backend = decorator.apply(backend(usualContext, tokens -> tokens));
        try {
            var model = Models.open(file, backend);
            requireCache(model);
            return new Opened(backend, (LanguageModel) adapted(model, uses(model)), backend.threads(), contextLength(model, usualContext), cacheType.dtype, System.nanoTime() - start);
        } catch (IOException | RuntimeException problem) {
            backend.close();
            throw problem;
        }
    }

    /** The adapters asked for; closes the model where one of them does not fit. */
    private List<Adapter.Use> uses(TextModel model) throws IOException {
        try {
            var uses = new ArrayList<Adapter.Use>();
            for (var text : adapters) {
                if (!(model instanceof LanguageModel language)) throw wrong("%s makes vectors only; adapters are applied to language models".formatted(model.name()));
                var file = AdapterFile.of(text);
                uses.add(new Adapter.Use(Adapter.open(file.path(), language), file.weight()));
            }
            return uses;
        } catch (IOException | RuntimeException problem) {
            model.close();
            throw problem;
        }
    }

    private static TextModel adapted(TextModel model, List<Adapter.Use> uses) {
        return uses.isEmpty() ? model : ((LanguageModel) model).adapted(Adapter.together(uses, model.backend()));
    }

    private void requireCache(LanguageModel model) {
        try {
            KvCache.require(model.name(), model.config(), cacheType.dtype);
        } catch (ModelException problem) {
            model.close();
            throw problem;
        }
    }

    private int contextLength(TextModel model, int usualContext) {
        int most = model.config().contextLength();
        if (context == null) return Math.min(most, usualContext);
        if (context < 2 || context > most) {
            model.close();
            throw wrong("--context must be 2 to %d, which %s was made for, got %d".formatted(most, model.name(), context));
        }
        return context;
    }

    private Backend backend(int usualContext, IntUnaryOperator cacheTokens) throws IOException {
        devices.check(command);
        if (gpuLayers != null && gpuLayers < 0) throw wrong("--gpu-layers must be 0 or more, got " + gpuLayers);
        if (gpuLayers != null && gpuLayers > 0 && devices.withoutGpu()) throw wrong("--gpu-layers belongs to --device cuda");
        return devices.open(command, gpuLayers,
            () -> Footprint.of(path(), most -> Math.max(2, Math.min(most, context == null ? usualContext : context)), cacheTokens, cacheType.dtype));
    }
}
