import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.Shape;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.Safetensors;
import inkstone.tensor.checkpoint.TensorInfo;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tokenizer.MarkedText;
import inkstone.transformer.Converter;
import inkstone.transformer.ImportanceMatrix;
import inkstone.transformer.ImportanceMeasure;
import inkstone.transformer.MixtureOverrides;
import inkstone.transformer.Models;
import inkstone.transformer.Perplexity;
import inkstone.transformer.QuantizationMixture;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * What compare-llama-quantize runs. Real matrices are cut into rows of 256 weights, which every format takes; where the model's own rows have 64, four of them make
 * one, and so do their importances.
 */
final class CompareQuantizers {
    private static final int COLUMNS = 256, WINDOW = 512, TEXT = 40_000, THREADS = 2;
    private static final List<QuantizationMixture> TYPES = List.of(QuantizationMixture.Q8_0, QuantizationMixture.Q6_K, QuantizationMixture.Q5_K_S, QuantizationMixture.Q5_1,
        QuantizationMixture.Q5_0, QuantizationMixture.Q4_K_S, QuantizationMixture.Q4_1, QuantizationMixture.Q4_0, QuantizationMixture.IQ4_NL, QuantizationMixture.IQ4_XS,
        QuantizationMixture.MXFP4_MOE, QuantizationMixture.Q3_K_S, QuantizationMixture.Q2_K);

    private record Matrix(String group, String name, float[] weights, float[] importance) {}

    private final Path peer, folder;
    private final List<Matrix> matrices = new ArrayList<>();

    private CompareQuantizers(Path peer, Path folder) {
        this.peer = peer;
        this.folder = folder;
    }

    public static void main(String... arguments) throws Exception {
        var compare = new CompareQuantizers(Path.of(arguments[0]), Files.createTempDirectory("quantizers"));
        Path model = Path.of(arguments[1]), text = Path.of(arguments[2]);
        var importance = compare.measured(model, text);
        compare.addModel(model, importance);
        for (int i = 3; i < arguments.length; i++) compare.addSafetensors(Path.of(arguments[i]));
        compare.addGaussian();
        compare.errors();
        compare.perplexities(model, text, importance);
    }

    // ---- matrices --------------------------------------------------------------------------------------------------------------------------------------

    private ImportanceMatrix measured(Path model, Path text) throws IOException {
        var measure = new ImportanceMeasure(new CpuBackend(THREADS), false);
        try (var backend = measure.backend(); var opened = Models.open(model, backend)) {
            return measure.measure(opened, tokens(opened.tokenizer().encode(MarkedText.untrusted(start(text))), opened.tokenizer().bos()), WINDOW, DType.F16, text.toString(), done -> { });
        }
    }

    private static String start(Path text) throws IOException {
        var bytes = Files.readAllBytes(text);
        return new String(bytes, 0, Math.min(TEXT, bytes.length), StandardCharsets.UTF_8);
    }

    private static int[] tokens(int[] text, int bos) { return IntStream.concat(IntStream.of(bos), IntStream.of(text)).toArray(); }

    private void addModel(Path model, ImportanceMatrix importance) throws IOException {
        try (var file = Gguf.open(model)) {
            for (var info : file.tensors().values()) {
                var columns = importance.of(info);
                if (columns == null || COLUMNS % info.shape().last() != 0 || info.shape().elements() % COLUMNS != 0) continue;
                var weights = new float[(int) info.shape().elements()];
                Blocks.toFloats(info.dtype(), file.data(info.name()), 0, weights, weights.length);
                var repeated = new float[COLUMNS];
                for (int i = 0; i < COLUMNS; i++) repeated[i] = columns[0][i % info.shape().last()];
                matrices.add(new Matrix(model.getFileName().toString().replaceFirst("[-.].*", ""), info.name(), weights, repeated));
            }
        }
    }

    private void addSafetensors(Path path) throws IOException {
        try (var file = Safetensors.open(path)) {
            for (var info : file.tensors().values()) {
                if (info.shape().rank() < 2 || info.shape().elements() % COLUMNS != 0) continue;
                var weights = new float[(int) info.shape().elements()];
                Blocks.toFloats(info.dtype(), file.data(info.name()), 0, weights, weights.length);
                matrices.add(new Matrix(path.getFileName().toString().replace(".safetensors", ""), "blk.0.m%d.weight".formatted(matrices.size()), weights, random(matrices.size())));
            }
        }
    }

    private void addGaussian() {
        var random = new Random(1);
        var weights = new float[1024 * COLUMNS];
        for (int i = 0; i < weights.length; i++) weights[i] = (float) random.nextGaussian() * 0.02f;
        matrices.add(new Matrix("gaussian", "blk.0.gaussian.weight", weights, random(0)));
    }

    /** As uneven as what comes to a model's matrices: log-normal. */
    private static float[] random(long seed) {
        var random = new Random(seed);
        var importance = new float[COLUMNS];
        for (int i = 0; i < COLUMNS; i++) importance[i] = (float) Math.exp(1.5 * random.nextGaussian());
        return importance;
    }

    // ---- errors ----------------------------------------------------------------------------------------------------------------------------------------

