package inkstone.tensor.checkpoint;

import java.io.IOException;
import java.io.StringWriter;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.json.JsonFactory;

/**
 * Writes a safetensors file (format: README of huggingface/safetensors). Metadata and tensors are named first; then {@link #write} asks each tensor for
 * its bytes in turn, those of four-byte elements before those of two, so that every tensor is aligned to its elements, and otherwise in the order given.
 * The file appears whole or not at all. One thread at a time.
 */
public final class SafetensorsWriter {
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    private record Tensor(TensorInfo info, TensorData data) {
        long bytes() { return info.dtype().bytes(info.shape().elements()); }
    }

    public SafetensorsWriter metadata(String key, String value) {
        if (metadata.putIfAbsent(key, value) != null) throw new IllegalArgumentException("metadata key %s is given twice".formatted(key));
        return this;
    }

    /** Appends a tensor of F32, F16, BF16 or I32; {@code data} is asked for its bytes by {@link #write}. */
    public SafetensorsWriter tensor(TensorInfo info, TensorData data) {
        if (info.dtype().isQuantized()) throw new IllegalArgumentException("tensor %s: safetensors has no %s".formatted(info.name(), info.dtype()));
        if (info.name().equals("__metadata__") || tensors.putIfAbsent(info.name(), new Tensor(info, data)) != null) {
            throw new IllegalArgumentException("tensor name %s is taken".formatted(info.name()));
        }
        return this;
    }

    /** Writes the file; where this throws, {@code target} is as it was before. */
    public void write(Path target) throws IOException {
        var ordered = new ArrayList<>(tensors.values());
        ordered.sort(Comparator.comparingInt(tensor -> -tensor.info.dtype().blockBytes));
        var header = header(ordered);
        long bytes = header.byteSize();
        for (var tensor : ordered) bytes += tensor.info.dtype().bytes(tensor.info.shape().elements());
        try (var file = new NewFile(target, bytes)) {
            file.write(header);
            for (var tensor : ordered) file.write(tensor.info, tensor.data);
            file.commit();
        }
    }

    /** Length and JSON, which ends in spaces so that the data begins at a multiple of 8. */
    private MemorySegment header(List<Tensor> ordered) {
        var text = new StringWriter();
        try (var json = new JsonFactory().createGenerator(ObjectWriteContext.empty(), text)) {
            json.writeStartObject();
            if (!metadata.isEmpty()) {
                json.writeName("__metadata__").writeStartObject();
                metadata.forEach(json::writeStringProperty);
                json.writeEndObject();
            }
            long begin = 0;
            for (var tensor : ordered) {
                var shape = tensor.info.shape();
                json.writeName(tensor.info.name()).writeStartObject().writeStringProperty("dtype", tensor.info.dtype().name());
                json.writeName("shape").writeStartArray();
                for (int i = 0; i < shape.rank(); i++) json.writeNumber(shape.dim(i));
                json.writeEndArray().writeName("data_offsets").writeStartArray().writeNumber(begin).writeNumber(begin + tensor.bytes()).writeEndArray();
                json.writeEndObject();
                begin += tensor.bytes();
            }
            json.writeEndObject();
        }
        var encoded = text.toString().getBytes(StandardCharsets.UTF_8);
        int padding = -encoded.length & 7;
        var header = ByteBuffer.allocate(8 + encoded.length + padding).order(ByteOrder.LITTLE_ENDIAN).putLong(encoded.length + padding).put(encoded);
        while (header.hasRemaining()) header.put((byte) ' ');
        return MemorySegment.ofArray(header.array());
    }
}
