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
import java.util.function.IntUnaryOperator;

/**
 * Writes a model as a GGUF file: a Hugging Face directory, or another GGUF file, in the format asked for. Tensor by tensor, so that a model may be larger than
 * memory; the file appears whole or not at all. Vectors (norms, biases) become F32. Matrices whose rows are not whole blocks of the format stay F16.
 */
public final class Converter {
    private static final int ROWS_BYTES = 1 << 20, UNUSED_TOKEN = 5;

    /** Told before each tensor is written. */
    public interface Progress { void tensor(String name, int index, int count); }

    /**
     * What was written.
     *
     * @param formats tensors of each format
     * @param keptF16 matrices that stayed F16 because the format's blocks do not divide their rows
     */
    public record Summary(int tensors, long parameters, long bytesRead, long bytesWritten, Map<DType, Integer> formats, List<String> keptF16) {}

    /** The format of a matrix by its name and description. */
    private interface Formats { DType of(String name, TensorInfo source); }

    private final Path target;
    private final int fileType;
    private final Formats formats;
    private final Progress progress;
    private final GgufWriter writer = new GgufWriter();
    private final List<TensorInfo> written = new ArrayList<>();
    private final List<String> keptF16 = new ArrayList<>();
    private long bytesRead;

    /** @param fileType llama.cpp's number for what most of the file is in */
    private Converter(Path target, int fileType, Formats formats, Progress progress) {
        this.target = target;
        this.fileType = fileType;
        this.formats = formats;
        this.progress = progress;
    }

    /**
     * @param source a GGUF file, or a directory with safetensors, config.json and tokenizer.json
     * @param type   of the matrices
     * @throws ModelException where the source is not a model, or holds numbers that the format cannot
     */
    public static Summary convert(Path source, Path target, DType type, Progress progress) throws IOException {
        if (type == DType.I32) throw new IllegalArgumentException("weights cannot be stored as I32");
        requireTarget(target);
        if (!Files.exists(source)) throw new ModelException("%s does not exist; give a GGUF file or a model's directory".formatted(source));
        var converter = new Converter(target, fileType(type), (_, _) -> type, progress);
        if (Files.isDirectory(source)) return converter.fromDirectory(source);
        try (var file = Gguf.open(source)) {
            return converter.fromGguf(file);
        }
    }

    /**
     * Writes a GGUF file with the formats that a mixture gives to each of its tensors.
     *
     * @throws ModelException where the source is not a GGUF model, or holds numbers that a format cannot
     */
    public static Summary quantize(Path source, Path target, QuantizationMixture mixture, Progress progress) throws IOException {
        requireTarget(target);
        if (Files.isDirectory(source)) throw new ModelException("%s is a directory; make a GGUF file of it first, with convert".formatted(source));
        try (var file = Gguf.open(source)) {
            requireSupported(file);
            var formats = mixture.formats(file.metadata(), file.tensors().values(), false);
            return new Converter(target, mixture.fileType, (name, _) -> formats.get(name), progress).fromGguf(file);
        }
    }

    private static void requireTarget(Path target) {
        if (Files.isDirectory(target)) throw new IllegalArgumentException("%s is a directory; name the GGUF file to write".formatted(target));
    }

    private Summary fromGguf(Gguf file) throws IOException {
        for (var key : file.metadata().values().keySet()) {
            if (!key.equals("general.file_type") && !key.equals("general.quantization_version")) writer.copy(file, key);
        }
        formatKeys();
        requireSupported(file);
        for (var info : file.tensors().values()) add(info.name(), info, file, IntUnaryOperator.identity());
        return write();
    }

