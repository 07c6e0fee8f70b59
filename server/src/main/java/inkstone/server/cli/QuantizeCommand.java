package inkstone.server.cli;

import inkstone.tensor.DType;
import inkstone.transformer.Converter;
import inkstone.transformer.ImportanceMatrix;
import inkstone.transformer.MixtureOverrides;
import inkstone.transformer.QuantizationMixture;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "quantize", description = "Writes a GGUF file with fewer bits a weight, more of them for the tensors that suffer most.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class QuantizeCommand implements Callable<Integer> {
    private static final String TYPES = "F32 F16 BF16 Q8_0 Q6_K Q5_K_M Q5_K_S Q5_1 Q5_0 Q4_K_M Q4_K_S Q4_1 Q4_0 IQ4_NL IQ4_XS Q3_K_L Q3_K_M Q3_K_S Q2_K Q2_K_S MXFP4_MOE";

    @Spec private CommandSpec command;
    @Mixin private ConverterOptions options;

    @Parameters(paramLabel = "IN", description = "A .gguf file, best in f32, f16 or bf16; of a split model the first part.")
    private Path source;

    @Parameters(paramLabel = "OUT", description = "The .gguf file to write.")
    private Path target;

    @Parameters(paramLabel = "TYPE", description = "One of " + TYPES + ".")
    private String type;

    @Option(names = "--imatrix", paramLabel = "FILE", description = "What matters in the model, as the command imatrix or llama.cpp's writes it: better answers from the same bits.")
    private Path imatrix;

    @Option(names = "--allow-requantize", description = "Accept a model that is quantized already. Rounding twice costs quality.")
    private boolean allowRequantize;

    @Option(names = "--pure", description = "Every matrix in the same format, none with more bits.")
    private boolean pure;

    @Option(names = "--leave-output-tensor", description = "Leave output.weight as it is.")
    private boolean keepOutput;

    @Option(names = "--output-tensor-type", paramLabel = "FORMAT", description = "Format of output.weight: f16, q8_0, q6_k, ...")
    private String output;

    @Option(names = "--token-embedding-type", paramLabel = "FORMAT", description = "Format of the token embeddings.")
    private String embedding;

    @Option(names = "--tensor-type", paramLabel = "NAME=FORMAT",
        description = "Format of the tensors whose name has a match of NAME, a regular expression; may be given several times: attn_v=q8_0.")
    private List<String> tensors = List.of();

    @Override public Integer call() throws IOException {
        var mixture = mixture();
        var overrides = new MixtureOverrides(pure, keepOutput, format("--token-embedding-type", embedding), format("--output-tensor-type", output), named());
        Inkstone.requireFolder(target);
        if (Files.isRegularFile(target)) throw new FileAlreadyExistsException(target.toString());
        var importance = imatrix == null ? null : ImportanceMatrix.read(imatrix);
        var quantization = new Converter.Quantization(mixture, overrides, importance, allowRequantize);
        var summary = options.run(command, (threads, progress) -> Converter.quantize(source, target, quantization, threads, progress));
        options.report(command, target, mixture.name(), summary);
        return 0;
    }

    private QuantizationMixture mixture() {
        if (type.matches("(?i)IQ[123]_.*")) throw wrong("%s needs ggml's code books, which are not part of Inkstone; Q2_K, Q2_K_S or Q3_K_S take about as many bits".formatted(type));
        return QuantizationMixture.named(type).orElseThrow(() -> wrong("no type %s; there are %s".formatted(type, TYPES)));
    }

    private DType format(String option, String name) {
        if (name == null) return null;
        var formats = Arrays.stream(DType.values()).filter(dtype -> dtype != DType.I32).toList();
        return formats.stream().filter(dtype -> dtype.name().equalsIgnoreCase(name)).findFirst().orElseThrow(() ->
            wrong("%s: no format %s; there are %s".formatted(option, name, formats.stream().map(dtype -> dtype.name().toLowerCase(Locale.ROOT)).collect(Collectors.joining(" ")))));
    }

    private LinkedHashMap<Pattern, DType> named() {
        var named = new LinkedHashMap<Pattern, DType>();
        for (var given : tensors) {
            int equals = given.lastIndexOf('=');
            if (equals < 1) throw wrong("--tensor-type should be NAME=FORMAT, got " + given);
            try {
                named.put(Pattern.compile(given.substring(0, equals)), format("--tensor-type", given.substring(equals + 1)));
            } catch (PatternSyntaxException e) {
                throw wrong("--tensor-type: %s is no regular expression: %s".formatted(given.substring(0, equals), e.getDescription()));
            }
        }
        return named;
    }

    private ParameterException wrong(String message) { return new ParameterException(command.commandLine(), message); }
}
