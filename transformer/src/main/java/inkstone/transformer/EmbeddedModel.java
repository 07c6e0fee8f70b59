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

/** The model that comes with the program and answers where nobody names another. A build without its file has none. */
public final class EmbeddedModel {
    public static final String NAME = "Ink";
    /** How tokens are drawn where nobody says: at the usual temperature a model of this size strays. */
    public static final SamplerSettings SAMPLING = new SamplerSettings(0.4f, 40, 0.95f, 0.05f, 1f, 0f, 0f, 64, 0);

    /* Models are called by their file's name. */
    private static final String FILE = NAME + ".gguf", RESOURCE = "/inkstone/models/" + FILE;
    /** Hexadecimal digits of the checksum in a folder's name. */
    private static final int DIGITS = 16;

    private EmbeddedModel() {}

    public static boolean present() { return EmbeddedModel.class.getResource(RESOURCE) != null; }

    /**
     * The model as a file, for weights are mapped from files: the resource itself where it is one. In a jar, a copy in a folder named by its checksum, made at the first
     * call and compared at every other; a temporary one where it cannot be written.
     *
     * @param folder for copies; made where it does not exist
     */
    public static Path file(Path folder) throws IOException {
        var resource = EmbeddedModel.class.getResource(RESOURCE);
        if (resource == null) throw new ModelException("this build comes without its embedded model; give a GGUF file or a model's directory");
        if (resource.getProtocol().equals("file")) {
            try {
                return Path.of(resource.toURI());
            } catch (URISyntaxException problem) {
                throw new IOException("%s is no file's address".formatted(resource), problem);
            }
        }
        try (var stream = resource.openStream()) { return unpacked(stream.readAllBytes(), folder); }
    }

    static Path unpacked(byte[] model, Path folder) throws IOException {
        var target = folder.resolve(checksum(model)).resolve(FILE);
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
    private static Path temporary(byte[] model) throws IOException {
        var folder = Files.createTempDirectory("inkstone");
        folder.toFile().deleteOnExit();
        var file = folder.resolve(FILE);
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
