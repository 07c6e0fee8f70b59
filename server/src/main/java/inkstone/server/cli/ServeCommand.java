package inkstone.server.cli;

import inkstone.diffusion.checkpoint.Companions;
import inkstone.server.Limits;
import inkstone.server.Served;
import inkstone.server.ServerSettings;
import inkstone.server.StudioServer;
import inkstone.server.images.Easel;
import inkstone.server.images.Paintings;
import inkstone.server.jobs.Jobs;
import inkstone.server.jobs.Training;
import inkstone.server.tuning.FineTuning;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.transformer.BatchScheduler;
import inkstone.transformer.Embedder;
import inkstone.transformer.EmbeddingScheduler;
import inkstone.transformer.GenerationRequest;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.SamplerSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(name = "serve", description = "Serves the web app and the OpenAI-style API until it is stopped.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class ServeCommand implements Callable<Integer> {
    /** Conversations of full length that fit in the cache together where nobody says; more of shorter ones. */
    private static final int FULL_CONVERSATIONS = 2;
    private static final int MOST_PARALLEL = 256;

    @Spec private CommandSpec command;
    @Mixin private ModelOptions modelOptions;
    @Mixin private SpeculationOptions speculation;

    @Option(names = "--host", paramLabel = "HOST", defaultValue = "127.0.0.1",
        description = "Address to listen on; other than this machine only with a key. Default: ${DEFAULT-VALUE}.")
    private String host;

    @Option(names = "--port", paramLabel = "N", defaultValue = "" + ServerSettings.DEFAULT_PORT,
        description = "Port to listen on; 0 takes a free one. Default: ${DEFAULT-VALUE}.")
    private int port;

    @Option(names = "--cache-tokens", paramLabel = "N",
        description = "Tokens that the cache holds, of all conversations together, running and remembered; its memory is taken at the start and never grows. Default: "
            + FULL_CONVERSATIONS + " times --context.")
    private Integer cacheTokens;

    @Option(names = "--parallel", paramLabel = "N", defaultValue = "8", description = "Answers that are written at the same time; others wait. Default: ${DEFAULT-VALUE}.")
    private int parallel;

    @Option(names = "--data-dir", paramLabel = "DIR",
        description = "Where training jobs, their data, what they learned and what was painted are kept. Default: .inkstone in your home folder.")
    private Path dataFolder = Path.of(System.getProperty("user.home"), ".inkstone");

    @Option(names = "--image-model", paramLabel = "MODEL",
        description = "What paints: a .safetensors or .gguf file, or a folder as diffusers writes it; several with several --image-model. Default: the image model that comes with the program.")
    private List<Path> imageModels = List.of();

    @Option(names = "--taesd", paramLabel = "FILE", description = "A tiny decoder of the latents of --image-model, for previews. Default: colours that are reckoned from the latents.")
    private Path tinyDecoder;

    @Option(names = "--upscaler", paramLabel = "FILE", description = "Makes pictures twice as large: a .safetensors file of a waifu2x network.")
    private Path upscaler;

    @ArgGroup private Key key = new Key();

    private static final class Key {
        @Option(names = "--api-key-file", paramLabel = "FILE", description = "Demand the key that stands in this file.")
        private Path file;

        @Option(names = "--api-key", paramLabel = "KEY",
            description = "Demand this key; other users of this machine can see it in the list of processes.")
        private String text;
    }

    @Override public Integer call() throws IOException, InterruptedException {
        var settings = settings();
        speculation.check();
        if (parallel < 1 || parallel > MOST_PARALLEL) throw modelOptions.wrong("--parallel must be 1 to %d, got %d".formatted(MOST_PARALLEL, parallel));
        try (var opened = modelOptions.openAny(this::cacheTokens)) {
            switch (opened.model()) {
                case LanguageModel language -> serve(language, opened, settings);
                case Embedder embedder -> serve(embedder, opened, settings);
            }
        }
        return 0;
    }

    private void serve(LanguageModel model, ModelOptions.OpenedText opened, ServerSettings settings) throws IOException, InterruptedException {
        int context = opened.contextLength(), tokens = cacheTokens(context);
        var dtype = modelOptions.cacheType();
        try (var guessing = speculation.open(opened.backend());
             var scheduler = BatchScheduler.start(model, new BatchScheduler.Settings(context, tokens, dtype, parallel, settings.limits().queue(), guessing.speculation()))) {
            var kvMemory = new Served.KvMemory(dtype.name().toLowerCase(Locale.ROOT), tokens, scheduler.cacheBytes());
            var warmUp = new GenerationRequest(new int[Math.min(64, context / 2)], SamplerSettings.GREEDY, 32, List.of());
            listen(settings, new Served(model, scheduler, context, kvMemory, opened.threads(), opened.adapters(), modelOptions.embedded(), new AtomicReference<>()), () -> scheduler.submit(warmUp, piece -> {}));
        }
    }

    private int cacheTokens(int context) {
        if (cacheTokens == null) return Math.multiplyExact(FULL_CONVERSATIONS, context);
        if (cacheTokens < context) {
            throw modelOptions.wrong("--cache-tokens must hold one conversation of %d tokens at least, got %d; raise it or lower --context".formatted(context, cacheTokens));
        }
        return cacheTokens;
    }

    private void serve(Embedder model, ModelOptions.OpenedText opened, ServerSettings settings) throws IOException, InterruptedException {
        if (speculation.guesses() || cacheTokens != null) {
            throw modelOptions.wrong("%s makes vectors only: it writes nothing to be guessed and keeps no cache; leave --lookup, --draft-model and --cache-tokens away".formatted(model.name()));
        }
        int context = opened.contextLength();
        try (var scheduler = EmbeddingScheduler.start(model, context, settings.limits().queue())) {
            var warmUp = List.of(new int[Math.min(64, context)]);
            listen(settings, new Served(model, scheduler, context, null, opened.threads()), () -> scheduler.embed(warmUp, model.pooling()));
        }
    }

    /** @param warmUp a made-up request while the user still opens the page: it reads the weights from disk and lets the JVM compile the kernels, so that the first
     *                real answer begins at once */
    private void listen(ServerSettings settings, Served served, Runnable warmUp) throws IOException, InterruptedException {
        var stop = new CountDownLatch(1);
        var stopped = new CountDownLatch(1);
        try (var jobs = jobs(served); var paintings = paintings(settings); var server = StudioServer.start(settings, served, jobs, paintings)) {
            Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                stop.countDown();
                awaitQuietly(stopped);
            }, "stop"));
            var out = command.commandLine().getOut();
            var cache = served.kvMemory();
            var backend = served.model().backend();
            var computing = backend.name().startsWith("cuda") ? backend.device() : "%d thread%s".formatted(served.threads(), served.threads() == 1 ? "" : "s");
            out.printf("Inkstone listens on %s  (model %s, %s%s)%n", server.url(), served.model().name(), computing,
                cache == null ? "" : ", cache for %,d tokens in %,d MiB".formatted(cache.tokens(), cache.bytes() >> 20));
            if (served.embedded()) out.printf("%s is a very small model that comes with Inkstone; ./inkstone serve -m model.gguf opens a larger one%n", served.model().name());
            out.flush();
            warmUp.run();
            stop.await();
        } finally {
            stopped.countDown();
        }
    }

    /** What can be trained here; null where nothing can, and the page then has no place for it. */
    private Training training(Served served) throws IOException {
        if (!(served.model() instanceof LanguageModel language) || !Jvm.hasVectors()) return null;
        return new FineTuning(modelOptions.path(), served, modelOptions.threads(), language.backend().name().equals("cuda") ? modelOptions::another : () -> new CpuBackend(modelOptions.threads()));
    }

    /** Null where nothing can be trained. A folder that cannot be used is no reason not to chat. */
    private Jobs jobs(Served served) {
        try {
            var training = training(served);
            if (training == null) return null;
            return Jobs.open(dataFolder, training);
        } catch (IOException problem) {
            command.commandLine().getErr().println("inkstone: warning: no training: " + Inkstone.told(problem));
            return null;
        }
    }

    /** Null where nothing can be painted. A model that was named and cannot be used ends the program; a folder that cannot be is no reason not to chat. */
    private Paintings paintings(ServerSettings settings) throws IOException {
        var models = new PaintModels(new Companions(null, List.of(), tinyDecoder), List.of(), modelOptions::another);
        var sources = models.sources(imageModels);
        if (sources.isEmpty()) return null;
        var easel = new Easel(sources, upscaler == null ? null : models.enlarging(upscaler));
        try {
            return Paintings.open(dataFolder.resolve("images"), easel, settings.limits().paintings());
        } catch (IOException problem) {
            command.commandLine().getErr().println("inkstone: warning: no painting: " + Inkstone.told(problem));
            return null;
        }
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException hurry) {
            Thread.currentThread().interrupt();
        }
    }

    private ServerSettings settings() throws IOException {
        var secret = key.file != null ? Files.readString(key.file).strip() : key.text;
        try {
            return new ServerSettings(host, port, secret, Limits.DEFAULT);
        } catch (IllegalArgumentException problem) {
            throw modelOptions.wrong(problem.getMessage());
        }
    }
}
