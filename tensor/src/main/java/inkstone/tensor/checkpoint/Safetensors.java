package inkstone.tensor.checkpoint;

import inkstone.tensor.ModelException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * A safetensors file, or a folder with {@code model.safetensors} or with {@code model.safetensors.index.json} and the shards it names, or such an index by any
 * name that ends in {@code .json} (format: README of huggingface/safetensors). Mapped; the mapping belongs to this object and ends at {@link #close}; any thread may read and close.
 *
 * <p>As the format demands, tensors fill the data from its first byte to its last without overlap or hole. A scalar (shape []) is read as [1]. Tensors of
 * other types than F32, F16, BF16 and I32 (position tables in I64, masks in BOOL), and tensors without elements, are {@link #unsupported}; {@link Arranged} makes
 * tensors of some of them.
 */
public final class Safetensors implements Checkpoint {
    private static final String SINGLE = "model.safetensors", INDEX = SINGLE + ".index.json";

    private final Arena arena;
    private final Contents contents;
    /** Where the mapped files begin in memory; none for a file that was in memory before. */
    private final NavigableMap<Long, Path> files;

    private Safetensors(Arena arena, Contents contents, NavigableMap<Long, Path> files) {
        this.arena = arena;
        this.contents = contents;
        this.files = files;
    }

    /** Where the shards of a model come from, by file name. */
    interface Shards { MemorySegment shard(String name) throws IOException; }

    /** @throws ModelException where the file is not safetensors, is cut short or contradicts itself, or the folder has none */
    public static Safetensors open(Path fileOrDirectory) throws IOException {
        var arena = Arena.ofShared();
        var files = new TreeMap<Long, Path>();
        try {
            boolean named = fileOrDirectory.toString().endsWith(".json");
            Path single = Files.isDirectory(fileOrDirectory) ? fileOrDirectory.resolve(SINGLE) : fileOrDirectory, index = named ? fileOrDirectory : fileOrDirectory.resolve(INDEX);
            if (!named && Files.exists(single)) return new Safetensors(arena, SafetensorsReader.file(map(single, arena, files), single.toString()), files);
            if (!Files.exists(index)) throw new ModelException("%s has neither %s nor %s%s".formatted(fileOrDirectory, SINGLE, INDEX, pickles(fileOrDirectory)));
            return new Safetensors(arena, shards(Diagnosis.map(index, arena), index.toString(), name -> map(index.resolveSibling(name), arena, files)), files);
        } catch (IOException | RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    private static MemorySegment map(Path path, Arena arena, Map<Long, Path> files) throws IOException {
        var mapping = Diagnosis.map(path, arena);
        files.put(mapping.address(), path);
        return mapping;
    }

    /** What to do where the weights are there in another form. */
    private static String pickles(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) return "";
        try (var files = Files.list(directory)) {
            var pickled = files.map(file -> file.getFileName().toString()).filter(name -> name.endsWith(".bin") || name.endsWith(".pt") || name.endsWith(".pth")).sorted().findFirst();
            return pickled.map("; %s is a Python pickle, which can run any program and is not read: download the safetensors or GGUF files of the model"::formatted).orElse("");
        }
    }

    /** Reads a file that is already in memory; {@code arena} ends with the result. */
    static Safetensors read(MemorySegment file, String source, Arena arena) { return new Safetensors(arena, SafetensorsReader.file(file, source), new TreeMap<>()); }

    /**
     * Reads shards by their index. Every name of the index must be in the shard given for it, and no name in two shards. Tensors that the index does
     * not name are there as well, as libraries that load shard by shard see them.
     */
    static Safetensors readShards(MemorySegment index, String source, Shards shards, Arena arena) throws IOException {
        return new Safetensors(arena, shards(index, source, shards), new TreeMap<>());
    }

    private static Contents shards(MemorySegment index, String source, Shards shards) throws IOException {
        var shardOf = SafetensorsReader.index(index, source);
        var shardContents = new LinkedHashMap<String, Contents>();
        for (var shard : shardOf.values()) {
            if (!shardContents.containsKey(shard)) shardContents.put(shard, SafetensorsReader.file(shards.shard(shard), source + " " + shard));
        }
        shardOf.forEach((name, shard) -> {
            if (shardContents.get(shard).has(name)) return;
            throw new ModelException("%s says that %s holds tensor %s, but it does not".formatted(source, shard, Diagnosis.shown(name)));
        });
        return merge(source, shardContents);
    }

    private static Contents merge(String source, Map<String, Contents> shards) {
        var metadata = new LinkedHashMap<String, Object>();
        shards.values().forEach(shard -> shard.metadata.values().forEach(metadata::putIfAbsent));
        var all = new Contents(source, metadata);
        shards.forEach((name, shard) -> {
            shard.tensors().values().forEach(info -> all.add(unique(info.name(), all, name, source, info), shard.data(info.name())));
            shard.unsupported().forEach((tensor, format) -> {
                unique(tensor, all, name, source, tensor);
                if (shard.raw().containsKey(tensor)) all.addRaw(tensor, shard.raw().get(tensor)); else all.addUnsupported(tensor, format);
            });
        });
        return all;
    }

    private static <T> T unique(String tensor, Contents all, String shard, String source, T value) {
        if (all.has(tensor)) throw new ModelException("%s: tensor %s is in %s and in another shard".formatted(source, Diagnosis.shown(tensor), shard));
        return value;
    }

    @Override public Metadata metadata() { return contents.metadata; }
    @Override public Map<String, TensorInfo> tensors() { return contents.tensors(); }
    @Override public Map<String, String> unsupported() { return contents.unsupported(); }
    @Override public MemorySegment data(String name) { return contents.data(name); }

    /** Tensors of types that may be part of a format known here. */
    Map<String, Contents.Raw> raw() { return contents.raw(); }

    /** Any tensor's bytes, of whatever type. */
    MemorySegment bytes(String name) { return raw().containsKey(name) ? raw().get(name).bytes() : data(name); }

    /** The same in a mapping of their own, whose pages leave memory with {@code own}. */
    MemorySegment mapped(String name, Arena own) throws IOException {
        var bytes = bytes(name);
        var file = bytes.isNative() ? files.floorEntry(bytes.address()) : null;
        if (file == null) return bytes;
        try (var channel = FileChannel.open(file.getValue())) {
            return channel.map(FileChannel.MapMode.READ_ONLY, bytes.address() - file.getKey(), bytes.byteSize(), own);
        }
    }

    @Override public void close() {
        if (arena.scope().isAlive()) arena.close();
    }
}
