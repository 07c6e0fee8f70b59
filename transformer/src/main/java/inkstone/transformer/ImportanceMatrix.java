package inkstone.transformer;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.TensorInfo;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What the errors of each column of a model's matrices weigh: the mean square of the activation that the column meets in a text. The files are llama.cpp's, GGUF
 * (tools/imatrix) and, for reading, the older .dat.
 *
 * @param entries   by the name of the tensor
 * @param texts     the files it was measured on
 * @param chunks    windows of text that were read
 * @param chunkSize tokens of a window; 0 where the file does not say
 */
public record ImportanceMatrix(SortedMap<String, Entry> entries, List<String> texts, int chunks, int chunkSize) {
    private static final String TYPE = "imatrix", SUMS = ".in_sum2", COUNTS = ".counts";
    private static final int MAX_LEGACY = 1 << 28;
    /** A column that a text hardly uses still weighs this part of the mean: another text may use it. */
    private static final double LEAST = 1e-4;

    /**
     * Sums of squares of one tensor's columns, matrix after matrix, and how many rows were added for each matrix; one count where all have the same. A dense tensor
     * is one matrix, a tensor of experts as many as there are.
     */
    public record Entry(float[] sums, float[] counts) {
        public Entry {
            if (counts.length == 0 || sums.length == 0 || sums.length % counts.length != 0) {
                throw new IllegalArgumentException("%d sums are not those of %d matrices".formatted(sums.length, counts.length));
            }
        }
    }

    public ImportanceMatrix { entries = Collections.unmodifiableSortedMap(new TreeMap<>(entries)); }

    /**
     * The mean squares for a tensor's columns, one array for each of its matrices; null where nothing was measured. A matrix that met no row (an expert never chosen)
     * has all columns alike.
     *
     * @throws ModelException where the sizes are those of another model
     */
    public float[][] of(TensorInfo tensor) {
        var entry = entries.get(tensor.name());
        if (entry == null) return null;
        int columns = tensor.shape().last(), matrices = tensor.shape().rank() < 3 ? 1 : Math.toIntExact(tensor.shape().elements() / columns / tensor.shape().dim(-2));
        if (entry.sums.length != (long) columns * matrices || matrices % entry.counts.length != 0) {
            throw new ModelException("the importance matrix has %d numbers for %s, which has %d columns in %d %s: it was measured on another model"
                .formatted(entry.sums.length, tensor.name(), columns, matrices, matrices == 1 ? "matrix" : "matrices"));
        }
        var means = new float[matrices][columns];
        for (int m = 0; m < matrices; m++) {
            float count = entry.counts[(int) ((long) m * entry.counts.length / matrices)];
            double sum = 0;
            for (int i = 0; i < columns; i++) {
                means[m][i] = count > 0 ? entry.sums[m * columns + i] / count : 1;
                sum += means[m][i];
            }
            float least = (float) (LEAST * sum / columns);
            for (int i = 0; i < columns; i++) means[m][i] = Math.max(least, means[m][i]);
        }
        return means;
    }

    /** Throws where this was measured on another model than the one with these tensors. */
    void requireOf(Map<String, TensorInfo> tensors) {
        int known = 0;
        for (var name : entries.keySet()) {
            if (!tensors.containsKey(name)) continue;
            of(tensors.get(name));
            known++;
        }
        if (known == 0) {
            throw new ModelException("the importance matrix has no entry for any tensor of the model; its first is %s".formatted(entries.isEmpty() ? "missing" : entries.firstKey()));
        }
    }

    // ---- files -----------------------------------------------------------------------------------------------------------------------------------------

    /** @throws ModelException where the file is no importance matrix or holds numbers that are no mean squares */
    public static ImportanceMatrix read(Path path) throws IOException {
        ImportanceMatrix matrix;
        if (isGguf(path)) {
            try (var file = Gguf.open(path)) { matrix = ofGguf(file); }
        } else {
            matrix = ofLegacy(path);
        }
        matrix.entries.forEach((name, entry) -> {
            for (float sum : entry.sums) require(sum >= 0 && Float.isFinite(sum), path, "%s holds %s, no sum of squares", name, sum);
            for (float count : entry.counts) require(count >= 0 && Float.isFinite(count), path, "%s holds %s, no count", name, count);
        });
        return matrix;
    }

    private static boolean isGguf(Path path) throws IOException {
        try (InputStream in = Files.newInputStream(path)) { return new String(in.readNBytes(4), StandardCharsets.ISO_8859_1).equals("GGUF"); }
    }

