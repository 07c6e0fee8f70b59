package inkstone.server.cli;

import inkstone.tokenizer.MarkedText;
import inkstone.tokenizer.Tokenizer;
import inkstone.transformer.Perplexity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.json.JsonMapper;

@Command(name = "perplexity",
    description = "Measures how surprising a text is to a model: cut into windows of --context tokens (here 512 by default), the second half of each scored.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class PerplexityCommand implements Callable<Integer> {
    /** What published figures are measured with. */
    private static final int USUAL_WINDOW = 512;

    @Spec private CommandSpec command;
    @Mixin private ModelOptions modelOptions;

    @Option(names = {"-f", "--file"}, paramLabel = "TEXT", required = true, description = "A file with the text, UTF-8; special tokens in it are not read.")
    private Path file;

    @Option(names = "--json", description = "Print one JSON object instead of a line.")
    private boolean json;

    @Override public Integer call() throws IOException {
        modelOptions.path();
        var text = Files.readString(file);
        try (var opened = modelOptions.open(USUAL_WINDOW)) {
            int window = opened.contextLength();
            var tokens = encode(text, opened.model().tokenizer());
            if (window < Perplexity.SHORTEST_WINDOW) throw modelOptions.wrong("--context must be %d or more here, got %d".formatted(Perplexity.SHORTEST_WINDOW, window));
            if (tokens.length < window) {
                throw modelOptions.wrong("%s has %d tokens, less than one window of %d; take a longer text or a smaller --context".formatted(file, tokens.length, window));
            }
            print(opened, measure(opened, tokens));
        }
        return 0;
    }

    /** Without an end token: the text goes on behind every window. */
    static int[] encode(String text, Tokenizer tokenizer) {
        var tokens = tokenizer.encode(MarkedText.untrusted(text));
        if (!tokenizer.addsBos()) return tokens;
        var whole = new int[tokens.length + 1];
        whole[0] = tokenizer.bos();
        System.arraycopy(tokens, 0, whole, 1, tokens.length);
        return whole;
    }

    private Perplexity measure(ModelOptions.Opened opened, int[] tokens) {
        int windows = tokens.length / opened.contextLength();
        try (var bar = new ProgressBar(command.commandLine().getErr())) {
            return Perplexity.of(opened.model(), tokens, opened.contextLength(), opened.cacheType(), done -> bar.show(done, windows, done + " of " + windows + " windows"));
        }
    }

    private void print(ModelOptions.Opened opened, Perplexity result) {
        var out = command.commandLine().getOut();
        if (json) {
            out.println(JsonMapper.shared().createObjectNode().put("perplexity", result.value()).put("error", result.error()).put("windows", result.windows())
                .put("window", opened.contextLength()).put("scoredTokens", result.scored()).put("model", opened.model().name()).put("format", opened.model().format())
                .put("cacheType", opened.cacheType().name().toLowerCase(Locale.ROOT)));
        } else {
            out.printf(Locale.ROOT, "PPL = %.4f +/- %.5f  (%,d tokens scored in %,d windows of %,d)%n",
                result.value(), result.error(), result.scored(), result.windows(), opened.contextLength());
        }
        out.flush();
    }
}