    private Summary fromDirectory(Path directory) throws IOException {
        var config = HuggingFaceJson.read(directory.resolve("config.json"));
        var family = Models.huggingFaceFamily(config);
        var described = family.fromHuggingFace(config);
        try (var file = Safetensors.open(directory)) {
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
        var target = new TensorInfo(name, format(name, source), source.shape());
        var bytes = file.data(source.name());
        bytesRead += bytes.byteSize();
        boolean moved = !isIdentity(sourceRow, source.shape());
        int length = moved && source.shape().rank() == 1 ? 1 : source.shape().last();
        boolean same = target.dtype() == source.dtype() && !moved;
        add(target, same ? TensorData.of(bytes) : out -> convert(source, bytes, target, length, sourceRow, out));
    }

    private void addVector(String name, float[] values) {
        var target = new TensorInfo(name, DType.F32, new Shape(values.length));
        add(target, out -> write(target, values, out));
    }

    /** A tensor that the source keeps otherwise, whole in memory. */
    private void addChanged(String name, TensorInfo source, Checkpoint file, Stored stored) {
        var shape = stored == Stored.TRANSPOSED ? new Shape(source.shape().last(), source.shape().dim(0)) : source.shape();
        var target = new TensorInfo(name, format(name, new TensorInfo(name, source.dtype(), shape)), shape);
        bytesRead += file.data(source.name()).byteSize();
        add(target, out -> {
            var values = new float[Math.toIntExact(shape.elements())];
            Blocks.toFloats(source.dtype(), file.data(source.name()), 0, values, values.length);
            write(target, stored.asked(values, source.shape().last()), out);
        });
    }

    private static void write(TensorInfo target, float[] values, TensorData.Output out) throws IOException {
        try (var arena = Arena.ofConfined()) {
            var bytes = arena.allocate(target.dtype().bytes(values.length));
            store(target, values, bytes, 0);
            out.write(bytes);
        }
    }

    private void add(TensorInfo info, TensorData data) {
        int index = written.size();
        written.add(info);
        writer.tensor(info, out -> {
            progress.tensor(info.name(), index, written.size());
            data.writeTo(out);
        });
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

    /** A few rows of {@code length} at a time: read as floats, written in the target's format. */
    private static void convert(TensorInfo source, MemorySegment bytes, TensorInfo target, int length, IntUnaryOperator sourceRow, TensorData.Output out)
            throws IOException {
        int rows = Math.toIntExact(source.shape().elements() / length);
        long rowBytes = target.dtype().bytes(length);
        int perPiece = Math.clamp(ROWS_BYTES / rowBytes, 1, rows);
        var floats = new float[length];
        try (var arena = Arena.ofConfined()) {
            var piece = arena.allocate(perPiece * rowBytes);
            for (int row = 0; row < rows; ) {
                int count = Math.min(perPiece, rows - row);
                for (int i = 0; i < count; i++, row++) {
                    Blocks.toFloats(source.dtype(), bytes, sourceRow.applyAsInt(row) * source.dtype().bytes(length), floats, length);
                    store(target, floats, piece, i * rowBytes);
                }
                out.write(piece.asSlice(0, count * rowBytes));
            }
        }
    }

    private static void store(TensorInfo target, float[] floats, MemorySegment piece, long offset) {
        if (target.dtype() == DType.F16) requireHalf(target, floats);
        try {
            Blocks.fromFloats(target.dtype(), floats, piece, offset, floats.length);
        } catch (IllegalArgumentException e) {
            throw new ModelException("tensor %s: %s".formatted(target.name(), e.getMessage()), e);
        }
    }

    private static void requireHalf(TensorInfo target, float[] floats) {
        for (float value : floats) {
            if (Float.isFinite(value) && Float.isInfinite(Float.float16ToFloat(Float.floatToFloat16(value)))) {
                throw new ModelException("tensor %s holds %s, F16 ends at 65504; use bf16 or f32".formatted(target.name(), value));
            }
        }
    }

    private Summary write() throws IOException {
        writer.write(target);
        var formats = new LinkedHashMap<DType, Integer>();
        long parameters = 0;
        for (var info : written) {
            formats.merge(info.dtype(), 1, Integer::sum);
            parameters += info.shape().elements();
        }
        return new Summary(written.size(), parameters, bytesRead, Files.size(target), formats, List.copyOf(keptF16));
    }
}
