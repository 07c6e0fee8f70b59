package inkstone.tensor.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Writes a GGUF file, version 3, little-endian (format: docs/gguf.md of ggml). Metadata and tensors are named first, in the order they shall have;
 * then {@link #write} asks each tensor for its bytes in turn. The file appears whole or not at all. One thread at a time.
 */
public final class GgufWriter {
    private static final String ALIGNMENT = "general.alignment";
    /* ggml keeps names in 64 bytes with a zero at the end and refuses files with longer ones. */
    private static final int MAX_TENSOR_NAME = 63, MAX_KEY = 65_535, MAX_RANK = 4;

    /** Type and value, as in the file. */
    private final Map<String, byte[]> metadata = new LinkedHashMap<>();
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private int alignment = 32;

    private record Tensor(TensorInfo info, TensorData data) {}

    public GgufWriter string(String key, String value) { return put(key, GgufType.STRING, bytes -> bytes.text(value)); }

    public GgufWriter bool(String key, boolean value) { return put(key, GgufType.BOOL, bytes -> bytes.write(value ? 1 : 0)); }

    /** An unsigned integer below 2³². {@code general.alignment} says where tensors begin, a power of two; 32 if it is not given. */
    public GgufWriter u32(String key, long value) {
        require(value >= 0 && value < 1L << 32, "%s: %d is not an unsigned 32-bit integer", key, value);
        if (key.equals(ALIGNMENT)) {
            require(Long.bitCount(value) == 1 && value <= 1 << 30, "%s should be a power of two, got %d", key, value);
            alignment = (int) value;
        }
        return put(key, GgufType.U32, bytes -> bytes.u32((int) value));
    }

    public GgufWriter u64(String key, long value) {
        require(value >= 0, "%s: %d is negative", key, value);
        return put(key, GgufType.U64, bytes -> bytes.u64(value));
    }

    public GgufWriter f32(String key, float value) { return put(key, GgufType.F32, bytes -> bytes.u32(Float.floatToRawIntBits(value))); }

    public GgufWriter strings(String key, List<String> values) { return array(key, GgufType.STRING, values.size(), bytes -> values.forEach(bytes::text)); }

    public GgufWriter i32s(String key, int... values) {
        return array(key, GgufType.I32, values.length, bytes -> { for (int value : values) bytes.u32(value); });
    }

    public GgufWriter f32s(String key, float... values) {
        return array(key, GgufType.F32, values.length, bytes -> { for (float value : values) bytes.u32(Float.floatToRawIntBits(value)); });
    }

    /** A value of another file, byte for byte: of the same type, and text that is not UTF-8 unharmed. */
    public GgufWriter copy(Gguf from, String key) {
        if (key.equals(ALIGNMENT)) return u32(key, from.metadata().integer(key));
        var encoded = from.encoded(key).toArray(JAVA_BYTE);
        return put(key, encoded);
    }

    /** Appends a tensor; {@code data} is asked for its bytes by {@link #write}. */
    public GgufWriter tensor(TensorInfo info, TensorData data) {
        int nameBytes = info.name().getBytes(StandardCharsets.UTF_8).length;
        require(nameBytes <= MAX_TENSOR_NAME, "tensor name %s has %d bytes, GGUF allows %d", info.name(), nameBytes, MAX_TENSOR_NAME);
        require(info.shape().rank() <= MAX_RANK && info.shape().elements() > 0, "tensor %s: GGUF has no shape %s", info.name(), info.shape());
        require(info.shape().last() % info.dtype().blockSize == 0, "tensor %s: rows of %s are not whole blocks of %s", info.name(), info.shape(), info.dtype());
        require(tensors.putIfAbsent(info.name(), new Tensor(info, data)) == null, "tensor %s is given twice", info.name());
        return this;
    }

    /** Writes the file; where this throws, {@code target} is as it was before. That the disk has room for it is made sure before the first byte. */
    public void write(Path target) throws IOException {
        var header = header();
        long bytes = header.byteSize() + alignment;
        for (var tensor : tensors.values()) bytes += tensor.info.dtype().bytes(tensor.info.shape().elements()) + alignment;
        try (var file = new NewFile(target, bytes)) {
            file.write(header);
            file.pad(alignment);
            for (var tensor : tensors.values()) {
                file.write(tensor.info, tensor.data);
                file.pad(alignment);
            }
            file.commit();
        }
    }

    private MemorySegment header() {
        var bytes = new Bytes();
        bytes.writeBytes(new byte[] {'G', 'G', 'U', 'F'});
        bytes.u32(3);
        bytes.u64(tensors.size());
        bytes.u64(metadata.size());
        metadata.forEach((key, value) -> {
            bytes.text(key);
            bytes.writeBytes(value);
        });
        long offset = 0;
        for (var tensor : tensors.values()) {
            var info = tensor.info;
            bytes.text(info.name());
            bytes.u32(info.shape().rank());
            for (int i = info.shape().rank() - 1; i >= 0; i--) bytes.u64(info.shape().dim(i));
            bytes.u32(info.dtype().ggml);
            bytes.u64(offset);
            offset += info.dtype().bytes(info.shape().elements()) + alignment - 1 & -alignment;
        }
        return MemorySegment.ofArray(bytes.toByteArray());
    }

    private GgufWriter array(String key, GgufType type, int count, Consumer<Bytes> elements) {
        return put(key, GgufType.ARRAY, bytes -> {
            bytes.u32(type.ordinal());
            bytes.u64(count);
            elements.accept(bytes);
        });
    }

    private GgufWriter put(String key, GgufType type, Consumer<Bytes> value) {
        var bytes = new Bytes();
        bytes.u32(type.ordinal());
        value.accept(bytes);
        return put(key, bytes.toByteArray());
    }

    private GgufWriter put(String key, byte[] value) {
        boolean fits = !key.isEmpty() && key.length() <= MAX_KEY && key.chars().allMatch(c -> c > ' ' && c < 127);
        require(fits, "metadata key '%s' should be 1 to %d ASCII characters", key, MAX_KEY);
        require(metadata.putIfAbsent(key, value) == null, "metadata key %s is given twice", key);
        return this;
    }

    private static void require(boolean condition, String message, Object... arguments) {
        if (!condition) throw new IllegalArgumentException(message.formatted(arguments));
    }

    /** Little-endian fields one after another. */
    private static final class Bytes extends ByteArrayOutputStream {
        void u32(int value) { for (int shift = 0; shift < 32; shift += 8) write(value >> shift); }

        void u64(long value) { for (int shift = 0; shift < 64; shift += 8) write((int) (value >> shift)); }

        void text(String text) {
            var encoded = text.getBytes(StandardCharsets.UTF_8);
            u64(encoded.length);
            writeBytes(encoded);
        }
    }
}
