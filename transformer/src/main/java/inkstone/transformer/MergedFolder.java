package inkstone.transformer;

import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.Safetensors;
import inkstone.tensor.checkpoint.SafetensorsWriter;
import inkstone.tensor.checkpoint.TensorData;
import inkstone.tensor.checkpoint.TensorInfo;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Pattern;

/**
 * Writes a model's folder, as Hugging Face publishes it, with changed matrices: one model.safetensors, and the other files as they are. A row at a time, but for GPT-2's
 * matrices, which stand on their side.
 */
public final class MergedFolder {
    private static final Set<DType> FLOATS = Set.of(DType.F32, DType.F16, DType.BF16);
    private static final Pattern WEIGHTS = Pattern.compile(".*\\.(safetensors|bin|pt|pth|gguf|h5|msgpack|onnx)|.*\\.index\\.json");
    /** Types of masks and position tables, which every library computes itself. */
    private static final Pattern TABLE = Pattern.compile("[IU]\\d+|BOOL");

    private MergedFolder() {}

    /**
     * What was written.
     *
     * @param changed matrices that are not as before
     */
    public record Summary(int tensors, int changed, long bytes) {}

    /**
     * @param target  is made; must not hold a model already
     * @param type    of matrices, F32, F16 or BF16; null where each keeps its own
     * @param changes told what the source is, tells what changes in it
     * @throws ModelException where the source is not a folder with a model, or a change has no place in it
     */
    public static Summary write(Path source, Path target, DType type, Function<AdapterBase, Converter.Changes> changes, Converter.Progress progress) throws IOException {
        if (type != null && !FLOATS.contains(type)) throw new IllegalArgumentException("a folder holds F32, F16 or BF16, not %s; name a .gguf file to write".formatted(type));
        if (!Files.isDirectory(source)) {
            throw new ModelException("%s is no folder, so no folder can be made of it; name a .gguf file to write".formatted(source));
        }
        if (Files.exists(target.resolve("config.json"))) throw new IllegalArgumentException("%s holds a model already".formatted(target));
        try (var folder = HuggingFaceFolder.open(source, Models.huggingFaceFamilies()); var file = Safetensors.open(source)) {
            var base = AdapterBase.of(folder.file(), folder.family(), true);
            if (base.layout() == null) throw new ModelException("%s: a merged model of architecture \"%s\" can be written as a .gguf file only".formatted(source, base.architecture()));
            var summary = write(file, base, target, type, changes.apply(base), progress);
            try (var others = Files.list(source)) {
                for (var other : others.filter(Files::isRegularFile).filter(path -> !WEIGHTS.matcher(path.getFileName().toString()).matches()).toList()) {
                    Files.copy(other, target.resolve(other.getFileName()));
                }
            }
            return summary;
        }
    }

    private static Summary write(Safetensors file, AdapterBase base, Path target, DType type, Converter.Changes changes, Converter.Progress progress) throws IOException {
        file.unsupported().forEach((name, format) -> {
            if (!TABLE.matcher(format).matches()) throw new ModelException("%s: tensor %s is %s, which a merged folder cannot hold; name a .gguf file to write".formatted(base.source(), name, format));
        });
        var planned = new LinkedHashMap<TensorInfo, TensorData>();
        var left = new TreeSet<>(changes.matrices().keySet());
        for (var info : file.tensors().values()) {
            var name = base.layout().linear(info.name().replaceFirst("\\.weight$", "")) + ".weight";
            var change = info.name().endsWith(".weight") && info.shape().rank() == 2 ? changes.of(name) : null;
            if (change != null) left.remove(name);
            var gets = type == null || info.shape().rank() < 2 || info.dtype() == DType.I32 ? info.dtype() : type;
            boolean onItsSide = change != null && base.layout().transposed() && info.name().matches(".*\\.h\\.\\d+\\..*|h\\.\\d+\\..*");
            planned.put(new TensorInfo(info.name(), gets, info.shape()), onItsSide ? onItsSide(file, info, gets, change) : rows(file, info, gets, change));
        }
        if (!left.isEmpty()) throw new ModelException("%s: %s does not stand in the folder by itself; name a .gguf file to write".formatted(base.source(), left.first()));
        long all = planned.keySet().stream().mapToLong(info -> info.dtype().bytes(info.shape().elements())).sum();
        var writer = new SafetensorsWriter().metadata("format", "pt");
        var written = new long[1];
        planned.forEach((info, data) -> writer.tensor(info, out -> data.writeTo(bytes -> {
            out.write(bytes);
            written[0] += bytes.byteSize();
            progress.at(info.name(), written[0], all);
        })));
        Files.createDirectories(target);
        writer.write(target.resolve("model.safetensors"));
        return new Summary(planned.size(), changes.matrices().size(), Files.size(target.resolve("model.safetensors")));
    }

    private static TensorData rows(Checkpoint file, TensorInfo info, DType gets, Converter.RowChange change) {
        var bytes = file.data(info.name());
        if (gets == info.dtype() && change == null) return TensorData.of(bytes);
        return out -> {
            int length = info.shape().last();
            var row = new float[length];
            var stored = MemorySegment.ofArray(new byte[Math.toIntExact(gets.bytes(length))]);
            for (int i = 0; i < info.shape().rows(); i++) {
                Blocks.toFloats(info.dtype(), bytes, i * info.dtype().bytes(length), row, length);
                if (change != null) change.apply(i, row);
                out.write(stored(info.name(), row, gets, stored));
            }
        };
    }

    /** [in, out]: every column is a row of the linear map. */
    private static TensorData onItsSide(Checkpoint file, TensorInfo info, DType gets, Converter.RowChange change) {
        return out -> {
            int in = info.shape().dim(0), width = info.shape().last();
            var all = new float[Math.toIntExact(info.shape().elements())];
            Blocks.toFloats(info.dtype(), file.data(info.name()), 0, all, all.length);
            var row = new float[in];
            for (int column = 0; column < width; column++) {
                for (int i = 0; i < in; i++) row[i] = all[i * width + column];
                change.apply(column, row);
                for (int i = 0; i < in; i++) all[i * width + column] = row[i];
            }
            out.write(stored(info.name(), all, gets, MemorySegment.ofArray(new byte[Math.toIntExact(gets.bytes(all.length))])));
        };
    }

    private static MemorySegment stored(String name, float[] values, DType gets, MemorySegment memory) {
        if (gets == DType.F16) Converter.requireHalf(name, values);
        Blocks.fromFloats(gets, values, memory, 0, values.length);
        return memory;
    }
}
