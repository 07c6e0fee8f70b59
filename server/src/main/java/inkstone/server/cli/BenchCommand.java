package inkstone.server.cli;

import inkstone.server.Memory;
import inkstone.transformer.GenerationRequest;
import inkstone.transformer.GenerationResult;
import inkstone.transformer.SamplerSettings;
import inkstone.transformer.Session;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

@Command(name = "bench", description = "Measures how fast a model reads and writes here, after a warm-up.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class BenchCommand implements Callable<Integer> {
    /* The compiler needs both: rounds for a model of seconds a round, time for a model of milliseconds. */
    private static final int WARM_UP_ROUNDS = 2;
    private static final long WARM_UP_NANOS = 5_000_000_000L;

    @Spec private CommandSpec command;
    @Mixin private ModelOptions modelOptions;

    @Option(names = {"-p", "--prompt-tokens"}, paramLabel = "N", defaultValue = "512",
        description = "Tokens of the prompt. Default: ${DEFAULT-VALUE}.")
    private int promptTokens;

    @Option(names = {"-n", "--tokens"}, paramLabel = "N", defaultValue = "128", description = "Tokens to write. Default: ${DEFAULT-VALUE}.")
    private int tokens;

    @Option(names = {"-r", "--rounds"}, paramLabel = "N", defaultValue = "5", description = "Rounds to measure. Default: ${DEFAULT-VALUE}.")
    private int rounds;

    @Option(names = "--json", description = "Print one JSON object instead of a table.")
    private boolean json;

    /** Median and range of some rounds. */
    private record Spread(double median, double min, double max) {
        static Spread of(List<Double> values) {
            var sorted = values.stream().sorted().toList();
            int n = sorted.size();
            return new Spread((sorted.get((n - 1) / 2) + sorted.get(n / 2)) / 2, sorted.getFirst(), sorted.getLast());
        }

        void addTo(ObjectNode object, String name) { object.putObject(name).put("median", median).put("min", min).put("max", max); }

        @Override public String toString() { return "%.1f (%.1f .. %.1f)".formatted(median, min, max); }
    }

    private record Measured(Spread promptPerSecond, Spread tokensPerSecond, Spread firstTokenMillis) {}

    @Override public Integer call() throws IOException {
        if (promptTokens < 1 || tokens < 2 || rounds < 1) throw modelOptions.wrong("-p and -r must be 1 or more, -n 2 or more");
        try (var opened = modelOptions.open()) {
            if ((long) promptTokens + tokens > opened.contextLength()) {
                throw modelOptions.wrong("-p %d and -n %d do not fit in the context of %d; raise it with --context, at most to what the model was made for"
                    .formatted(promptTokens, tokens, opened.contextLength()));
            }
            Measured measured;
            try (var session = Session.open(EndlessTokenizer.in(opened.model()), opened.contextLength(), opened.cacheType())) {
                measured = measure(session, opened.model().model().config().vocabularySize());
            }
            if (json) printJson(opened, measured);
            else printTable(opened, measured);
        }
        return 0;
    }

    /** Each prompt begins with another token, so that no round finds its prompt in the cache. */
    private Measured measure(Session session, int vocabulary) {
        var random = new Random(7);
        var prompt = new ArrayList<Double>();
        var writing = new ArrayList<Double>();
        var first = new ArrayList<Double>();
        long start = System.nanoTime();
        for (int round = 0, warmedUp = -1; warmedUp < 0 || round < warmedUp + rounds; round++) {
            if (warmedUp < 0 && round >= WARM_UP_ROUNDS && System.nanoTime() - start >= WARM_UP_NANOS) warmedUp = round;
            var ids = random.ints(promptTokens, 0, vocabulary).toArray();
            ids[0] = round % vocabulary;
            var result = session.generate(new GenerationRequest(ids, SamplerSettings.GREEDY, tokens, List.of()), piece -> { });
            requireWhole(result);
            if (warmedUp < 0) continue;
            prompt.add(promptTokens * 1e9 / result.promptNanos());
            writing.add((tokens - 1) * 1e9 / result.generationNanos());
            first.add(result.promptNanos() / 1e6);
        }
        return new Measured(Spread.of(prompt), Spread.of(writing), Spread.of(first));
    }

    private void requireWhole(GenerationResult result) {
        if (result.cachedTokens() != 0 || result.tokens().length != tokens) {
            throw new IllegalStateException("a round was not what was asked for: %d tokens came from the cache, %d of %d were written"
                .formatted(result.cachedTokens(), result.tokens().length, tokens));
        }
    }

    private void printTable(ModelOptions.Opened opened, Measured measured) throws IOException {
        PrintWriter out = command.commandLine().getOut();
        var model = opened.model();
        row(out, "model", "%s, %s %s, %,.1f million weights, %,.1f MiB".formatted(modelOptions.path().getFileName(),
            model.model().config().architecture(), model.format(), model.parameters() / 1e6, mebibytes(model.bytes())));
        row(out, "machine", machine());
        row(out, "java", System.getProperty("java.vm.name") + " " + Runtime.version());
        row(out, "backend", "%s, threads: %d, cache %s".formatted(model.backend().name(), opened.threads(), cacheType(opened)));
        row(out, "load", "%.0f ms".formatted(opened.loadNanos() / 1e6));
        row(out, "prompt", "%s tokens/s, %d tokens, median (range) of %d".formatted(measured.promptPerSecond, promptTokens, rounds));
        row(out, "first token", measured.firstTokenMillis + " ms");
        row(out, "generation", "%s tokens/s, %d tokens".formatted(measured.tokensPerSecond, tokens));
        var peak = Memory.peakResident();
        if (peak.isPresent()) row(out, "peak memory", "%,.1f MiB resident".formatted(mebibytes(peak.getAsLong())));
        else row(out, "memory", "%,.1f MiB committed by the JVM, mapped weights not counted".formatted(mebibytes(Memory.ofJvm())));
        out.flush();
    }

    private static void row(PrintWriter out, String name, String value) { out.printf("%-12s %s%n", name, value); }

    private void printJson(ModelOptions.Opened opened, Measured measured) throws IOException {
        var mapper = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
        var object = mapper.createObjectNode();
        var model = opened.model();
        object.putObject("model").put("file", modelOptions.path().getFileName().toString())
            .put("architecture", model.model().config().architecture()).put("format", model.format()).put("parameters", model.parameters()).put("bytes", model.bytes());
        object.putObject("machine").put("processor", processor()).put("processors", Runtime.getRuntime().availableProcessors())
            .put("memoryBytes", Memory.ofMachine())
            .put("system", System.getProperty("os.name")).put("architecture", System.getProperty("os.arch"));
        object.put("java", System.getProperty("java.vm.name") + " " + Runtime.version()).put("backend", model.backend().name()).put("threads", opened.threads())
            .put("cacheType", cacheType(opened)).put("rounds", rounds).put("loadMillis", opened.loadNanos() / 1e6);
        measured.firstTokenMillis.addTo(object, "firstTokenMillis");
        object.put("promptTokens", promptTokens);
        measured.promptPerSecond.addTo(object, "promptTokensPerSecond");
        object.put("generatedTokens", tokens);
        measured.tokensPerSecond.addTo(object, "generatedTokensPerSecond");
        var peak = Memory.peakResident();
        if (peak.isPresent()) object.put("peakResidentBytes", peak.getAsLong());
        else object.put("jvmCommittedBytes", Memory.ofJvm());
        command.commandLine().getOut().println(mapper.writeValueAsString(object));
    }

    private static String cacheType(ModelOptions.Opened opened) { return opened.cacheType().name().toLowerCase(Locale.ROOT); }

    private static String machine() throws IOException {
        return "%s, %d processors, %,.1f GiB, %s %s".formatted(processor(), Runtime.getRuntime().availableProcessors(), mebibytes(Memory.ofMachine()) / 1024,
            System.getProperty("os.name"), System.getProperty("os.arch"));
    }

    /** As Linux names it; elsewhere the instruction set. */
    private static String processor() throws IOException {
        var info = Path.of("/proc/cpuinfo");
        if (!Files.isReadable(info)) return System.getProperty("os.arch");
        try (var lines = Files.lines(info)) {
            return lines.filter(line -> line.startsWith("model name")).map(line -> line.substring(line.indexOf(':') + 1).strip()).findFirst()
                .orElse(System.getProperty("os.arch"));
        }
    }

    private static double mebibytes(long bytes) { return bytes / (double) (1 << 20); }
}
