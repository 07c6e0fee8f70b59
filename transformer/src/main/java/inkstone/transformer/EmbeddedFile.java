package inkstone.transformer;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.NewFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * A model's file that comes with the program, as a resource /inkstone/models/{@code name}. A build may come without it.
 *
 * @param owner of the module whose resource it is
 */
public record EmbeddedFile(Class<?> owner, String name) {
    /** Hexadecimal digits of the checksum in a folder's name. */
    private static final int DIGITS = 16;

    private String resource() { return "/inkstone/models/" + name; }

    public boolean present() { return owner.getResource(resource()) != null; }

    /**
     * The model as a file, for weights are mapped from files: the resource itself where it is one. In a jar, a copy in a folder named by its checksum, made at the first
     * call and compared at every other; a temporary one where it cannot be written.
     *
     * @param folder for copies; made where it does not exist
     */
    public Path file(Path folder) throws IOException {
        var resource = owner.getResource(resource());
        if (resource == null) throw new ModelException("this build comes without %s; give a model's file".formatted(name));
        if (resource.getProtocol().equals("file")) {
            try {
                return Path.of(resource.toURI());
            } catch (URISyntaxException problem) {
                throw new IOException("%s is no file's address".formatted(resource), problem);
            }
        }
        try (var stream = resource.openStream()) { return unpacked(stream.readAllBytes(), folder); }
    }

    Path unpacked(byte[] model, Path folder) throws IOException {
        var target = folder.resolve(checksum(model)).resolve(name);
        if (holds(target, model)) return target;
        try {
            Files.createDirectories(target.getParent());
            write(target, model);
            return target;
        } catch (IOException unwritable) {
            return temporary(model);
        }
    }

    /** What cannot be read is written again. */
    private static boolean holds(Path file, byte[] model) {
        try {
            return Files.isRegularFile(file) && Files.size(file) == model.length && Arrays.equals(Files.readAllBytes(file), model);
        } catch (IOException unreadable) {
            return false;
        }
    }

    /** A copy that the JVM's end deletes. */
    private Path temporary(byte[] model) throws IOException {
        var folder = Files.createTempDirectory("inkstone");
        folder.toFile().deleteOnExit();
        var file = folder.resolve(name);
        file.toFile().deleteOnExit();
        write(file, model);
        return file;
    }

    private static void write(Path file, byte[] model) throws IOException {
        try (var fresh = new NewFile(file, model.length)) {
            fresh.write(MemorySegment.ofArray(model));
            fresh.commit();
        }
    }

    private static String checksum(byte[] model) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(model)).substring(0, DIGITS);
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException("every JVM has SHA-256", impossible);
        }
    }
}
