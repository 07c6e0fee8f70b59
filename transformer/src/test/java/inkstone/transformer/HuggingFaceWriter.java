package inkstone.transformer;

import inkstone.tensor.Blocks;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/**
 * A GGUF file written as the folder it came from: tensors are taken out one by one, turned back and put under the names that Hugging Face gives them. Nothing may be
 * left over. Safetensors are written here, so that types that the program does not write (F8_E4M3, U8) can be tested.
 */
final class HuggingFaceWriter {
    private record Stored(String type, int[] dims, byte[] bytes) {}

    final String architecture;
    private final Map<String, Object> keys = new LinkedHashMap<>();
    private final TreeMap<String, NdArray> tensors = new TreeMap<>();
    private final Map<String, byte[]> raw = new LinkedHashMap<>();
    private final String tokenizer;
    private final Map<String, Stored> written = new LinkedHashMap<>();
    /** Of matrices; those of one dimension are written in it as well. */
    String type = "F32";

    HuggingFaceWriter(Path gguf) throws IOException {
        try (var file = Gguf.open(gguf)) {
            architecture = file.metadata().string("general.architecture");
            keys.putAll(file.metadata().values());
            for (var info : file.tensors().values()) {
                var values = new float[Math.toIntExact(info.shape().elements())];
                Blocks.toFloats(info.dtype(), file.data(info.name()), 0, values, values.length);
                tensors.put(info.name(), new NdArray(values, info.shape().toArray()));
                raw.put(info.name(), file.data(info.name()).toArray(java.lang.foreign.ValueLayout.JAVA_BYTE));
            }
            tokenizer = Tokenizers.toJson(file.metadata());
        }
    }

    int number(String key) { return (int) (long) (Long) keys.get(architecture + "." + key); }
    int number(String key, int absent) { return keys.containsKey(architecture + "." + key) ? number(key) : absent; }
    String text(String key) { return keys.get(architecture + "." + key).toString(); }
    boolean has(String tensor) { return tensors.containsKey(tensor); }
    int layers() { return number("block_count"); }
    int heads() { return number("attention.head_count"); }
    int kvHeads() { return number("attention.head_count_kv"); }
    int headDim() { return number("attention.key_length", number("embedding_length") / heads()); }
    byte[] bytes(String tensor) { return raw.get(tensor); }

    NdArray take(String tensor) {
        var array = tensors.remove(tensor);
        if (array == null) throw new AssertionError("no tensor " + tensor + " among " + tensors.keySet());
        return array;
    }

