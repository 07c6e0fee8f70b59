package inkstone.transformer.adapters;

import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.TensorData;
import inkstone.tensor.checkpoint.TensorInfo;
import inkstone.transformer.AdapterBase;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Adapters as GGUF files, as llama.cpp reads them (convert_lora_to_gguf.py and src/llama-adapter.cpp, commit d32676d77): general.type is "adapter", adapter.type "lora",
 * adapter.lora.alpha a float, and of each matrix NAME there are NAME.lora_a [rank, in] and NAME.lora_b [out, rank]. The change is alpha / rank · b a, or b a where alpha
 * is 0.
 */
public final class GgufLora {
    private static final String ALPHA = "adapter.lora.alpha", A = ".weight.lora_a", B = ".weight.lora_b";

    private GgufLora() {}

    static AdapterData read(Path path, AdapterBase base) throws IOException {
        if (!Files.exists(path)) throw new ModelException("%s does not exist; give an adapter, a GGUF file or a folder as PEFT writes it".formatted(path));
        try (var file = Gguf.open(path)) {
            var metadata = file.metadata();
            var tensors = new AdapterTensors(file, base);
            require(tensors, metadata.string("general.type", "model").equals("adapter"), "it is a %s, expected an adapter (general.type)", metadata.string("general.type", "model"));
            require(tensors, metadata.string("adapter.type", "").equals("lora"), "adapter.type is \"%s\", expected \"lora\"", metadata.string("adapter.type", ""));
            require(tensors, metadata.string("general.architecture").equals(base.architecture()), "it is an adapter of a model of architecture \"%s\", %s is \"%s\"",
                metadata.string("general.architecture"), base.source(), base.architecture());
            require(tensors, !metadata.has("adapter.alora.invocation_tokens"), "it works from certain tokens of a prompt on (adapter.alora.invocation_tokens), which is not supported");
            for (var name : file.tensors().keySet()) {
                boolean a = name.endsWith(A);
                require(tensors, a || name.endsWith(B), "tensor %s is no lora_a or lora_b of a weight; only such are applied", name);
                tensors.put(name.substring(0, name.length() - A.length()), a ? AdapterTensors.Part.A : AdapterTensors.Part.B, name);
            }
            float alpha = metadata.floating(ALPHA, 0);
            return new AdapterData(AdapterData.name(path), tensors.changes((linear, rank) -> alpha == 0 ? 1 : alpha / rank,
                linear -> base.shape(linear) == null ? row -> row : AdapterTensors.inverse(base.rowOfGguf(linear), base.shape(linear).dim(0))));
        }
    }

    private static void require(AdapterTensors tensors, boolean condition, String problem, String... arguments) {
        if (condition) return;
        var shown = new Object[arguments.length];
        for (int i = 0; i < shown.length; i++) shown[i] = AdapterTensors.shown(arguments[i]);
        throw tensors.wrong(problem.formatted(shown));
    }

    /**
     * Writes a file that llama.cpp reads, F32. It has one alpha for all matrices: that of the first that has any; where another matrix needs a scale of its own, the difference goes
     * into its b.
     *
     * @throws ModelException where the adapter has magnitudes (DoRA), which such files cannot hold
     */
    public static void write(AdapterData adapter, AdapterBase base, Path target) throws IOException {
        float alpha = (float) adapter.changes().stream().mapToDouble(change -> change.scale() * change.rank()).filter(each -> each != 0).findFirst().orElse(1);
        var writer = new GgufWriter().string("general.architecture", base.architecture()).string("general.type", "adapter").string("general.name", adapter.name())
            .string("adapter.type", "lora").f32(ALPHA, alpha).u32("general.file_type", 0).u32("general.quantization_version", 2);
        for (var change : adapter.changes()) {
            if (change.magnitude() != null) {
                throw new ModelException("%s has magnitudes (DoRA), which GGUF adapters cannot hold; write it as a PEFT folder, or merge it into the model".formatted(adapter.name()));
            }
            float times = change.scale() * change.rank() / alpha;
            var b = AdapterTensors.moved(change.b(), change.rank(), base.rowOfGguf(change.linear()));
            if (times != 1) for (int i = 0; i < b.length; i++) b[i] *= times;
            add(writer, change.linear() + A, change.a(), change.rank(), change.in());
            add(writer, change.linear() + B, b, change.out(), change.rank());
        }
        writer.write(target);
    }

    private static void add(GgufWriter writer, String name, float[] values, int rows, int columns) {
        writer.tensor(new TensorInfo(name, DType.F32, new Shape(rows, columns)), TensorData.of(MemorySegment.ofArray(values)));
    }
}
