package inkstone.transformer;

import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.Safetensors;
import inkstone.tensor.checkpoint.Stored;
import inkstone.tensor.checkpoint.TensorData;
import inkstone.tensor.checkpoint.TensorInfo;
import inkstone.tensor.reference.ReferenceBackend;
import inkstone.tokenizer.Tokenizers;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntUnaryOperator;

/**
 * Writes a model as a GGUF file: a Hugging Face directory, or another GGUF file, in the format asked for. A few rows at a time, on several threads, so that a model
 * may be larger than memory; the file appears whole or not at all, and is the same whatever the threads. Vectors (norms, biases) become F32. Matrices whose rows are
 * not whole blocks of the format stay F16.
 */
public final class Converter implements AutoCloseable {
    /** Weights of a piece that one thread converts: 256 KiB of floats, which stay in its cache. */
    private static final int PIECE = 1 << 16;
    /** What importance matrices usually leave out: embeddings are no matrix that anything comes to, and the output matrix has bits enough. */
    private static final Set<String> UNMEASURED = Set.of("token_embd.weight", "output.weight");
    private static final int COPIED = 1 << 24, UNUSED_TOKEN = 5;

    /** Told often how many bytes of {@code all} are written, and which tensor is at work. */
    public interface Progress { void at(String tensor, long written, long all); }

    /**
     * What was written.
     *
     * @param formats     tensors of each format
     * @param keptF16     matrices that stayed F16 because the format's blocks do not divide their rows
     * @param requantized matrices that lost precision a second time: they were quantized in the source, and now are in another such format
     * @param unweighted  quantized matrices of the blocks without an entry in the importance matrix; empty where there was no importance matrix
     */
    public record Summary(int tensors, long parameters, long bytesRead, long bytesWritten, Map<DType, Integer> formats, List<String> keptF16, List<String> requantized,
                          List<String> unweighted) {}

    /** The format of a matrix by its name and description. */
    private interface Formats { DType of(String name, TensorInfo source); }

    private final Path target;
    private final int fileType;
    private final Formats formats;
    private final ImportanceMatrix importance;
    private final Progress progress;
    private final OrderedPieces pieces;
    private final GgufWriter writer = new GgufWriter();
    private final List<TensorInfo> tensors = new ArrayList<>();
    private final List<String> keptF16 = new ArrayList<>(), requantized = new ArrayList<>(), unweighted = new ArrayList<>();
    private long bytesRead, bytesWritten, bytesToWrite;

    /**
     * @param fileType   llama.cpp's number for what most of the file is in
     * @param importance null: all weights alike
     */
    private Converter(Path target, int fileType, Formats formats, ImportanceMatrix importance, int threads, Progress progress) {
        this.target = target;
        this.fileType = fileType;
        this.formats = formats;
        this.importance = importance;
        this.progress = progress;
        this.pieces = new OrderedPieces(threads);
    }

    /**
     * @param source a GGUF file, or a directory with safetensors, config.json and tokenizer.json
     * @param type   of the matrices
     * @throws ModelException where the source is not a model, or holds numbers that the format cannot
     */
    public static Summary convert(Path source, Path target, DType type, int threads, Progress progress) throws IOException {
        if (type == DType.I32) throw new IllegalArgumentException("weights cannot be stored as I32");
        requireTarget(target);
        if (!Files.exists(source)) throw new ModelException("%s does not exist; give a GGUF file or a model's directory".formatted(source));
        if (Files.isDirectory(source)) {
            try (var file = Safetensors.open(source); var converter = new Converter(target, fileType(type), (_, _) -> type, null, threads, progress)) {
                return converter.fromDirectory(source, file);
            }
        }
        try (var file = Gguf.open(source); var converter = new Converter(target, fileType(type), (_, _) -> type, null, threads, progress)) {
            return converter.fromGguf(file);
        }
    }

    /**
     * How a model shall be quantized.
     *
     * @param importance      what the errors of each column weigh; null: all alike
     * @param allowRequantize whether matrices may lose precision a second time
     */
    public record Quantization(QuantizationMixture mixture, MixtureOverrides overrides, ImportanceMatrix importance, boolean allowRequantize) {
        public Quantization(QuantizationMixture mixture) { this(mixture, MixtureOverrides.NONE, null, false); }
    }