    void put(String name, NdArray array) {
        int size = type.equals("F32") ? 4 : 2;
        var bytes = ByteBuffer.allocate(size * array.values().length).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : array.values()) {
            switch (type) {
                case "F32" -> bytes.putFloat(value);
                case "F16" -> bytes.putShort(Float.floatToFloat16(value));
                case "BF16" -> bytes.putShort((short) (Float.floatToRawIntBits(value) + 0x8000 >>> 16));
                default -> throw new IllegalArgumentException(type);
            }
        }
        put(name, type, bytes.array(), array.dims());
    }

    void put(String name, String type, byte[] bytes, int... dims) {
        if (written.put(name, new Stored(type, dims, bytes)) != null) throw new AssertionError("twice: " + name);
    }

    /** Weight and bias, where they are there, under another name. */
    void move(String gguf, String name) {
        for (var suffix : new String[] {".weight", ".bias"}) if (has(gguf + suffix)) put(name + suffix, take(gguf + suffix));
    }

    /** Of every layer. {@code names}: GGUF's and Hugging Face's in turn. */
    void moveLayers(String prefix, String... names) {
        for (int layer = 0; layer < layers(); layer++) {
            for (int i = 0; i < names.length; i += 2) move("blk.%d.%s".formatted(layer, names[i]), prefix + layer + "." + names[i + 1]);
        }
    }

    void rename(UnaryOperator<String> names) {
        var renamed = new LinkedHashMap<String, Stored>();
        written.forEach((name, stored) -> renamed.put(names.apply(name), stored));
        written.clear();
        written.putAll(renamed);
    }

    /** The nearest number of four binary digits between 2^-4 and 2: eight bits hold it exactly, and its quarter. */
    static float roundedToEight(float value) {
        float magnitude = Math.clamp(Math.abs(value), 1f / 16, 1.875f), unit = Math.scalb(1f, Math.getExponent(magnitude) - 3);
        return Math.copySign(Math.round(magnitude / unit) * unit, value);
    }

    /** F32 matrices of such numbers as F8_E4M3 with a scale of 4, 1 or 1/4 in turn for each tile. */
    void eightBits(Predicate<String> which, int tile) {
        for (var name : List.copyOf(written.keySet())) {
            var stored = written.get(name);
            if (!which.test(name) || stored.dims.length != 2) continue;
            int rows = stored.dims[0], columns = stored.dims[1], across = Math.ceilDiv(columns, tile), down = Math.ceilDiv(rows, tile);
            var values = ByteBuffer.wrap(stored.bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
            var scales = ByteBuffer.allocate(4 * across * down).order(ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < across * down; i++) scales.putFloat(Math.scalb(1f, 2 - i % 3 * 2));
            var bytes = new byte[rows * columns];
            for (int i = 0; i < bytes.length; i++) {
                float scaled = values.get(i) / scales.getFloat(4 * (i / columns / tile * across + i % columns / tile));
                int mantissa = Float.floatToRawIntBits(scaled) >>> 20 & 7, exponent = Math.getExponent(scaled) + 7;
                if (scaled == 0) continue;
                if (exponent < 1 || exponent > 15) throw new AssertionError(scaled + " does not fit eight bits");
                bytes[i] = (byte) (exponent << 3 | mantissa | (scaled < 0 ? 128 : 0));
            }
            written.put(name, new Stored("F8_E4M3", stored.dims, bytes));
            written.put(name + "_scale_inv", new Stored("F32", new int[] {down, across}, scales.array()));
        }
    }

    /** As one shard after {@code shards} were filled in turn; one file without an index where it is 1. */
    Path write(Path directory, String config, int shards) throws IOException {
        if (!tensors.isEmpty()) throw new AssertionError("left over: " + tensors.keySet());
        Files.createDirectories(directory);
        Files.writeString(directory.resolve("config.json"), config);
        Files.writeString(directory.resolve("tokenizer.json"), tokenizer);
        var parts = new ArrayList<Map<String, Stored>>();
        for (int i = 0; i < shards; i++) parts.add(new LinkedHashMap<>());
        int at = 0;
        for (var entry : written.entrySet()) parts.get(at++ % shards).put(entry.getKey(), entry.getValue());
        if (shards == 1) {
            Files.write(directory.resolve("model.safetensors"), file(parts.getFirst()));
            return directory;
        }
        var index = new ArrayList<String>();
        for (int i = 0; i < shards; i++) {
            var name = "model-%05d-of-%05d.safetensors".formatted(i + 1, shards);
            Files.write(directory.resolve(name), file(parts.get(i)));
            for (var tensor : parts.get(i).keySet()) index.add("\"%s\": \"%s\"".formatted(tensor, name));
        }
        Files.writeString(directory.resolve("model.safetensors.index.json"), "{\"metadata\": {}, \"weight_map\": {%s}}".formatted(String.join(", ", index)));
        return directory;
    }

    private static byte[] file(Map<String, Stored> tensors) {
        List<String> header = new ArrayList<>();
        int at = 0;
        for (var entry : tensors.entrySet()) {
            var stored = entry.getValue();
            header.add("\"%s\": {\"dtype\": \"%s\", \"shape\": %s, \"data_offsets\": [%d, %d]}"
                .formatted(entry.getKey(), stored.type, Arrays.toString(stored.dims), at, at + stored.bytes.length));
            at += stored.bytes.length;
        }
        var json = ("{" + String.join(", ", header) + "}").getBytes(StandardCharsets.UTF_8);
        var bytes = ByteBuffer.allocate(8 + json.length + at).order(ByteOrder.LITTLE_ENDIAN).putLong(json.length).put(json);
        tensors.values().forEach(stored -> bytes.put(stored.bytes));
        return bytes.array();
    }
}
