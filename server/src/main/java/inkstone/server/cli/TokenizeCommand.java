package inkstone.server.cli;

import inkstone.tensor.checkpoint.Gguf;
import inkstone.tokenizer.MarkedText;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.json.JsonMapper;

@Command(name = "tokenize", description = "Shows the tokens of a text: the beginning token where the model wants one, special tokens read as such.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class TokenizeCommand implements Callable<Integer> {
    @Spec private CommandSpec command;

    @Option(names = {"-m", "--model"}, paramLabel = "MODEL",
        description = "A .gguf file (a vocabulary alone will do), or a folder with tokenizer.json. Default: ink, the very small model that comes with the program.")
    private Path model;

    @ArgGroup private Source source = new Source();

    private static final class Source {
        @Option(names = {"-p", "--prompt"}, paramLabel = "TEXT", description = "The text.")
        private String text;

        @Option(names = {"-f", "--file"}, paramLabel = "FILE", description = "A file with the text, UTF-8. Default: standard input.")
        private Path file;
    }

    @Option(names = "--json", description = "Print one JSON object instead of a line for each token.")
    private boolean json;

    @Override public Integer call() throws IOException {
        try (var tokenizer = open()) {
            var tokens = tokenizer.encodePrompt(MarkedText.trusted(text()));
            if (json) printJson(tokenizer, tokens);
            else for (int token : tokens) command.commandLine().getOut().println(token + "\t" + visible(tokenizer.piece(token)));
        }
        return 0;
    }

    private Tokenizer open() throws IOException {
        var path = ModelOptions.located(model, command);
        if (Files.isDirectory(path)) return Tokenizers.fromJson(path);
        try (var file = Gguf.open(path)) { return Tokenizers.fromGguf(file.metadata()); }
    }

    private String text() throws IOException {
        if (source.text != null) return source.text;
        return source.file != null ? Files.readString(source.file) : new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
    }

    private void printJson(Tokenizer tokenizer, int[] tokens) {
        var object = JsonMapper.shared().createObjectNode();
        var ids = object.putArray("tokens");
        var pieces = object.putArray("pieces");
        for (int token : tokens) {
            ids.add(token);
            pieces.add(tokenizer.piece(token));
        }
        command.commandLine().getOut().println(object);
    }

    /** One token, one line. */
    private static String visible(String piece) { return piece.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t"); }
}
