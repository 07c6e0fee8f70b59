package inkstone.server.cli;

import inkstone.transformer.ImportanceMatrix;
import inkstone.transformer.ImportanceMeasure;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(name = "imatrix",
    description = "Measures on a text how much each column of a model's matrices matters, for quantize --imatrix. The text is cut into windows of --context tokens (here 512 by"
        + " default); a few hundred windows of what the model will be used for are enough.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class ImatrixCommand implements Callable<Integer> {
    private static final int USUAL_WINDOW = 512;

    @Spec private CommandSpec command;
    @Mixin private ModelOptions modelOptions;

    @Option(names = {"-f", "--file"}, paramLabel = "TEXT", required = true, description = "A file with the text, UTF-8; special tokens in it are not read.")
    private Path file;

    @Option(names = {"-o", "--output"}, paramLabel = "FILE", required = true, description = "The file to write, in llama.cpp's GGUF format.")
    private Path target;

    @Option(names = "--chunks", paramLabel = "N", description = "Read at most this many windows. Default: all of the text.")
    private Integer chunks;

    @Option(names = "--process-output", description = "Measure the output matrix as well.")
    private boolean output;

    private ImportanceMeasure measure;

    @Override public Integer call() throws IOException {
        modelOptions.path();
        Inkstone.requireFolder(target);
        if (Files.exists(target)) throw new FileAlreadyExistsException(target.toString());
        if (chunks != null && chunks < 1) throw modelOptions.wrong("--chunks must be 1 or more, got " + chunks);
        var text = Files.readString(file);
        try (var opened = modelOptions.open(USUAL_WINDOW, backend -> { measure = new ImportanceMeasure(backend, output); return measure.backend(); })) {
            int window = opened.contextLength();
            var tokens = PerplexityCommand.encode(text, opened.model().tokenizer());
            if (tokens.length < window) {
                throw modelOptions.wrong("%s has %d tokens, less than one window of %d; take a longer text or a smaller --context".formatted(file, tokens.length, window));
            }
            int windows = chunks == null ? tokens.length / window : Math.min(chunks, tokens.length / window);
            var matrix = measured(opened, Arrays.copyOf(tokens, windows * window), windows);
            matrix.write(target);
            report(matrix);
        }
        return 0;
    }

    private ImportanceMatrix measured(ModelOptions.Opened opened, int[] tokens, int windows) {
        try (var bar = new ProgressBar(command.commandLine().getErr())) {
            return measure.measure(opened.model(), tokens, opened.contextLength(), opened.cacheType(), file.toString(), done -> bar.show(done, windows, done + " of " + windows + " windows"));
        }
    }

    private void report(ImportanceMatrix matrix) {
        command.commandLine().getOut().printf(Locale.ROOT, "%s: %d matrices measured on %,d tokens in %,d windows of %,d%n", target, matrix.entries().size(),
            (long) matrix.chunks() * matrix.chunkSize(), matrix.chunks(), matrix.chunkSize());
        int unseen = 0, all = 0;
        for (var entry : matrix.entries().values()) {
            for (float count : entry.counts()) {
                if (entry.counts().length == 1) continue;
                all++;
                if (count == 0) unseen++;
            }
        }
        if (unseen > 0) command.commandLine().getErr().printf("%d of %d matrices of experts met no token of the text; a longer one would reach more%n", unseen, all);
    }
}
