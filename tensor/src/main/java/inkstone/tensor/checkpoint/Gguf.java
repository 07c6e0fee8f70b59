package inkstone.tensor.checkpoint;

import inkstone.tensor.ModelException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Map;

/**
 * A GGUF file, version 2 or 3, little-endian (format: docs/gguf.md of ggml). Mapped, so that opening costs the metadata only and files larger than memory work.
 * The mapping belongs to this object and ends at {@link #close}; any thread may read and close. Files without tensors (vocabularies) open as well.
 * A model that is split over several files, as llama.cpp does, opens by the first of them: NAME-00001-of-00003.gguf.
 * Not read: big-endian files, version 1. Metadata and tensor descriptions may take 64 MiB together.
 */
public final class Gguf implements Checkpoint {
    private final Arena arena;
    private final Contents contents;
    private final Map<String, MemorySegment> encoded;

    private Gguf(Arena arena, GgufReader reader) {
        this.arena = arena;
        this.contents = reader.contents;
        this.encoded = reader.encoded;
    }

    /** @throws ModelException where the file is not GGUF, is cut short or contradicts itself, or where another part of its model is not there or is of another model */
    public static Gguf open(Path path) throws IOException {
        var arena = Arena.ofShared();
        try {
            var reader = new GgufReader(Diagnosis.map(path, arena), path.toString());
            new GgufParts(path, reader.contents).add(arena);
            return new Gguf(arena, reader);
        } catch (IOException | RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /** Reads a file that is already in memory; {@code arena} ends with the result. */
    static Gguf read(MemorySegment file, String source, Arena arena) { return new Gguf(arena, new GgufReader(file, source)); }

    @Override public Metadata metadata() { return contents.metadata; }
    @Override public Map<String, TensorInfo> tensors() { return contents.tensors(); }
    @Override public Map<String, String> unsupported() { return contents.unsupported(); }
    @Override public MemorySegment data(String name) { return contents.data(name); }

    /** A metadata value as it is stored, type and bytes, so that a copy loses neither its integer width nor bytes that are not UTF-8. */
    MemorySegment encoded(String key) {
        var value = encoded.get(key);
        if (value == null) throw new ModelException("%s: %s is missing".formatted(metadata().source(), Diagnosis.shown(key)));
        return value;
    }

    @Override public void close() {
        if (arena.scope().isAlive()) arena.close();
    }
}
