package inkstone.server.cli;

import inkstone.server.Memory;
import inkstone.transformer.BatchScheduler;
import inkstone.transformer.GenerationRequest;
import inkstone.transformer.GenerationResult;
import inkstone.transformer.Guesses;
import inkstone.transformer.KvCache;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.SamplerSettings;
import inkstone.transformer.Session;
import inkstone.transformer.Speculation;
import inkstone.transformer.Ticket;
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
    private static final int MOST_TOGETHER = 256;

    @Spec private CommandSpec command;
    @Mixin private ModelOptions modelOptions;
    @Mixin private SpeculationOptions speculation;

    @Option(names = {"-p", "--prompt-tokens"}, paramLabel = "N", defaultValue = "512",
        description = "Tokens of the prompt. Default: ${DEFAULT-VALUE}.")
    private int promptTokens;

    @Option(names = {"-n", "--tokens"}, paramLabel = "N", defaultValue = "128", description = "Tokens to write. Default: ${DEFAULT-VALUE}.")
    private int tokens;

    @Option(names = {"-r", "--rounds"}, paramLabel = "N", defaultValue = "5", description = "Rounds to measure. Default: ${DEFAULT-VALUE}.")
    private int rounds;

    @Option(names = "--batch", paramLabel = "N", split = ",",
        description = "Also write N answers at the same time and measure them together; several with commas: 1,4,16.")
    private List<Integer> batches = List.of();

    @Option(names = "--depth", paramLabel = "N", split = ",",
        description = "Also measure writing after N tokens of context; several with commas: 0,4096.")
    private List<Integer> depths = List.of();

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

    private record Measured(Spread promptPerSecond, Spread tokensPerSecond, Spread firstTokenMillis, Guesses guesses) {}

    /** Tokens per second at some number of answers together, or tokens of context. */
    private record At(int number, Spread tokensPerSecond) {}

    @Override public Integer call() throws IOException {
        if (promptTokens < 1 || tokens < 2 || rounds < 1) throw modelOptions.wrong("-p and -r must be 1 or more, -n 2 or more");
        if (batches.stream().anyMatch(batch -> batch < 1 || batch > MOST_TOGETHER)) throw modelOptions.wrong("--batch must be 1 to " + MOST_TOGETHER);
        if (depths.stream().anyMatch(depth -> depth < 0)) throw modelOptions.wrong("--depth must be 0 or more");
        speculation.check();
        try (var opened = modelOptions.open(); var guessing = speculation.open(opened.backend())) {
            var guesses = guessing.endless();
            int deepest = depths.stream().mapToInt(depth -> Math.max(1, depth)).max().orElse(1);
            if ((long) deepest + tokens > opened.contextLength()) {
                throw modelOptions.wrong("--depth %d and -n %d do not fit in the context of %d; raise it with --context, at most to what the model was made for"
                    .formatted(deepest, tokens, opened.contextLength()));
            }
            if ((long) promptTokens + tokens > opened.contextLength()) {
                throw modelOptions.wrong("-p %d and -n %d do not fit in the context of %d; raise it with --context, at most to what the model was made for"
                    .formatted(promptTokens, tokens, opened.contextLength()));
            }
            var endless = EndlessTokenizer.in(opened.model());
            Measured measured;
            var atDepth = new ArrayList<At>();
            try (var session = Session.open(endless, opened.contextLength(), opened.cacheType(), guesses)) {
                int vocabulary = opened.model().model().config().vocabularySize();
                measured = measure(session, vocabulary);
                for (int depth : depths) atDepth.add(new At(depth, measureAtDepth(session, depth, vocabulary)));
            }
            var together = new ArrayList<At>();
            for (int batch : batches) together.add(new At(batch, measureTogether(endless, batch, opened, guesses)));
            if (json) printJson(opened, guesses, measured, atDepth, together);
            else printTable(opened, guesses, measured, atDepth, together);
        }
        return 0;
    }

    /** Each prompt begins with another token, so that no round finds its prompt in the cache. */
    private Measured measure(Session session, int vocabulary) {
        var random = new Random(7);
        var prompt = new ArrayList<Double>();
        var writing = new ArrayList<Double>();
        var first = new ArrayList<Double>();
        var guesses = Guesses.NONE;
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
            guesses = guesses.plus(result.guesses());
        }
        return new Measured(Spread.of(prompt), Spread.of(writing), Spread.of(first), guesses);
    }

    /** The prompt of {@code depth} tokens is read once and stays in the cache; the first round warms up. */
    private Spread measureAtDepth(Session session, int depth, int vocabulary) {
        var random = new Random(11);
        var prompt = random.ints(Math.max(1, depth), 0, vocabulary).toArray();
        var writing = new ArrayList<Double>();
        for (int round = -1; round < rounds; round++) {
            var result = session.generate(new GenerationRequest(prompt, SamplerSettings.GREEDY, tokens, List.of()), piece -> { });
            if (round >= 0) writing.add((tokens - 1) * 1e9 / result.generationNanos());
        }
        return Spread.of(writing);
    }

    /** Tokens of all answers per second, counted while every one of them is being written: from the last one's first token to the first one's last. */
    private Spread measureTogether(LanguageModel model, int batch, ModelOptions.Opened opened, Speculation guesses) {
        var speeds = new ArrayList<Double>();
        var settings = new BatchScheduler.Settings(1 + tokens, batch * (KvCache.PAGE_SIZE + 1 + tokens), opened.cacheType(), batch, batch, guesses);
        try (var scheduler = BatchScheduler.start(model, settings)) {
            for (int round = -1; round < rounds; round++) {
                var times = new long[batch][tokens];
                var tickets = new ArrayList<Ticket>();
                for (int i = 0; i < batch; i++) {
                    var own = times[i];
                    var request = new GenerationRequest(new int[] {i % model.model().config().vocabularySize()}, SamplerSettings.GREEDY, tokens, List.of());
                    tickets.add(scheduler.submit(request, piece -> own[piece.tokens() - 1] = System.nanoTime()));
                }
                tickets.forEach(ticket -> ticket.result().join());
                if (round >= 0) speeds.add(together(times));
            }
        }
        return Spread.of(speeds);
    }

    private static double together(long[][] times) {
        long from = Long.MIN_VALUE, to = Long.MAX_VALUE;
        for (var own : times) {
            from = Math.max(from, own[0]);
            to = Math.min(to, own[own.length - 1]);
        }
        if (to <= from) throw new IllegalStateException("the answers were too short to be written all at the same time; raise -n");
        int written = 0;
        for (var own : times) {
            for (long time : own) if (time > from && time <= to) written++;
        }
        return written * 1e9 / (to - from);
    }

    private void requireWhole(GenerationResult result) {
        if (result.cachedTokens() != 0 || result.tokens().length != tokens) {
            throw new IllegalStateException("a round was not what was asked for: %d tokens came from the cache, %d of %d were written"
                .formatted(result.cachedTokens(), result.tokens().length, tokens));
        }
    }

    private void printTable(ModelOptions.Opened opened, Speculation guesses, Measured measured, List<At> atDepth, List<At> together) throws IOException {
        PrintWriter out = command.commandLine().getOut();
        var model = opened.model();
        row(out, "model", "%s, %s %s, %,.1f million weights, %,.1f MiB".formatted(modelOptions.path().getFileName(),
            model.model().config().architecture(), model.format(), model.parameters() / 1e6, mebibytes(model.bytes())));
        row(out, "machine", machine());
        row(out, "java", System.getProperty("java.vm.name") + " " + Runtime.version());
        row(out, "backend", "%s, %s, threads: %d, cache %s".formatted(model.backend().name(), model.backend().device(), opened.threads(), cacheType(opened)));
        row(out, "load", "%.0f ms".formatted(opened.loadNanos() / 1e6));
        row(out, "prompt", "%s tokens/s, %d tokens, median (range) of %d".formatted(measured.promptPerSecond, promptTokens, rounds));
        row(out, "first token", measured.firstTokenMillis + " ms");
        row(out, "generation", "%s tokens/s, %d tokens".formatted(measured.tokensPerSecond, tokens));
        if (guesses.most() > 0) {
            row(out, "guesses", "%d of %d right (%.0f%%), at most %d a step by %s".formatted(measured.guesses.right(), measured.guesses.made(),
                100 * measured.guesses.acceptance(), guesses.most(), guesses.draft() == null ? "look-up" : guesses.draft().name()));
        }
        for (var at : atDepth) row(out, "depth " + at.number, "%s tokens/s, %d tokens after %d".formatted(at.tokensPerSecond, tokens, at.number));
        for (var at : together) row(out, "batch " + at.number, "%s tokens/s, answers together: %d".formatted(at.tokensPerSecond, at.number));
        var peak = Memory.peakResident();
        if (peak.isPresent()) row(out, "peak memory", "%,.1f MiB resident".formatted(mebibytes(peak.getAsLong())));
        else row(out, "memory", "%,.1f MiB committed by the JVM, mapped weights not counted".formatted(mebibytes(Memory.ofJvm())));
        out.flush();
    }

    private static void row(PrintWriter out, String name, String value) { out.printf("%-12s %s%n", name, value); }

    private void printJson(ModelOptions.Opened opened, Speculation guesses, Measured measured, List<At> atDepth, List<At> together) throws IOException {
        var mapper = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
        var object = mapper.createObjectNode();
        var model = opened.model();
        object.putObject("model").put("file", modelOptions.path().getFileName().toString())
            .put("architecture", model.model().config().architecture()).put("format", model.format()).put("parameters", model.parameters()).put("bytes", model.bytes());
        object.putObject("machine").put("processor", processor()).put("processors", Runtime.getRuntime().availableProcessors())
            .put("memoryBytes", Memory.ofMachine())
            .put("system", System.getProperty("os.name")).put("architecture", System.getProperty("os.arch"));
        object.put("java", System.getProperty("java.vm.name") + " " + Runtime.version()).put("backend", model.backend().name()).put("device", model.backend().device()).put("threads", opened.threads())
            .put("cacheType", cacheType(opened)).put("rounds", rounds).put("loadMillis", opened.loadNanos() / 1e6);
        measured.firstTokenMillis.addTo(object, "firstTokenMillis");
        object.put("promptTokens", promptTokens);
        measured.promptPerSecond.addTo(object, "promptTokensPerSecond");
        object.put("generatedTokens", tokens);
        measured.tokensPerSecond.addTo(object, "generatedTokensPerSecond");
        if (guesses.most() > 0) {
            object.putObject("guesses").put("by", guesses.draft() == null ? "lookup" : guesses.draft().name()).put("most", guesses.most())
                .put("made", measured.guesses.made()).put("right", measured.guesses.right());
        }
        for (var at : atDepth) at.tokensPerSecond.addTo(object.withArray("depths").addObject().put("depth", at.number), "tokensPerSecond");
        for (var at : together) at.tokensPerSecond.addTo(object.withArray("batches").addObject().put("batch", at.number), "tokensPerSecond");
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
