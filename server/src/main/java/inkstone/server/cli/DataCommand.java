package inkstone.server.cli;

import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.Tokenizers;
import inkstone.transformer.Models;
import inkstone.transformer.tune.data.DataReport;
import inkstone.transformer.tune.data.Format;
import inkstone.transformer.tune.data.Prompting;
import inkstone.transformer.tune.data.TuneData;
import inkstone.transformer.tune.data.TuneDataSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import tools.jackson.databind.json.JsonMapper;

@Command(name = "data", description = "Shows what fine-tuning would make of a file: its format, how many examples and tokens, which rows cannot be used and why, "
    + "and the first examples as the model sees them, with what it learns marked.", mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class DataCommand implements Callable<Integer> {
    /** Tokens of a sequence where nobody says: most examples fit, and a batch of them fits a small machine. */
    private static final int USUAL_CONTEXT = 1_024;

    @Spec private CommandSpec command;

    @Option(names = {"-m", "--model"}, paramLabel = "MODEL", required = true,
        description = "Whose tokens and chat template count: a .gguf file (a vocabulary alone will do), or a folder with tokenizer.json.")
    private Path model;

    @Parameters(paramLabel = "FILE", description = "JSON, JSON lines, CSV or text, also packed with gzip, or a folder of them.")
    private Path file;

    @Option(names = "--format", paramLabel = "FORMAT", description = "What the rows are, where it is guessed wrong: chat, sharegpt, alpaca, prompt-completion, text, preference, labelled.")
    private String format;

    @Option(names = "--context", paramLabel = "N",
        description = "Most tokens of an example. Default: " + USUAL_CONTEXT + ", or what a .gguf file's model was made for where that is less.")
    private Integer context;

    @Option(names = "--validation", paramLabel = "SHARE", defaultValue = "0.1", description = "Share of the examples that is held out. Default: ${DEFAULT-VALUE}.")
    private double validation;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "Decides which are held out. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(names = "--json", description = "Print one JSON object instead of a page.")
    private boolean json;

    @Override public Integer call() throws IOException {
        var asked = format();
        settings(asked, USUAL_CONTEXT);
        var report = report(asked);
        var out = command.commandLine().getOut();
        if (json) out.println(JsonMapper.shared().writeValueAsString(report));
        else report.print(out);
        out.flush();
        return 0;
    }

    private DataReport report(Format asked) throws IOException {
        try (var opened = open(); var bar = new ProgressBar(command.commandLine().getErr())) {
            var prompting = Prompting.of(opened.tokenizer, opened.template);
            return TuneData.read(file, prompting, settings(asked, opened.contextLength), (bytes, of) -> bar.showBytes(bytes, of, "")).report();
        }
    }

    private Format format() {
        try {
            return format == null ? null : Format.of(format);
        } catch (IllegalArgumentException unknown) {
            throw wrong("--format: " + unknown.getMessage());
        }
    }

    private TuneDataSettings settings(Format asked, int usualContext) {
        try {
            return new TuneDataSettings(asked, context == null ? Math.min(USUAL_CONTEXT, usualContext) : context, validation, seed);
        } catch (IllegalArgumentException unfit) {
            throw wrong(unfit.getMessage());
        }
    }

    private ParameterException wrong(String message) { return new ParameterException(command.commandLine(), message); }

    private record Opened(Tokenizer tokenizer, String template, int contextLength) implements AutoCloseable {
        @Override public void close() { tokenizer.close(); }
    }

    private Opened open() throws IOException {
        var path = ModelOptions.located(model, command);
        if (Files.isDirectory(path)) return new Opened(Tokenizers.fromJson(path), Models.chatTemplate(path), USUAL_CONTEXT);
        try (var file = Gguf.open(path)) {
            return new Opened(Tokenizers.fromGguf(file.metadata()), file.metadata().string("tokenizer.chat_template", null), contextLength(file.metadata()));
        }
    }

    /** A vocabulary alone says none. */
    private static int contextLength(Metadata metadata) {
        return Math.max(8, metadata.integer(metadata.string("general.architecture", "") + ".context_length", USUAL_CONTEXT));
    }
}