    private void errors() throws Exception {
        var source = folder.resolve("matrices.gguf");
        var writer = new GgufWriter().string("general.architecture", "llama").u32("llama.block_count", 99).u32("llama.context_length", 512).u32("llama.embedding_length", COLUMNS)
            .u32("llama.feed_forward_length", COLUMNS).u32("llama.attention.head_count", 1).f32("llama.attention.layer_norm_rms_epsilon", 1e-5f).u32("llama.vocab_size", 512);
        var entries = new TreeMap<String, ImportanceMatrix.Entry>();
        for (var matrix : matrices) {
            writer.tensor(new TensorInfo(matrix.name, DType.F32, new Shape(matrix.weights.length / COLUMNS, COLUMNS)), out -> out.write(MemorySegment.ofArray(matrix.weights)));
            entries.put(matrix.name, new ImportanceMatrix.Entry(matrix.importance, new float[] {1}));
        }
        writer.write(source);
        var importance = new ImportanceMatrix(entries, List.of("none"), 1, 512);
        var written = folder.resolve("importance.gguf");
        importance.write(written);
        for (boolean weighted : new boolean[] {false, true}) {
            System.out.printf("%nNormalised mean squared error, %s: inkstone, llama.cpp, ratio%n", weighted ? "with an importance matrix and weighted by it" : "all weights alike");
            for (var type : TYPES) {
                Path ours = folder.resolve("ours.gguf"), theirs = folder.resolve("theirs.gguf");
                var overrides = new MixtureOverrides(true, false, null, null, Map.of());
                Converter.quantize(source, ours, new Converter.Quantization(type, overrides, weighted ? importance : null, false), THREADS, (tensor, done, all) -> { });
                theirs(weighted ? List.of("--pure", "--imatrix", written.toString()) : List.of("--pure"), source, theirs, type);
                var line = new StringBuilder("%-10s".formatted(type.name().replaceFirst("_(S|MOE)$", "")));
                var a = errors(ours, weighted);
                var b = errors(theirs, weighted);
                a.forEach((group, error) -> line.append(String.format(Locale.ROOT, "  %s %.3e %.3e %.3f", group, error, b.get(group), error / b.get(group))));
                System.out.println(line);
            }
        }
    }

    /** By group, errors and squares added over all of its matrices. */
    private Map<String, Double> errors(Path path, boolean weighted) throws IOException {
        var sums = new LinkedHashMap<String, double[]>();
        try (var file = Gguf.open(path)) {
            for (var matrix : matrices) {
                var x = matrix.weights;
                var y = new float[x.length];
                Blocks.toFloats(file.tensors().get(matrix.name).dtype(), file.data(matrix.name), 0, y, y.length);
                var sum = sums.computeIfAbsent(matrix.group, _ -> new double[2]);
                for (int i = 0; i < x.length; i++) {
                    double weight = weighted ? matrix.importance[i % COLUMNS] : 1;
                    sum[0] += weight * (x[i] - y[i]) * (x[i] - y[i]);
                    sum[1] += weight * x[i] * x[i];
                }
            }
        }
        var errors = new LinkedHashMap<String, Double>();
        sums.forEach((group, sum) -> errors.put(group, sum[0] / sum[1]));
        return errors;
    }

    private void theirs(List<String> options, Path source, Path target, QuantizationMixture type) throws Exception {
        var command = new ArrayList<>(List.of(peer.toString()));
        command.addAll(options);
        command.addAll(List.of(source.toString(), target.toString(), type.name(), "2"));
        int code = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(folder.resolve("log").toFile()).start().waitFor();
        if (code != 0) throw new IllegalStateException(Files.readString(folder.resolve("log")));
    }

    // ---- perplexity ------------------------------------------------------------------------------------------------------------------------------------

    private void perplexities(Path model, Path text, ImportanceMatrix importance) throws Exception {
        var written = folder.resolve("importance.gguf");
        Files.delete(written);
        importance.write(written);
        System.out.printf(Locale.ROOT, "%nPerplexity of %s on %d bytes of the text: inkstone's and llama.cpp's file, then both with an importance matrix; source %.4f%n", model.getFileName(),
            TEXT, perplexity(model, text));
        var odd = Pattern.compile("ffn_down");                               // 172 columns in stories260K, which llama.cpp does not leave alone by itself
        var overrides = new MixtureOverrides(true, false, null, null, Map.of(odd, DType.F16));
        for (var type : TYPES) {
            if (type.name().contains("_K") || type == QuantizationMixture.IQ4_XS) continue;                       // rows are too short for blocks of 256
            var line = new StringBuilder("%-10s".formatted(type.name()));
            for (boolean weighted : new boolean[] {false, true}) {
                Path ours = folder.resolve("ours.gguf"), theirs = folder.resolve("theirs.gguf");
                Converter.quantize(model, ours, new Converter.Quantization(type, overrides, weighted ? importance : null, false), THREADS, (tensor, done, all) -> { });
                var options = new ArrayList<>(List.of("--pure", "--tensor-type", odd + "=f16"));
                if (weighted) options.addAll(List.of("--imatrix", written.toString()));
                theirs(options, model, theirs, type);
                line.append(String.format(Locale.ROOT, "  %.4f %.4f", perplexity(ours, text), perplexity(theirs, text)));
            }
            System.out.println(line);
        }
    }

    private static double perplexity(Path model, Path text) throws IOException {
        try (var backend = new CpuBackend(THREADS); var opened = Models.open(model, backend)) {
            return Perplexity.of(opened, tokens(opened.tokenizer().encode(MarkedText.untrusted(start(text))), opened.tokenizer().bos()), WINDOW, DType.F16, done -> { }).value();
        }
    }
}
