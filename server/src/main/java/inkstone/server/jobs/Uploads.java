package inkstone.server.jobs;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.regex.Pattern;

/**
 * Files of examples, each in a folder of its own that has its id for a name. Names that come from outside never make a path: ids are ours, and of a file's name only
 * plain characters stay. A job takes a copy (a second name of the same file where the disk can), so files that lie here for a week are cleared away. Any thread.
 */
public final class Uploads {
    private static final Duration KEPT = Duration.ofDays(7);
    private static final Pattern ID = Pattern.compile("[0-9a-f]{16}"), UNSAFE = Pattern.compile("[^\\p{L}\\p{N} ._-]+"), FOLDERS = Pattern.compile(".*[\\\\/]");
    private static final int LONGEST_NAME = 80;
    private static final String PARTIAL = ".partial";
    private static final List<Sample> SAMPLES = List.of(new Sample("lighthouse", "A lighthouse keeper", "48 short talks with a keeper of few words; made for Inkstone, free to use", "lighthouse.jsonl"));

    private final Path folder;
    private final SecureRandom random = new SecureRandom();

    Uploads(Path folder) throws IOException {
        this.folder = Files.createDirectories(folder);
        try (var old = Files.newDirectoryStream(folder)) {
            for (var entry : old) if (Files.getLastModifiedTime(entry).toInstant().isBefore(Instant.now().minus(KEPT))) Folders.delete(entry);
        }
    }

    public List<Sample> samples() { return SAMPLES; }

    /** Bytes that the disk can still take. */
    public long room() throws IOException { return Files.getFileStore(folder).getUsableSpace(); }

    /**
     * Writes what comes to disk as it comes.
     *
     * @throws IllegalArgumentException where it is empty or longer than {@code most} bytes; nothing stays
     */
    public Upload add(String name, InputStream bytes, long most) throws IOException {
        var id = newId(random);
        var own = Files.createDirectory(folder.resolve(id));
        var safe = safe(name);
        var partial = own.resolve(PARTIAL);
        try {
            long size;
            try (var out = Files.newOutputStream(partial)) { size = copy(bytes, out, most); }
            if (size > most) throw new IllegalArgumentException("the file may have %,d bytes, this one has more; split it, or train at the terminal".formatted(most));
            if (size == 0) throw new IllegalArgumentException("the file is empty; expected one example a line, or text");
            Files.move(partial, own.resolve(safe), StandardCopyOption.ATOMIC_MOVE);
            return new Upload(id, safe, size);
        } catch (IOException | RuntimeException problem) {
            Folders.delete(own);
            throw problem;
        }
    }

    private static long copy(InputStream bytes, OutputStream out, long most) throws IOException {
        var buffer = new byte[1 << 16];
        long size = 0;
        for (int read = bytes.read(buffer); read >= 0 && size <= most; read = bytes.read(buffer)) {
            out.write(buffer, 0, read);
            size += read;
        }
        return size;
    }

    public Upload add(String sample) throws IOException {
        var chosen = SAMPLES.stream().filter(each -> each.id().equals(sample)).findFirst().orElseThrow(() -> new NoSuchElementException("there is no such sample of data"));
        try (var stream = Uploads.class.getResourceAsStream("samples/" + chosen.file())) { return add(chosen.file(), stream, Long.MAX_VALUE); }
    }

    /** @throws NoSuchElementException where there is none of this id, or none any more */
    public Path file(String id) throws IOException {
        var own = folder.resolve(id);
        if (ID.matcher(id).matches() && Files.isDirectory(own)) {
            try (var files = Files.newDirectoryStream(own, file -> !file.endsWith(PARTIAL))) { for (var file : files) return file; }
        }
        throw new NoSuchElementException("the file of examples is not here any more; choose it again");
    }

    /** For URLs and names of files: 16 hexadecimal digits, which nobody guesses. */
    public static String newId(SecureRandom random) {
        var bytes = new byte[8];
        random.nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    /** The last part of a path, without what any file system might mind, and not hidden. */
    static String safe(String name) {
        var last = FOLDERS.matcher(name).replaceFirst("");
        var plain = UNSAFE.matcher(last).replaceAll("_").strip().replaceFirst("^\\.+", "");
        if (plain.length() > LONGEST_NAME) plain = plain.substring(plain.length() - LONGEST_NAME);   // its end says what it is
        return plain.isBlank() ? "data" : plain;
    }
}