    /**
     * Writes a GGUF file with the formats that a mixture gives to each of its tensors.
     *
     * @throws ModelException where the source is not a GGUF model, is quantized already, or holds numbers that a format cannot, and where the importance matrix is
     *                        one of another model
     */
    public static Summary quantize(Path source, Path target, Quantization quantization, int threads, Progress progress) throws IOException {
        requireTarget(target);
        if (Files.isDirectory(source)) throw new ModelException("%s is a directory; make a GGUF file of it first, with convert".formatted(source));
        try (var file = Gguf.open(source)) {
            requireSupported(file);
            var mixture = quantization.mixture;
            var importance = quantization.importance;
            if (importance != null) importance.requireOf(file.tensors());
            var formats = mixture.formats(file.metadata(), file.tensors().values(), quantization.overrides, importance != null);
            if (!quantization.allowRequantize) requireFloats(file, formats);
            try (var converter = new Converter(target, mixture.fileType, (name, _) -> formats.get(name), importance, threads, progress)) {
                return converter.fromGguf(file);
            }
        }
    }

    private static void requireTarget(Path target) {
        if (Files.isDirectory(target)) throw new IllegalArgumentException("%s is a directory; name the GGUF file to write".formatted(target));
    }

    private Summary fromGguf(Gguf file) throws IOException {
        for (var key : file.metadata().values().keySet()) if (!isAboutTheFile(key)) writer.copy(file, key);
        formatKeys();
        requireSupported(file);
        for (var info : file.tensors().values()) add(info.name(), info, file, IntUnaryOperator.identity());
        return write();
    }

    /** Formats and parts are those of the file that was read. */
    private static boolean isAboutTheFile(String key) { return key.equals("general.file_type") || key.equals("general.quantization_version") || key.startsWith("split."); }

    private Summary fromDirectory(Path directory, Safetensors file) throws IOException {
        var config = HuggingFaceJson.read(directory.resolve("config.json"));
        var family = Models.huggingFaceFamily(config);
        var described = family.fromHuggingFace(config);
        requireWhole(described, file);
        writer.string("general.architecture", family.architecture());
        writer.string("general.name", Models.name(directory));
        formatKeys();
        described.ggufMetadata().forEach(this::put);
        padded(Tokenizers.toGguf(directory), config.integer("vocab_size")).forEach(this::put);
        var template = Models.chatTemplate(directory);
        if (template != null) writer.string("tokenizer.chat_template", template);
        described.ggufVectors().forEach(this::addVector);
        for (var info : file.tensors().values()) {
            var name = described.ggufName(info.name());
            if (described.unused(name) || info.dtype() == DType.I32) continue;
            if (described.stored(name) == Stored.AS_ASKED) add(name, info, file, described.sourceRow(name)); else addChanged(name, info, file, described.stored(name));
        }
        return write();
    }

    /** The file must make a model before it may become another file. */
    private static void requireWhole(Family.HuggingFaceModel described, Checkpoint file) {
        try (var backend = new ReferenceBackend(); var weights = new CheckpointWeights(file, backend, described::ggufName, described::stored)) {
            described.of(weights, backend);
        }
    }

    private static void requireSupported(Checkpoint file) {
        file.unsupported().forEach((name, format) -> {
            throw new ModelException("%s: tensor %s is %s, which cannot be converted; start from an F16 or Q8_0 file of the same model"
                .formatted(file.metadata().source(), name, format));
        });
    }

    /** What was rounded once must not be rounded again unasked. */
    private static void requireFloats(Checkpoint file, Map<String, DType> formats) {
        for (var info : file.tensors().values()) {
            var format = formats.get(info.name());
            if (!info.dtype().isQuantized() || !format.isQuantized() || info.dtype() == format) continue;
            throw new ModelException("%s is quantized already: tensor %s is %s and would become %s; start from an f32, f16 or bf16 file, or accept the loss with --allow-requantize"
                .formatted(file.metadata().source(), info.name(), info.dtype(), format));
        }
    }

    // ---- metadata --------------------------------------------------------------------------------------------------------------------------------------

    private void formatKeys() {
        writer.u32("general.file_type", fileType);
        writer.u32("general.quantization_version", 2);
    }

