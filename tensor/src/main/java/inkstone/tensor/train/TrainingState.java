package inkstone.tensor.train;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Tensor;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.TensorInfo;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A run between two steps, as a file: parameters, their averages, the optimizer's states and the numbers that the run goes on from. A GGUF file of architecture
 * "training"; written beside its target, forced to the disk and renamed, so that a kill at any moment leaves the old one or the new one.
 *
 * @param numbers what else must be known to go on: step, tokens, best loss, position in the data
 */
record TrainingState(Map<String, Tensor> tensors, Map<String, String> numbers) {
    private static final String ARCHITECTURE = "training", PREFIX = "training.";

    void write(Path file, Backend backend) throws IOException {
        backend.synchronize();
        var writer = new GgufWriter().string("general.architecture", ARCHITECTURE);
        numbers.forEach((key, value) -> writer.string(PREFIX + key, value));
        tensors.forEach((name, tensor) -> writer.tensor(new TensorInfo(name, tensor.dtype(), tensor.shape()), sink -> {
            try (var arena = Arena.ofConfined()) {
                var host = arena.allocate(tensor.data().byteSize());
                backend.download(host, tensor.data());
                sink.write(host);
            }
        }));
        writer.write(file);
    }

    /** Fills tensors that are there with what the file has of them, and returns the file's numbers. */
    static Map<String, String> read(Path file, Map<String, Tensor> tensors, Backend backend) throws IOException {
        if (!Files.exists(file)) throw new ModelException("%s: there is no such checkpoint".formatted(file));
        try (var gguf = Gguf.open(file)) {
            if (!gguf.metadata().string("general.architecture", "").equals(ARCHITECTURE)) throw new ModelException("%s is no checkpoint of a training run".formatted(file));
            for (var entry : tensors.entrySet()) {
                var info = gguf.tensors().get(entry.getKey());
                var tensor = entry.getValue();
                if (info == null || info.dtype() != tensor.dtype() || !info.shape().equals(tensor.shape())) {
                    throw new ModelException("%s: %s should be %s, found %s; the run was begun with other settings: use them, or another output folder"
                        .formatted(file, entry.getKey(), tensor, info == null ? "nothing" : info.dtype() + " " + info.shape()));
                }
            }
            for (var name : gguf.tensors().keySet()) {
                if (!tensors.containsKey(name)) throw new ModelException("%s: %s is not part of this run, which was begun with other settings".formatted(file, name));
            }
            tensors.forEach((name, tensor) -> backend.upload(tensor.data(), gguf.data(name)));
            var numbers = new LinkedHashMap<String, String>();
            for (var key : gguf.metadata().values().keySet()) {
                if (key.startsWith(PREFIX)) numbers.put(key.substring(PREFIX.length()), gguf.metadata().string(key));
            }
            return numbers;
        }
    }
}
