package inkstone.server.cli;

import inkstone.tokenizer.MarkedText;
import inkstone.transformer.EmbeddingScheduler;
import inkstone.transformer.Pooling;
import inkstone.transformer.UnitVectors;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;

@Command(name = "embed", description = "Makes vectors of texts, one line of numbers for each, or tells how alike the texts are.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class EmbedCommand implements Callable<Integer> {
    /** Characters of a text that stand beside its line of similarities. */
    private static final int SHOWN = 60;

    @Spec private CommandSpec command;
    @Mixin private ModelOptions modelOptions;

    @ArgGroup private Source source = new Source();

    private static final class Source {
        @Option(names = {"-p", "--prompt"}, paramLabel = "TEXT", description = "A text; several with several -p.")
        private List<String> texts;

        @Option(names = {"-f", "--file"}, paramLabel = "FILE", description = "A file with a text in each line, UTF-8; empty lines are left out.")
        private Path file;
    }

    @Option(names = "--pooling", paramLabel = "POOLING",
        description = "Which hidden states make the vector: ${COMPLETION-CANDIDATES}. Default: what the model's file says.")
    private Pooling pooling;

    @Option(names = "--dimensions", paramLabel = "N", description = "Keep the first N numbers of each vector, scaled to length 1 again. Default: all.")
    private Integer dimensions;

    @Option(names = "--similarity", description = "Print the cosine between every two texts in place of the vectors.")
    private boolean similarity;

    @Option(names = "--json", description = "Print one JSON object.")
    private boolean json;

    /** @param vector of length 1 */
    private record Embedded(String text, int tokens, float[] vector) {}

    @Override public Integer call() throws IOException {
        modelOptions.path();
        if (source.texts == null && source.file == null) throw modelOptions.wrong("no text: give one or several with -p TEXT, or a file of them with -f FILE");
        var texts = source.texts != null ? source.texts : Files.readAllLines(source.file).stream().filter(line -> !line.isBlank()).toList();
        if (texts.isEmpty()) throw modelOptions.wrong("%s holds no text".formatted(source.file));
        try (var opened = modelOptions.openAny(_ -> 0)) {
            int dim = opened.model().config().dim();
            if (dimensions != null && (dimensions < 1 || dimensions > dim)) throw modelOptions.wrong("--dimensions must be 1 to %d, got %d".formatted(dim, dimensions));
            var pooling = this.pooling != null ? this.pooling : opened.model().pooling();
            var embedded = embed(texts, opened, pooling);
            if (json) printJson(opened, pooling, embedded);
            else if (similarity) printSimilarities(embedded);
            else embedded.forEach(each -> printVector(each.vector));
            command.commandLine().getOut().flush();
        }
        return 0;
    }

    private List<Embedded> embed(List<String> texts, ModelOptions.OpenedText opened, Pooling pooling) {
        var tokens = new ArrayList<int[]>();
        for (var text : texts) tokens.add(tokens(text, tokens.size() + 1, opened));
        try (var scheduler = EmbeddingScheduler.start(opened.model(), opened.contextLength(), 1)) {
            var vectors = scheduler.embed(tokens, pooling).join();
            var embedded = new ArrayList<Embedded>();
            for (int i = 0; i < texts.size(); i++) {
                var vector = vectors.get(i);
                embedded.add(new Embedded(texts.get(i), tokens.get(i).length, UnitVectors.shortened(vector, dimensions == null ? vector.length : dimensions)));
            }
            return embedded;
        } catch (CompletionException failed) {
            throw failed.getCause() instanceof RuntimeException cause ? cause : failed;
        }
    }

    private int[] tokens(String text, int number, ModelOptions.OpenedText opened) {
        var tokens = opened.model().tokenizer().encodePrompt(MarkedText.untrusted(text));
        if (tokens.length == 0) throw modelOptions.wrong("text %d has no tokens".formatted(number));
        if (tokens.length > opened.contextLength()) {
            throw modelOptions.wrong("text %d has %d tokens, more than the context of %d; embed it in parts, or raise --context, at most to what the model was made for"
                .formatted(number, tokens.length, opened.contextLength()));
        }
        return tokens;
    }

    private void printVector(float[] vector) {
        var line = new StringBuilder();
        for (float value : vector) line.append(line.isEmpty() ? "" : " ").append(value);
        command.commandLine().getOut().println(line);
    }

    private void printSimilarities(List<Embedded> embedded) {
        PrintWriter out = command.commandLine().getOut();
        for (var row : embedded) {
            for (var column : embedded) out.printf(Locale.ROOT, "%7.4f", UnitVectors.cosine(row.vector, column.vector));
            var text = row.text.strip().replaceAll("\\s+", " ");
            out.println("  " + (text.length() <= SHOWN ? text : text.substring(0, SHOWN) + "..."));
        }
    }

    private void printJson(ModelOptions.OpenedText opened, Pooling pooling, List<Embedded> embedded) {
        var document = JsonMapper.shared().createObjectNode().put("model", opened.model().name()).put("pooling", pooling.name().toLowerCase(Locale.ROOT));
        var data = document.putArray("data");
        for (var each : embedded) {
            var entry = data.addObject().put("text", each.text).put("tokens", each.tokens);
            if (similarity) similarities(entry.putArray("similarity"), each, embedded);
            else for (float value : each.vector) entry.withArray("embedding").add(value);
        }
        command.commandLine().getOut().println(document);
    }

    private static void similarities(ArrayNode array, Embedded row, List<Embedded> embedded) {
        for (var column : embedded) array.add((float) UnitVectors.cosine(row.vector, column.vector));
    }
}
