package inkstone.tensor.checkpoint;

import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/** What reading a model file yields, whatever its format: {@link Checkpoint} without the mapping. Filled by one reader, then shared. */
final class Contents {
    /* Hundreds of experts in each of 61 layers, stored one by one, make some 100,000 tensors. A million of them took 270 MB of heap in a GGUF file. */
    static final int MAX_TENSORS = 1 << 20, MAX_METADATA = 1 << 16;

    final Metadata metadata;
    private final String source;
    private final Map<String, TensorInfo> tensors = new LinkedHashMap<>();
    private final Map<String, MemorySegment> data = new LinkedHashMap<>();
    private final Map<String, String> unsupported = new LinkedHashMap<>();
    private final Map<String, Raw> raw = new LinkedHashMap<>();

    /** A tensor of a type that is no {@link DType} by itself, but may be part of one: eight-bit floats, packed integers. */
    record Raw(String type, Shape shape, MemorySegment bytes) {
        boolean isFloat8() { return type.equals("F8_E4M3"); }
    }

    Contents(String source, Map<String, Object> metadata) {
        this.source = source;
        this.metadata = new Metadata(source, Collections.unmodifiableMap(metadata));
    }

    Map<String, TensorInfo> tensors() { return Collections.unmodifiableMap(tensors); }
    Map<String, String> unsupported() { return Collections.unmodifiableMap(unsupported); }

    boolean has(String name) { return tensors.containsKey(name) || unsupported.containsKey(name); }

    void add(TensorInfo info, MemorySegment bytes) {
        tensors.put(info.name(), info);
        data.put(info.name(), bytes.asReadOnly());
    }

    void addUnsupported(String name, String format) { unsupported.put(name, format); }

    /** Takes over the tensors of another part of the same model. */
    void add(Contents part) {
        for (var name : part.tensors.keySet()) requireNew(name, part.source);
        for (var name : part.unsupported.keySet()) requireNew(name, part.source);
        tensors.putAll(part.tensors);
        data.putAll(part.data);
        unsupported.putAll(part.unsupported);
    }

    private void requireNew(String name, String partSource) {
        if (has(name)) throw new ModelException("%s: tensor %s is in another part of the model as well".formatted(partSource, Diagnosis.shown(name)));
    }

    Map<String, Raw> raw() { return Collections.unmodifiableMap(raw); }

    void addRaw(String name, Raw tensor) {
        addUnsupported(name, tensor.type);
        raw.put(name, tensor);
    }

    MemorySegment data(String name) {
        var bytes = data.get(name);
        if (bytes != null) return bytes;
        if (unsupported.containsKey(name)) throw new ModelException("%s: %s".formatted(source, noKernel(name, unsupported.get(name))));
        throw new ModelException("%s has no tensor %s; it has %d others".formatted(source, Diagnosis.shown(name), tensors.size()));
    }

    /** The line a user reads when a model needs a tensor whose format is no {@link DType}. */
    static String noKernel(String name, String format) {
        var formats = EnumSet.complementOf(EnumSet.of(DType.I32)).stream().map(DType::name).collect(Collectors.joining(", "));
        return "tensor %s is %s, which has no kernel here; use a file of the same model in one of %s"
            .formatted(Diagnosis.shown(name), Diagnosis.shown(format), formats);
    }
}
