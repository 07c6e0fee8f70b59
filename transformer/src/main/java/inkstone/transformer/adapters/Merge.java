package inkstone.transformer.adapters;

import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.transformer.AdapterBase;
import inkstone.transformer.Converter;
import inkstone.transformer.MergedFolder;
import inkstone.transformer.QuantizationMixture;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Writes a model with adapters as one model that needs none: each matrix W becomes W + sum of w_i (W_i - W), as {@link Adapter} has it while it runs. */
public final class Merge {
    private record Weighted(LowRank change, float weight) {}

    private Merge() {}

    /**
     * As a GGUF file.
     *
     * @param model   a GGUF file or a folder
     * @param mixture the formats of its tensors; null where each keeps its own
     * @throws ModelException where an adapter does not fit the model
     */
    public static Converter.Summary toGguf(Path model, List<AdapterFile> parts, Path target, QuantizationMixture mixture, int threads, Converter.Progress progress) throws IOException {
        return reading(() -> Converter.merge(model, target, mixture, base -> changes(parts, base), threads, progress));
    }

    /**
     * As a folder of Hugging Face's kind, of such a folder.
     *
     * @param type of the matrices, F32, F16 or BF16; null where each keeps its own
     */
    public static MergedFolder.Summary toFolder(Path model, List<AdapterFile> parts, Path target, DType type, Converter.Progress progress) throws IOException {
        return reading(() -> MergedFolder.write(model, target, type, base -> changes(parts, base), progress));
    }

    private interface Work<R> { R run() throws IOException; }

    private static <R> R reading(Work<R> work) throws IOException {
        try {
            return work.run();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    private static Converter.Changes changes(List<AdapterFile> parts, AdapterBase base) {
        Map<String, List<Weighted>> all = new HashMap<>();
        for (var part : parts) {
            if (part.weight() == 0) continue;
            for (var change : read(part.path(), base).changes()) {
                if (base.isTied(change.linear())) {
                    throw new ModelException("%s changes the output matrix, which %s shares with its embeddings; it cannot be merged, use it beside the model (--lora)"
                        .formatted(part.path(), base.source()));
                }
                all.computeIfAbsent(change.linear() + ".weight", _ -> new ArrayList<>()).add(new Weighted(change, part.weight()));
            }
        }
        var matrices = new HashMap<String, Converter.RowChange>();
        all.forEach((tensor, changes) -> matrices.put(tensor, rows(changes)));
        return new Converter.Changes(matrices);
    }

    private static AdapterData read(Path path, AdapterBase base) {
        try {
            return AdapterData.read(path, base);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Converter.RowChange rows(List<Weighted> changes) {
        return (row, values) -> {
            var original = values.clone();
            for (var each : changes) each.change.addTo(values, row, original, each.weight);
        };
    }
}
