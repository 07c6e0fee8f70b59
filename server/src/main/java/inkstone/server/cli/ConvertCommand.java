package inkstone.server.cli;

import inkstone.tensor.DType;
import inkstone.transformer.Converter;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "convert", description = "Writes a model as a GGUF file in another weight format.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class ConvertCommand implements Callable<Integer> {
    /** As people and GGUF write them. */
    enum Type {
        f32(DType.F32), f16(DType.F16), bf16(DType.BF16), q8_0(DType.Q8_0), q4_0(DType.Q4_0);

        private final DType dtype;

        Type(DType dtype) { this.dtype = dtype; }
    }

    @Spec private CommandSpec command;
    @Mixin private ConverterOptions options;

    @Parameters(paramLabel = "IN", description = "A folder with safetensors, config.json and tokenizer.json, or a .gguf file, of a split model the first part.")
    private Path source;

    @Parameters(paramLabel = "OUT", description = "The .gguf file to write.")
    private Path target;

    @Option(names = "--type", paramLabel = "TYPE", required = true,
        description = "Format of the matrices: ${COMPLETION-CANDIDATES}. Vectors become f32, rows that a format's blocks do not divide f16.")
    private Type type;

    @Override public Integer call() throws IOException {
        Inkstone.requireFolder(target);
        if (Files.isRegularFile(target)) throw new FileAlreadyExistsException(target.toString());
        var summary = options.run(command, (threads, progress) -> Converter.convert(source, target, type.dtype, threads, progress));
        options.report(command, target, type.name(), summary);
        return 0;
    }
}
