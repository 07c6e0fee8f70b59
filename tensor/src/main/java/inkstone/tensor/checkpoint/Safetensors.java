package inkstone.tensor.checkpoint;

import inkstone.tensor.ModelException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A safetensors file, or a folder with {@code model.safetensors} or with {@code model.safetensors.index.json} and the shards it names (format: README
 * of huggingface/safetensors). Mapped; the mapping belongs to this object and ends at {@link #close}; any thread may read and close.
 *
 * <p>As the format demands, tensors fill the data from its first byte to its last without overlap or hole. A scalar (shape []) is read as [1]. Tensors of
 * other types than F32, F16, BF16 and I32 (position tables in I64, masks in BOOL), and tensors without elements, are {@link #unsupported}.
 */
public final class Safetensors implements Checkpoint {
    private static final String SINGLE = "model.safetensors", INDEX = "model.safetensors.index.json";

    private final Arena arena;
    private final Contents contents;

    private Safetensors(Arena arena, Contents contents) {
        this.arena = arena;
        this.contents = contents;
    }

    /** Where the shards of a model come from, by file name. */
    interface Shards { MemorySegment shard(String name) throws IOException; }

    /** @throws ModelException where the file is not safetensors, is cut short or contradicts itself, or the folder has none */
    public static Safetensors open(Path fileOrDirectory) throws IOException {
        var arena = Arena.ofShared();
        try {
            if (!Files.isDirectory(fileOrDirectory)) return read(Diagnosis.map(fileOrDirectory, arena), fileOrDirectory.toString(), arena);
            Path single = fileOrDirectory.resolve(SINGLE), index = fileOrDirectory.resolve(INDEX);
            if (Files.exists(single)) return read(Diagnosis.map(single, arena), single.toString(), arena);
            if (!Files.exists(index)) throw new ModelException("%s has neither %s nor %s".formatted(fileOrDirectory, SINGLE, INDEX));
            return readShards(Diagnosis.map(index, arena), index.toString(), name -> Diagnosis.map(fileOrDirectory.resolve(name), arena), arena);
        } catch (IOException | RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /** Reads a file that is already in memory; {@code arena} ends with the result. */
    static Safetensors read(MemorySegment file, String source, Arena arena) { return new Safetensors(arena, SafetensorsReader.file(file, source)); }

    /**
     * Reads shards by their index. Every name of the index must be in the shard given for it, and no name in two shards. Tensors that the index does
     * not name are there as well, as libraries that load shard by shard see them.
     */
    static Safetensors readShards(MemorySegment index, String source, Shards shards, Arena arena) throws IOException {
        var shardOf = SafetensorsReader.index(index, source);
        var shardContents = new LinkedHashMap<String, Contents>();
        for (var shard : shardOf.values()) {
            if (!shardContents.containsKey(shard)) shardContents.put(shard, SafetensorsReader.file(shards.shard(shard), source + " " + shard));
        }
        shardOf.forEach((name, shard) -> {
            if (shardContents.get(shard).has(name)) return;
            throw new ModelException("%s says that %s holds tensor %s, but it does not".formatted(source, shard, Diagnosis.shown(name)));
        });
        return new Safetensors(arena, merge(source, shardContents));
    }

    private static Contents merge(String source, Map<String, Contents> shards) {
        var metadata = new LinkedHashMap<String, Object>();
        shards.values().forEach(shard -> shard.metadata.values().forEach(metadata::putIfAbsent));
        var all = new Contents(source, metadata);
        shards.forEach((name, shard) -> {
            shard.tensors().values().forEach(info -> all.add(unique(info.name(), all, name, source, info), shard.data(info.name())));
            shard.unsupported().forEach((tensor, format) -> all.addUnsupported(unique(tensor, all, name, source, tensor), format));
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

    @Override public void close() {
        if (arena.scope().isAlive()) arena.close();
    }
}
