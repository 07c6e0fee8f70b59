package inkstone.server.cli;

import inkstone.transformer.Converter;
import inkstone.transformer.QuantizationMixture;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "quantize", description = "Writes a GGUF file with fewer bits a weight, more of them for the tensors that suffer most.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class QuantizeCommand implements Callable<Integer> {
    @Spec private CommandSpec command;

    @Parameters(paramLabel = "IN", description = "A .gguf file, best in f32, f16 or bf16.")
    private Path source;

    @Parameters(paramLabel = "OUT", description = "The .gguf file to write.")
    private Path target;

    @Parameters(paramLabel = "TYPE", description = "One of ${COMPLETION-CANDIDATES}.")
    private QuantizationMixture type;

    @Override public Integer call() throws IOException {
        Inkstone.requireFolder(target);
        if (Files.isRegularFile(target)) throw new FileAlreadyExistsException(target.toString());
        Converter.Summary summary;
        try (var bar = new ProgressBar(command.commandLine().getErr())) {
            summary = Converter.quantize(source, target, type, (name, index, count) -> bar.show(index, count, name));
        }
        ConvertCommand.report(command, target, type.name(), summary);
        return 0;
    }
}