    /** llama.cpp's numbers for what most of a file is in. */
    private static int fileType(DType type) {
        return switch (type) {
            case F32 -> 0;
            case F16 -> 1;
            case Q4_0 -> 2;
            case Q4_1 -> 3;
            case Q8_0 -> 7;
            case Q5_0 -> 8;
            case Q5_1 -> 9;
            case Q2_K -> 10;
            case Q3_K -> 11;
            case Q4_K -> 14;
            case Q5_K -> 16;
            case Q6_K -> 18;
            case IQ4_NL -> 25;
            case IQ4_XS -> 30;
            case BF16 -> 32;
            case MXFP4 -> 38;
            case I32 -> throw new IllegalArgumentException("weights cannot be stored as I32");
        };
    }

    private void put(String key, Object value) {
        switch (value) {
            case String text -> writer.string(key, text);
            case Boolean bool -> writer.bool(key, bool);
            case Integer integer -> writer.u32(key, integer);
            case Long integer -> writer.u32(key, integer);
            case Float number -> writer.f32(key, number);
            case Double number -> writer.f32(key, (float) (double) number);
            case long[] integers -> writer.i32s(key, Arrays.stream(integers).mapToInt(Math::toIntExact).toArray());
            case double[] numbers -> {
                var floats = new float[numbers.length];
                for (int i = 0; i < floats.length; i++) floats[i] = (float) numbers[i];
                writer.f32s(key, floats);
            }
            case List<?> texts -> writer.strings(key, texts.stream().map(String.class::cast).toList());
            default -> throw new IllegalArgumentException("no GGUF type for %s of %s".formatted(value.getClass().getSimpleName(), key));
        }
    }

    /** Embeddings may have rows beyond the vocabulary; llama.cpp wants a token for every row. */
    static Map<String, Object> padded(Map<String, Object> tokenizer, int rows) {
        var padded = new LinkedHashMap<>(tokenizer);
        padded.computeIfPresent("tokenizer.ggml.tokens", (_, value) -> {
            var tokens = new ArrayList<Object>((List<?>) value);
            while (tokens.size() < rows) tokens.add("[PAD%d]".formatted(tokens.size()));
            return tokens;
        });
        padded.computeIfPresent("tokenizer.ggml.token_type", (_, value) -> {
            var types = (long[]) value;
            var longer = Arrays.copyOf(types, Math.max(rows, types.length));
            Arrays.fill(longer, types.length, longer.length, UNUSED_TOKEN);
            return longer;
        });
        padded.computeIfPresent("tokenizer.ggml.scores", (_, value) -> Arrays.copyOf((double[]) value, Math.max(rows, ((double[]) value).length)));
        return padded;
    }

    // ---- tensors ---------------------------------------------------------------------------------------------------------------------------------------

    private void add(String name, TensorInfo source, Checkpoint file, IntUnaryOperator sourceRow) {
        var info = new TensorInfo(name, format(name, source), source.shape());
        var bytes = file.data(source.name());
        bytesRead += bytes.byteSize();
        boolean moved = !isIdentity(sourceRow, source.shape());
        if (info.dtype() == source.dtype() && !moved) {
            add(info, out -> copy(bytes, out));
            return;
        }
        if (info.dtype().isQuantized() && source.dtype().isQuantized() && info.dtype() != source.dtype()) requantized.add(name);
        int length = moved && source.shape().rank() == 1 ? 1 : source.shape().last();
        var rows = new Rows(length, info.dtype(), name, (row, floats) -> Blocks.toFloats(source.dtype(), bytes, sourceRow.applyAsInt(row) * source.dtype().bytes(length), floats, length),
            columnImportance(info));
        add(info, out -> write(rows, Math.toIntExact(source.shape().elements() / length), out));
    }

    private void addVector(String name, float[] values) {
        var info = new TensorInfo(name, DType.F32, new Shape(values.length));
        add(info, out -> out.write(MemorySegment.ofArray(values)));
    }

    /** A tensor that the source keeps otherwise, whole in memory. */
    private void addChanged(String name, TensorInfo source, Checkpoint file, Stored stored) {
        var shape = stored == Stored.TRANSPOSED ? new Shape(source.shape().last(), source.shape().dim(0)) : source.shape();
        var info = new TensorInfo(name, format(name, new TensorInfo(name, source.dtype(), shape)), shape);
        bytesRead += file.data(source.name()).byteSize();
        add(info, out -> {
            var values = new float[Math.toIntExact(shape.elements())];
            Blocks.toFloats(source.dtype(), file.data(source.name()), 0, values, values.length);
            var asked = stored.asked(values, source.shape().last());
            int length = shape.last();
            write(new Rows(length, info.dtype(), name, (row, floats) -> System.arraycopy(asked, row * length, floats, 0, length), null), shape.rows(), out);
        });
    }

