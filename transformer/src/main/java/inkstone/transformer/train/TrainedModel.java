package inkstone.transformer.train;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.TensorData;
import inkstone.tensor.checkpoint.TensorInfo;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;

/** Writes what was learned as a model. */
public final class TrainedModel {
    private static final Set<String> ABOUT_FORMATS = Set.of("general.file_type", "general.quantization_version");

    private TrainedModel() {}

    /** The GGUF file {@code base} with the parameters of these names in place of its own, as F32. For the thread of the backend. */
    public static void write(Path base, Map<String, Tensor> learned, Backend backend, Path target) throws IOException {
        try (var file = Gguf.open(base)) {
            var writer = new GgufWriter();
            for (var key : file.metadata().values().keySet()) if (!ABOUT_FORMATS.contains(key) && !key.startsWith("split.")) writer.copy(file, key);
            writer.u32("general.file_type", 0);
            file.tensors().forEach((name, info) -> {
                var parameter = learned.get(name);
                if (parameter == null) writer.tensor(info, TensorData.of(file.data(name)));
                else writer.tensor(new TensorInfo(name, DType.F32, info.shape()), out -> {
                    try (var arena = Arena.ofConfined()) {
                        var host = arena.allocate(parameter.data().byteSize());
                        backend.download(host, parameter.data());
                        out.write(host);
                    }
                });
            });
            writer.write(target);
        }
    }
}
