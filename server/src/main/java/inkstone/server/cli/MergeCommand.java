package inkstone.server.cli;

import inkstone.tensor.DType;
import inkstone.transformer.MergedFolder;
import inkstone.transformer.QuantizationMixture;
import inkstone.transformer.adapters.AdapterFile;
import inkstone.transformer.adapters.Merge;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "merge", description = "Writes a model with adapters as one model that needs none: a GGUF file, or of a folder also a folder.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class MergeCommand implements Callable<Integer> {
    private static final Set<String> OF_FOLDERS = Set.of("F32", "F16", "BF16");

    @Spec private CommandSpec command;
    @Mixin private ConverterOptions options;

    @Parameters(index = "0", paramLabel = "MODEL", description = "A .gguf file, best in f32, f16 or bf16, or a folder with safetensors, config.json and tokenizer.json.")
    private Path model;

    @Parameters(index = "1..*", arity = "2..*", paramLabel = "ADAPTER[:WEIGHT].. OUT", hideParamSyntax = true,
        description = "The adapters, GGUF files or folders as PEFT writes them, and at last what to write: a .gguf file, or a folder.")
    private List<String> rest;

    @Option(names = "--type", paramLabel = "TYPE", description = "Format of the matrices, as quantize has them: F16, Q8_0, Q4_K_M, ...; of a folder F32, F16 or BF16. Default: as in MODEL.")
    private String type;

    @Option(names = "--weight", paramLabel = "W", description = "How much is wanted of the adapters that have no weight of their own: 1 is all. Default: 1.")
    private Float weight;

    @Override public Integer call() throws IOException {
        var target = Path.of(rest.getLast());
        var adapters = adapters();
        var mixture = type == null ? null : QuantizationMixture.named(type).orElseThrow(() -> wrong("no type %s; quantize --help lists them".formatted(type)));
        Inkstone.requireFolder(target);
        if (target.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".gguf")) {
            if (Files.exists(target)) throw new FileAlreadyExistsException(target.toString());
            var summary = options.run(command, (threads, progress) -> Merge.toGguf(model, adapters, target, mixture, threads, progress));
            options.report(command, target, mixture == null ? "its own type" : mixture.name(), summary);
        } else {
            if (mixture != null && !OF_FOLDERS.contains(mixture.name())) throw wrong("a folder holds F32, F16 or BF16, not %s; name a .gguf file to write".formatted(mixture));
            if (Files.isRegularFile(target)) throw new FileAlreadyExistsException(target.toString());
            var summary = toFolder(adapters, target, mixture == null ? null : DType.valueOf(mixture.name()));
            command.commandLine().getOut().printf(Locale.ROOT, "%s: %d tensors, %d of them changed, %,.1f MiB%n", target, summary.tensors(), summary.changed(), summary.bytes() / 1048576.0);
        }
        return 0;
    }

    private MergedFolder.Summary toFolder(List<AdapterFile> adapters, Path target, DType dtype) throws IOException {
        try (var bar = new ProgressBar(command.commandLine().getErr())) {
            return Merge.toFolder(model, adapters, target, dtype, (tensor, written, all) -> bar.showBytes(written, all, tensor));
        }
    }

    private List<AdapterFile> adapters() {
        if (weight != null && !Float.isFinite(weight)) throw wrong("--weight must be a number, got " + weight);
        var adapters = new ArrayList<AdapterFile>();
        for (var text : rest.subList(0, rest.size() - 1)) {
            var file = AdapterFile.of(text);
            boolean plain = file.path().equals(Path.of(text));
            adapters.add(plain && weight != null ? new AdapterFile(file.path(), weight) : file);
        }
        return adapters;
    }

    private ParameterException wrong(String message) { return new ParameterException(command.commandLine(), message); }
}
