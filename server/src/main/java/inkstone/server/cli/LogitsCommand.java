package inkstone.server.cli;

import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tokenizer.MarkedText;
import inkstone.transformer.Packed;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(name = "logits",
    description = "Writes what a model expects after every token of a text: rows of raw little-endian 32-bit floats, one float for each token of the vocabulary.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class LogitsCommand implements Callable<Integer> {
    private static final Pattern SEPARATOR = Pattern.compile("[\\s,]+");

    @Spec private CommandSpec command;
    @Mixin private ModelOptions modelOptions;

    @ArgGroup(multiplicity = "1") private Source source;

    private static final class Source {
        @Option(names = {"-p", "--prompt"}, paramLabel = "TEXT",
            description = "The text; special tokens in it are read, and the beginning token is put before it where the model wants one.")
        private String text;

        @Option(names = "--tokens", paramLabel = "FILE",
            description = "A file of token ids, with spaces, commas or line ends between; nothing is added.")
        private Path file;
    }

    @Option(names = {"-o", "--output"}, paramLabel = "FILE", required = true, description = "Where to write.")
    private Path output;

    @Override public Integer call() throws IOException {
        Inkstone.requireFolder(output);
        try (var opened = modelOptions.open(); var scope = Scope.inference(opened.backend())) {
            var model = opened.model().model();
            int vocabulary = model.config().vocabularySize();
            var tokens = source.text != null ? opened.model().tokenizer().encodePrompt(MarkedText.trusted(source.text)) : read(source.file, vocabulary);
            if (tokens.length < 1 || tokens.length > opened.contextLength()) {
                throw modelOptions.wrong("expected 1 to %d tokens, got %d; --context raises the limit up to what the model was made for"
                    .formatted(opened.contextLength(), tokens.length));
            }
            write(model.logits(model.forward(scope.ints(tokens), Packed.of(scope, tokens.length))), opened);
            command.commandLine().getErr().printf("%d rows of %d logits written to %s%n", tokens.length, vocabulary, output);
        }
        return 0;
    }

    private int[] read(Path file, int vocabulary) throws IOException {
        var words = SEPARATOR.split(Files.readString(file).strip());
        var tokens = new int[words.length];
        for (int i = 0; i < words.length; i++) {
            try {
                tokens[i] = Integer.parseInt(words[i]);
            } catch (NumberFormatException problem) {
                throw modelOptions.wrong("%s: expected token ids, got \"%s\"".formatted(file, words[i]));
            }
            if (tokens[i] < 0 || tokens[i] >= vocabulary) {
                throw modelOptions.wrong("%s: token %d is outside the vocabulary of %d".formatted(file, tokens[i], vocabulary));
            }
        }
        return tokens;
    }

    /** Row by row: all rows together may be larger than the Java heap. */
    private void write(Tensor logits, ModelOptions.Opened opened) throws IOException {
        long rowBytes = DType.F32.bytes(logits.shape().last());
        try (var arena = Arena.ofConfined();
             var file = Files.newByteChannel(output, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            var row = arena.allocate(rowBytes);
            for (long offset = 0; offset < logits.data().byteSize(); offset += rowBytes) {
                opened.backend().download(row, logits.data().asSlice(offset, rowBytes));
                var bytes = row.asByteBuffer();
                while (bytes.hasRemaining()) file.write(bytes);
            }
        }
    }
}
