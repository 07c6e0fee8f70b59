package inkstone.transformer.adapters;

import inkstone.transformer.AdapterBase;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * An adapter as a file holds it, every number in the memory of Java: what is read, trained and written. Immutable.
 *
 * @param name    for people, from the file's name
 * @param changes one for each matrix
 */
public record AdapterData(String name, List<LowRank> changes) {
    public AdapterData { changes = List.copyOf(changes); }

    /**
     * Reads an adapter for a model: a GGUF file as llama.cpp has them, or a folder as PEFT writes it.
     *
     * @throws inkstone.tensor.ModelException where it is no adapter, is damaged, or is not of this model; the message says which
     */
    public static AdapterData read(Path path, AdapterBase base) throws IOException {
        return Files.isDirectory(path) || path.getFileName().toString().endsWith(".safetensors") ? PeftFolder.read(path, base) : GgufLora.read(path, base);
    }

    /** Numbers that it has. */
    public long parameters() {
        return changes.stream().mapToLong(change -> change.a().length + (long) change.b().length + (change.magnitude() == null ? 0 : change.out())).sum();
    }

    /** The largest rank of its changes. */
    public int rank() { return changes.stream().mapToInt(LowRank::rank).max().orElse(0); }

    static String name(Path path) {
        var name = path.toAbsolutePath().normalize().getFileName().toString();
        return name.endsWith(".gguf") ? name.substring(0, name.length() - ".gguf".length()) : name;
    }
}