    private void add(TensorInfo info, TensorData data) {
        tensors.add(info);
        bytesToWrite += info.dtype().bytes(info.shape().elements());
        writer.tensor(info, out -> data.writeTo(bytes -> {
            out.write(bytes);
            bytesWritten += bytes.byteSize();
            progress.at(info.name(), bytesWritten, bytesToWrite);
        }));
    }

    /** What the errors of a tensor's columns weigh, one array for each of its matrices; null: all alike. */
    private float[][] columnImportance(TensorInfo info) {
        if (importance == null || !info.dtype().isQuantized()) return null;
        var columns = importance.of(info);
        if (columns == null && !UNMEASURED.contains(info.name())) unweighted.add(info.name());
        return columns;
    }

    private DType format(String name, TensorInfo source) {
        if (source.dtype() == DType.I32) return DType.I32;
        if (source.shape().rank() == 1) return DType.F32;
        var type = formats.of(name, source);
        if (source.shape().last() % type.blockSize == 0) return type;
        keptF16.add(name);
        return DType.F16;
    }

    private static boolean isIdentity(IntUnaryOperator sourceRow, Shape shape) {
        for (int row = 0; row < shape.dim(0); row++) if (sourceRow.applyAsInt(row) != row) return false;
        return true;
    }

    private static void copy(MemorySegment bytes, TensorData.Output out) throws IOException {
        for (long at = 0; at < bytes.byteSize(); at += COPIED) out.write(bytes.asSlice(at, Math.min(COPIED, bytes.byteSize() - at)));
    }

    /** Reads a row of the source. */
    private interface Source { void read(int row, float[] floats); }

    /**
     * Rows of {@code length} weights and the format they get.
     *
     * @param importance of each column, for each of as many matrices of equally many rows; null: all alike
     */
    private record Rows(int length, DType dtype, String name, Source source, float[][] importance) {
        /** Converts rows {@code from} to {@code to - 1} of {@code all}. */
        MemorySegment convert(int from, int to, int all, MemorySegment memory) {
            var floats = new float[length];
            long rowBytes = dtype.bytes(length);
            for (int row = from; row < to; row++) {
                source.read(row, floats);
                store(row, floats, importance == null ? null : importance[(int) ((long) row * importance.length / all)], memory, (row - from) * rowBytes);
            }
            return memory.asSlice(0, (to - from) * rowBytes);
        }

        private void store(int row, float[] floats, float[] importance, MemorySegment memory, long offset) {
            if (dtype == DType.F16) requireHalf(name, floats);
            try {
                Blocks.fromFloats(dtype, floats, importance, memory, offset, length);
            } catch (IllegalArgumentException e) {
                throw new ModelException("tensor %s, row %d: %s".formatted(name, row, e.getMessage()), e);
            }
        }
    }

    private void write(Rows rows, int count, TensorData.Output out) throws IOException {
        int each = Math.clamp(PIECE / rows.length, 1, count);
        pieces.write(Math.ceilDiv(count, each), each * rows.dtype.bytes(rows.length),
            (index, memory) -> rows.convert(index * each, Math.min(count, (index + 1) * each), count, memory), out);
    }

    private static void requireHalf(String name, float[] floats) {
        for (float value : floats) {
            if (Float.isFinite(value) && Float.isInfinite(Float.float16ToFloat(Float.floatToFloat16(value)))) {
                throw new ModelException("tensor %s holds %s, F16 ends at 65504; use bf16 or f32".formatted(name, value));
            }
        }
    }

    private Summary write() throws IOException {
        writer.write(target);
        var formats = new LinkedHashMap<DType, Integer>();
        long parameters = 0;
        for (var info : tensors) {
            formats.merge(info.dtype(), 1, Integer::sum);
            parameters += info.shape().elements();
        }
        return new Summary(tensors.size(), parameters, bytesRead, Files.size(target), formats, List.copyOf(keptF16), List.copyOf(requantized), List.copyOf(unweighted));
    }

    @Override public void close() { pieces.close(); }
}
