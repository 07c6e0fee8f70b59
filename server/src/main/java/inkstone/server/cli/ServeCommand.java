package inkstone.server.cli;

import inkstone.server.Limits;
import inkstone.server.Served;
import inkstone.server.ServerSettings;
import inkstone.server.StudioServer;
import inkstone.transformer.BatchScheduler;
import inkstone.transformer.GenerationRequest;
import inkstone.transformer.SamplerSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(name = "serve", description = "Serves the web app and the OpenAI-style API until it is stopped.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class ServeCommand implements Callable<Integer> {
    /** Conversations of full length that fit in the cache together; more of shorter ones. */
    private static final int FULL_CONVERSATIONS = 2;
    private static final int MAX_ACTIVE = 8;

    @Spec private CommandSpec command;
    @Mixin private ModelOptions modelOptions;

    @Option(names = "--host", paramLabel = "HOST", defaultValue = "127.0.0.1",
        description = "Address to listen on; other than this machine only with a key. Default: ${DEFAULT-VALUE}.")
    private String host;

    @Option(names = "--port", paramLabel = "N", defaultValue = "" + ServerSettings.DEFAULT_PORT,
        description = "Port to listen on; 0 takes a free one. Default: ${DEFAULT-VALUE}.")
    private int port;

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
        try (var opened = modelOptions.open(); var scheduler = BatchScheduler.start(opened.model(), schedule(opened, settings))) {
            var kvMemory = new Served.KvMemory(opened.cacheType().name().toLowerCase(Locale.ROOT), cacheTokens(opened), scheduler.cacheBytes());
            var server = StudioServer.start(settings, new Served(opened.model(), scheduler, opened.contextLength(), kvMemory, opened.threads()));
            var stop = new CountDownLatch(1);
            var stopped = new CountDownLatch(1);
            Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                stop.countDown();
                awaitQuietly(stopped);
            }, "stop"));
            var out = command.commandLine().getOut();
            out.printf("Inkstone listens on %s  (model %s, %d thread%s)%n", server.url(), opened.model().name(), opened.threads(), opened.threads() == 1 ? "" : "s");
            out.flush();
            warmUp(opened, scheduler);
            try (server) {
                stop.await();
            } finally {
                stopped.countDown();
            }
        }
        return 0;
    }

    /** A made-up answer while the user still opens the page: it reads the weights from disk and lets the JVM compile the kernels, so that the first real answer begins at once. */
    private static void warmUp(ModelOptions.Opened opened, BatchScheduler scheduler) {
        var prompt = new int[Math.min(64, opened.contextLength() / 2)];
        scheduler.submit(new GenerationRequest(prompt, SamplerSettings.GREEDY, 32, List.of()), piece -> {});
    }

    private static BatchScheduler.Settings schedule(ModelOptions.Opened opened, ServerSettings settings) {
        return new BatchScheduler.Settings(opened.contextLength(), cacheTokens(opened), opened.cacheType(), MAX_ACTIVE, settings.limits().queue());
    }

    private static int cacheTokens(ModelOptions.Opened opened) { return Math.multiplyExact(FULL_CONVERSATIONS, opened.contextLength()); }

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
