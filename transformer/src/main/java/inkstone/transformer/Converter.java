package inkstone.transformer;

import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import inkstone.tensor.checkpoint.Arranged;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.GgufWriter;
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
import java.util.function.Function;
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

    /** What is added to the rows of a matrix on their way, several at a time. */
    public interface RowChange { void apply(int row, float[] values); }

    /** The changes of some matrices, by name. Rows are numbered as in the source. */
    public record Changes(Map<String, RowChange> matrices) {
        static final Changes NONE = new Changes(Map.of());

        /** Null where the matrix stays as it is. */
        RowChange of(String tensor) { return matrices.get(tensor); }
    }

    /** The format of a matrix by its name and description. */
    private interface Formats { DType of(String name, TensorInfo source); }

    private final Path target;
    private final int fileType;
    private final Formats formats;
    private final ImportanceMatrix importance;
    private final Changes changes;
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
    private Converter(Path target, int fileType, Formats formats, ImportanceMatrix importance, Changes changes, int threads, Progress progress) {
        this.target = target;
        this.fileType = fileType;
        this.formats = formats;
        this.importance = importance;
        this.changes = changes;
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
            try (var folder = HuggingFaceFolder.open(source, Models.huggingFaceFamilies());
                 var converter = new Converter(target, fileType(type), (_, _) -> type, null, Changes.NONE, threads, progress)) {
                return converter.fromDirectory(folder);
            }
        }
        try (var file = Gguf.open(source); var converter = new Converter(target, fileType(type), (_, _) -> type, null, Changes.NONE, threads, progress)) {
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
            try (var converter = new Converter(target, mixture.fileType, (name, _) -> formats.get(name), importance, Changes.NONE, threads, progress)) {
                return converter.fromGguf(file);
            }
        }
    }

    /**
     * Writes a model with changed matrices.
     *
     * @param mixture the formats; null where each tensor keeps its own
     * @param changes told what the source is, tells what changes in it
     * @throws ModelException where the source is not a model, or the changes are not of it
     */
    public static Summary merge(Path source, Path target, QuantizationMixture mixture, Function<AdapterBase, Changes> changes, int threads, Progress progress) throws IOException {
        requireTarget(target);
        if (!Files.exists(source)) throw new ModelException("%s does not exist; give a GGUF file or a model's directory".formatted(source));
        if (Files.isDirectory(source)) {
            try (var folder = HuggingFaceFolder.open(source, Models.huggingFaceFamilies());
                 var converter = merging(folder.file(), folder.family(), true, target, mixture, changes, threads, progress)) {
                return converter.fromDirectory(folder);
            }
        }
        try (var file = Gguf.open(source);
             var converter = merging(file, Models.family(file.metadata().string("general.architecture"), source), false, target, mixture, changes, threads, progress)) {
            return converter.fromGguf(file);
        }
    }

    private static Converter merging(Checkpoint file, HuggingFaceFamily family, boolean folder, Path target, QuantizationMixture mixture, Function<AdapterBase, Changes> changes,
                                     int threads, Progress progress) {
        var changed = changes.apply(AdapterBase.of(file, family, folder));
        if (mixture == null) {
            var most = DType.valueOf(Models.format(file.tensors().values()));
            return new Converter(target, file.metadata().integer("general.file_type", fileType(most)), (_, info) -> info.dtype(), null, changed, threads, progress);
        }
        var formats = mixture.formats(file.metadata(), file.tensors().values(), MixtureOverrides.NONE, false);
        return new Converter(target, mixture.fileType, (name, _) -> formats.get(name), null, changed, threads, progress);
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

    private Summary fromDirectory(HuggingFaceFolder<?> folder) throws IOException {
        var directory = folder.directory();
        var model = folder.model();
        requireWhole(folder);
        writer.string("general.architecture", folder.family().architecture());
        writer.string("general.name", Models.name(directory));
        formatKeys();
        model.metadata().forEach(this::put);
        padded(Tokenizers.toGguf(directory), folder.file().tensors().get("token_embd.weight").shape().dim(0)).forEach(this::put);
        var template = Models.chatTemplate(directory);
        if (template != null) writer.string("tokenizer.chat_template", template);
        for (var info : folder.file().tensors().values()) {
            if (info.dtype() == DType.I32) continue;
            if (folder.file().isMapped(info.name())) add(info.name(), info, folder.file(), model.sourceRow(info.name()));
            else addMade(info, folder.file(), model.sourceRow(info.name()));
        }
        return write();
    }

    /** The folder must make a model before it may become another file. */
    private static void requireWhole(HuggingFaceFolder<?> folder) {
        if (folder.model().untold() != null) throw new ModelException("%s: a GGUF file cannot tell %s".formatted(folder.config().source(), folder.model().untold()));
        try (var backend = new ReferenceBackend(); var weights = CheckpointWeights.unread(folder.file(), backend)) {
            switch (folder.family()) {
                case Family family -> family.fromGguf(folder.file(), weights, backend);
                case EmbeddingFamily family -> family.fromGguf(folder.file(), weights, backend);
                default -> throw new IllegalStateException("%s makes no model".formatted(folder.family()));
            }
            UnheededKeys.refuse(folder.file().metadata(), folder.family().architecture());
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

    private void put(String key, Object value) { put(writer, key, value); }

    /** A metadata value by its Java type. */
    public static void put(GgufWriter writer, String key, Object value) {
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
            case boolean[] layers -> throw new ModelException("the %d layers that %s tells follow no period, which a GGUF file cannot tell".formatted(layers.length, key));
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
        var change = changes.of(name);
        if (info.dtype() == source.dtype() && !moved && change == null) {
            add(info, out -> copy(bytes, out));
            return;
        }
        if (info.dtype().isQuantized() && source.dtype().isQuantized() && (info.dtype() != source.dtype() || change != null)) requantized.add(name);
        int length = moved && source.shape().rank() == 1 ? 1 : source.shape().last();
        long rowBytes = source.dtype().bytes(length);
        var rows = new Rows(name, length, source.dtype(), info.dtype(), (row, _) -> bytes.asSlice(sourceRow.applyAsInt(row) * rowBytes, rowBytes), sourceRow, change,
            columnImportance(info));
        add(info, out -> write(rows, Math.toIntExact(source.shape().elements() / length), out));
    }

    /** A tensor that must be made of a folder's, never more than some rows of it at once. What is quantized there stays as it is. */
    private void addMade(TensorInfo source, Arranged file, IntUnaryOperator sourceRow) {
        var info = new TensorInfo(source.name(), source.dtype().isQuantized() ? source.dtype() : format(source.name(), source), source.shape());
        bytesRead += source.dtype().bytes(source.shape().elements());
        int length = source.shape().rank() == 1 ? 1 : source.shape().last(), blocks = length / source.dtype().blockSize;
        var rows = new Rows(info.name(), length, source.dtype(), info.dtype(), (row, buffer) -> {
            file.read(source.name(), (long) sourceRow.applyAsInt(row) * blocks, blocks, buffer);
            return buffer;
        }, sourceRow, changes.of(source.name()), null);
        add(info, out -> write(rows, Math.toIntExact(source.shape().elements() / length), out));
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
        if (source.shape().rows() < 2 || QuantizationMixture.isSensitive(name)) return DType.F32;
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

    /** The bytes of a row of the source: where they are, or put into {@code buffer}. Several threads ask, each with a buffer of its own. */
    private interface Source { MemorySegment bytes(int row, MemorySegment buffer); }

    /**
     * Rows of {@code length} weights, the format they have and the one they get.
     *
     * @param sourceRow  which row of the source becomes a row
     * @param change     what is added to it on the way; null for nothing
     * @param importance of each column, for each of as many matrices of equally many rows; null: all alike
     */
    private record Rows(String name, int length, DType has, DType gets, Source source, IntUnaryOperator sourceRow, RowChange change,
                        float[][] importance) {
        /** Converts rows {@code from} to {@code to - 1} of {@code all}. */
        MemorySegment convert(int from, int to, int all, MemorySegment memory) {
            var floats = new float[length];
            var buffer = MemorySegment.ofArray(new byte[Math.toIntExact(has.bytes(length))]);
            long rowBytes = gets.bytes(length);
            for (int row = from; row < to; row++) {
                var bytes = source.bytes(row, buffer);
                long offset = (row - from) * rowBytes;
                if (has == gets && change == null) {
                    MemorySegment.copy(bytes, 0, memory, offset, rowBytes);
                    continue;
                }
                Blocks.toFloats(has, bytes, 0, floats, length);
                if (change != null) change.apply(sourceRow.applyAsInt(row), floats);
                store(row, floats, importance == null ? null : importance[(int) ((long) row * importance.length / all)], memory, offset);
            }
            return memory.asSlice(0, (to - from) * rowBytes);
        }

        private void store(int row, float[] floats, float[] importance, MemorySegment memory, long offset) {
            if (gets == DType.F16) requireHalf(name, floats);
            try {
                Blocks.fromFloats(gets, floats, importance, memory, offset, length);
            } catch (IllegalArgumentException e) {
                throw new ModelException("tensor %s, row %d: %s".formatted(name, row, e.getMessage()), e);
            }
        }
    }

    private void write(Rows rows, int count, TensorData.Output out) throws IOException {
        int each = Math.clamp(PIECE / rows.length, 1, count);
        pieces.write(Math.ceilDiv(count, each), each * rows.gets.bytes(rows.length),
            (index, memory) -> rows.convert(index * each, Math.min(count, (index + 1) * each), count, memory), out);
    }

    /** Throws where a number is beyond what F16 holds. */
    static void requireHalf(String name, float[] floats) {
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