    private static ImportanceMatrix ofGguf(Gguf file) {
        var metadata = file.metadata();
        if (!metadata.string("general.type", "model").equals(TYPE)) {
            throw new ModelException("%s is a GGUF file but no importance matrix; make one with the command imatrix".formatted(metadata.source()));
        }
        var entries = new TreeMap<String, Entry>();
        for (var info : file.tensors().values()) {
            if (!info.name().endsWith(SUMS)) continue;
            var name = info.name().substring(0, info.name().length() - SUMS.length());
            var counts = file.tensors().get(name + COUNTS);
            if (counts == null || counts.dtype() != DType.F32 || info.dtype() != DType.F32 || info.shape().elements() % counts.shape().elements() != 0) {
                throw new ModelException("%s: %s and its counts should be F32 of fitting sizes".formatted(metadata.source(), info.name()));
            }
            entries.put(name, new Entry(file.data(info.name()).toArray(JAVA_FLOAT_UNALIGNED), file.data(counts.name()).toArray(JAVA_FLOAT_UNALIGNED)));
        }
        return new ImportanceMatrix(entries, metadata.has("imatrix.datasets") ? metadata.strings("imatrix.datasets") : List.of(), metadata.integer("imatrix.chunk_count", 0),
            metadata.integer("imatrix.chunk_size", 0));
    }

    /** The count of entries, then of each: name, calls, values that are means times calls; then the number of chunks and the text's name. All integers have 32 bits. */
    private static ImportanceMatrix ofLegacy(Path path) throws IOException {
        require(Files.size(path) <= MAX_LEGACY, path, "is no importance matrix: neither GGUF nor a .dat of such a size");
        var file = new LegacyReader(path, MemorySegment.ofArray(Files.readAllBytes(path)));
        var entries = new TreeMap<String, Entry>();
        int count = file.integer(1, Integer.MAX_VALUE);
        for (int i = 0; i < count; i++) {
            var name = file.text();
            int calls = file.integer(0, Integer.MAX_VALUE);
            entries.put(name, new Entry(file.floats(), new float[] {Math.max(1, calls)}));
        }
        if (file.ended()) return new ImportanceMatrix(entries, List.of(), 0, 0);
        int chunks = file.integer(0, Integer.MAX_VALUE);
        return new ImportanceMatrix(entries, file.ended() ? List.of() : List.of(file.text()), chunks, 0);
    }

    private static final class LegacyReader {
        private final Path path;
        private final MemorySegment file;
        private long at;

        LegacyReader(Path path, MemorySegment file) {
            this.path = path;
            this.file = file;
        }

        boolean ended() { return at == file.byteSize(); }

        int integer(int least, int most) {
            int value = file.get(JAVA_INT_UNALIGNED, take(4));
            require(value >= least && value <= most, path, "is no importance matrix: found %d where %d or more was expected", value, least);
            return value;
        }

        String text() {
            int bytes = integer(0, Integer.MAX_VALUE);
            return new String(file.asSlice(take(bytes), bytes).toArray(JAVA_BYTE), StandardCharsets.UTF_8);
        }

        float[] floats() {
            int count = integer(1, Integer.MAX_VALUE / 4);
            return file.asSlice(take(4L * count), 4L * count).toArray(JAVA_FLOAT_UNALIGNED);
        }

        private long take(long bytes) {
            require(bytes <= file.byteSize() - at, path, "is no importance matrix or is cut short: it ends after %d bytes", file.byteSize());
            long start = at;
            at += bytes;
            return start;
        }
    }

    private static void require(boolean condition, Path path, String message, Object... arguments) {
        if (!condition) throw new ModelException(path + " " + message.formatted(arguments));
    }

    /** Writes a GGUF file that llama.cpp reads as well; it appears whole or not at all. */
    public void write(Path path) throws IOException {
        var writer = new GgufWriter().string("general.type", TYPE).strings("imatrix.datasets", texts).u32("imatrix.chunk_count", chunks).u32("imatrix.chunk_size", chunkSize);
        entries.forEach((name, entry) -> {
            int matrices = entry.counts.length, columns = entry.sums.length / matrices;
            add(writer, name + SUMS, entry.sums, new Shape(matrices, columns));
            add(writer, name + COUNTS, entry.counts, new Shape(matrices, 1));
        });
        writer.write(path);
    }

    private static void add(GgufWriter writer, String name, float[] values, Shape shape) {
        writer.tensor(new TensorInfo(name, DType.F32, shape), out -> out.write(MemorySegment.ofArray(values)));
    }
}
