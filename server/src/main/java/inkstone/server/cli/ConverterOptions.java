package inkstone.server.cli;

import inkstone.transformer.Converter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** What the commands that write model files share. */
final class ConverterOptions {
    /** How many names of tensors a warning tells. */
    private static final int SHOWN = 3;

    @Option(names = {"-t", "--threads"}, paramLabel = "N", description = "Threads that convert. Default: one for each processor.")
    private Integer threads;

    interface Work { Converter.Summary run(int threads, Converter.Progress progress) throws IOException; }

    Converter.Summary run(CommandSpec command, Work work) throws IOException {
        if (threads != null && (threads < 1 || threads > 1_024)) throw new ParameterException(command.commandLine(), "--threads must be 1 to 1024, got " + threads);
        try (var bar = new ProgressBar(command.commandLine().getErr())) {
            return work.run(threads == null ? Runtime.getRuntime().availableProcessors() : threads, (tensor, written, all) -> bar.showBytes(written, all, tensor));
        }
    }

    void report(CommandSpec command, Path target, String type, Converter.Summary summary) {
        var formats = summary.formats().entrySet().stream().map(format -> format.getValue() + " " + format.getKey()).collect(Collectors.joining(", "));
        command.commandLine().getOut().printf(Locale.ROOT, "%s: %d tensors (%s), %,.1f million weights, %,.1f MiB from %,.1f MiB, %.2f bits a weight%n", target, summary.tensors(), formats,
            summary.parameters() / 1e6, summary.bytesWritten() / 1048576.0, summary.bytesRead() / 1048576.0, 8.0 * summary.bytesWritten() / summary.parameters());
        warn(command, summary.keptF16(), "kept in f16, as their rows are not whole blocks of " + type);
        warn(command, summary.requantized(), "quantized already, so that they lost precision a second time");
        warn(command, summary.unweighted(), "not in the importance matrix, so that all their columns weigh alike");
    }

    private static void warn(CommandSpec command, List<String> names, String what) {
        if (names.isEmpty()) return;
        command.commandLine().getErr().printf("inkstone: %s: %d %s (%s%s)%n", what, names.size(), names.size() == 1 ? "matrix" : "matrices",
            String.join(", ", names.subList(0, Math.min(SHOWN, names.size()))), names.size() > SHOWN ? ", ..." : "");
    }
}
