package inkstone.tokenizer.train;

import inkstone.tensor.ModelException;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/**
 * Texts to learn from: files, folders and zip files of UTF-8. A name that ends in .jsonl or .ndjson has a JSON object a line, with "text" or chat "messages"; every other
 * file that is named is plain text, and .gz is unpacked. Of folders and zip files only .txt, .text, .md, .jsonl and .ndjson, also with .gz, and in folders .zip are read, in the order of their paths;
 * the rest is told by {@link #passedOver}. A text file is one document, or several that {@value Chunk#SEPARATOR} divides. Read as a stream of {@link Chunk}s of about a
 * megabyte, whatever a file's size. Immutable; any thread.
 */
public final class Corpus {
    public enum Format { TEXT, JSONL }

    /** Opens what is read, anew each time. */
    public interface Opener { InputStream open() throws IOException; }

    /** @param bytesRead of {@link Corpus#bytes}, this chunk's among them */
    public interface Reader { void accept(Chunk chunk, long bytesRead) throws IOException; }

    private record Source(String name, Format format, long bytes, Opener opener) {}

    /* Below the million characters after which the tokenizer's engine cuts a text itself. */
    private static final int CHUNK = 1 << 20;
    private static final int LONGEST_LINE = 64 << 20;
    private static final int MOST_DEPTH = 32;

    private final List<Source> sources;
    private final List<String> passedOver;
    private final long bytes;

    private Corpus(List<Source> sources, List<String> passedOver) {
        this.sources = List.copyOf(sources);
        this.passedOver = List.copyOf(passedOver);
        this.bytes = sources.stream().mapToLong(Source::bytes).sum();
    }

    /** @throws ModelException where nothing in these files and folders is text, or a zip file is broken */
    public static Corpus of(List<Path> paths) throws IOException {
        var sources = new ArrayList<Source>();
        var passedOver = new ArrayList<String>();
        for (var path : paths) {
            if (!Files.exists(path)) throw new NoSuchFileException(path.toString());
            if (Files.isDirectory(path)) addFolder(path, sources, passedOver);
            else if (isZip(path)) addZip(path, sources, passedOver);
            else sources.add(file(path));
        }
        if (sources.isEmpty()) throw new ModelException("%s: no .txt, .md, .jsonl or .zip file to read; name the files themselves where they are called otherwise".formatted(paths));
        return new Corpus(sources, passedOver);
    }

    /** One stream. @param size its bytes, for progress; 0 where nobody knows */
    public static Corpus of(String name, Format format, long size, Opener opener) { return new Corpus(List.of(new Source(name, format, size, opener)), List.of()); }

    private static Source file(Path path) throws IOException {
        return new Source(path.toString(), format(path.toString()), Files.size(path), () -> new Counted(Files.newInputStream(path)));
    }

    private static void addFolder(Path folder, List<Source> sources, List<String> passedOver) throws IOException {
        List<Path> files;
        try (var walk = Files.walk(folder, MOST_DEPTH)) { files = walk.filter(Files::isRegularFile).filter(file -> isShown(folder.relativize(file))).sorted().toList(); }
        for (var file : files) {
            if (isZip(file)) addZip(file, sources, passedOver);
            else if (isText(file.toString())) sources.add(file(file));
            else passedOver.add(file.toString());
        }
    }

    private static boolean isShown(Path relative) {
        for (var name : relative) if (name.toString().startsWith(".")) return false;
        return true;
    }

    private static void addZip(Path path, List<Source> sources, List<String> passedOver) throws IOException {
        try (var zip = new ZipFile(path.toFile())) {
            zip.stream().filter(entry -> !entry.isDirectory()).sorted((a, b) -> a.getName().compareTo(b.getName())).forEach(entry -> {
                var name = path + "/" + entry.getName();
                if (isText(name)) sources.add(new Source(name, format(name), Math.max(0, entry.getSize()), () -> openEntry(path, entry.getName())));
                else passedOver.add(name);
            });
        } catch (ZipException e) {
            throw new ModelException("%s: is not a zip file that can be read (%s); pack it again".formatted(path, e.getMessage()), e);
        }
    }

    private static InputStream openEntry(Path path, String entry) throws IOException {
        var zip = new ZipFile(path.toFile());
        var found = zip.getEntry(entry);
        if (found == null) {
            zip.close();
            throw new NoSuchFileException(path + "/" + entry);
        }
        return new Counted(zip.getInputStream(found)) {
            @Override public void close() throws IOException { zip.close(); }
        };
    }

    private static boolean isZip(Path path) { return path.toString().toLowerCase(Locale.ROOT).endsWith(".zip"); }

    private static String plainName(String name) {
        var lower = name.toLowerCase(Locale.ROOT);
        return lower.endsWith(".gz") ? lower.substring(0, lower.length() - 3) : lower;
    }

    private static boolean isText(String name) {
        var plain = plainName(name);
        return plain.endsWith(".txt") || plain.endsWith(".text") || plain.endsWith(".md") || format(name) == Format.JSONL;
    }

    private static Format format(String name) {
        var plain = plainName(name);
        return plain.endsWith(".jsonl") || plain.endsWith(".ndjson") ? Format.JSONL : Format.TEXT;
    }

    /** What is to be read, as the files hold it: of .gz the packed bytes. */
    public long bytes() { return bytes; }

    /** How many files are read. */
    public int files() { return sources.size(); }

    /** Files of the folders and zip files that are no text by their names. */
    public List<String> passedOver() { return passedOver; }

    /** SHA-256 of all that is read, in its order; the files' names and dates do not matter. Reads everything once, about as fast as a disk gives it. */
    public byte[] fingerprint(BooleanSupplier cancelled) throws IOException {
        try {
            var digest = MessageDigest.getInstance("SHA-256");
            var buffer = new byte[CHUNK];
            for (var source : sources) {
                long size = 0;
                try (var in = unpacked(source)) {
                    for (int count = in.read(buffer); count >= 0; count = in.read(buffer), size += Math.max(0, count)) {
                        requireWanted(cancelled);
                        digest.update(buffer, 0, count);
                    }
                } catch (ZipException | EOFException e) {
                    throw broken(source, e);
                }
                digest.update("\n%s %d\n".formatted(source.format, size).getBytes(StandardCharsets.UTF_8));
            }
            return digest.digest();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    static void requireWanted(BooleanSupplier cancelled) { if (cancelled.getAsBoolean()) throw new CancellationException("cancelled while texts were read"); }

    /** All chunks in order. Throws {@link CancellationException} when cancelled, {@link ModelException} where a .gz is broken or a line of JSON is endless. */
    public void read(BooleanSupplier cancelled, Reader reader) throws IOException {
        long before = 0;
        for (var source : sources) {
            try (var in = source.opener.open()) {
                long start = before;
                var chunks = new Chunks(source, unpacked(source, in), chunk -> {
                    requireWanted(cancelled);
                    reader.accept(chunk, start + (in instanceof Counted counted ? Math.min(counted.count, source.bytes) : 0));
                });
                chunks.read();
            } catch (ZipException | EOFException e) {
                throw broken(source, e);
            }
            before += source.bytes;
        }
    }

    private static ModelException broken(Source source, IOException e) {
        return new ModelException("%s: is packed, and broken (%s); take another copy".formatted(source.name, e.getMessage()), e);
    }

    private static InputStream unpacked(Source source) throws IOException { return unpacked(source, source.opener.open()); }

    private static InputStream unpacked(Source source, InputStream in) throws IOException {
        if (!source.name.toLowerCase(Locale.ROOT).endsWith(".gz")) return in;
        try {
            return new GZIPInputStream(new BufferedInputStream(in, 1 << 16), 1 << 16);
        } catch (ZipException | EOFException e) {
            in.close();
            throw new ModelException("%s: is called .gz and is not packed so; take the ending off its name".formatted(source.name), e);
        }
    }

    private static class Counted extends FilterInputStream {
        private long count;

        Counted(InputStream in) { super(in); }

        @Override public int read() throws IOException {
            int value = super.read();
            if (value >= 0) count++;
            return value;
        }

        @Override public int read(byte[] bytes, int offset, int length) throws IOException {
            int read = super.read(bytes, offset, length);
            if (read > 0) count += read;
            return read;
        }
    }

    private interface Sink { void accept(Chunk chunk) throws IOException; }

    /** Cuts a stream where no word goes on: of text before a line that begins with a letter or digit, of JSON between lines. */
    private static final class Chunks {
        private final Source source;
        private final InputStream in;
        private final Sink sink;
        private byte[] buffer = new byte[CHUNK];
        private int filled;
        /* Bytes of text, or lines of JSON, before the buffer. */
        private long passed;

        Chunks(Source source, InputStream in, Sink sink) {
            this.source = source;
            this.in = in;
            this.sink = sink;
        }

        void read() throws IOException {
            while (fill()) {
                int cut = source.format == Format.JSONL ? endOfLines() : endOfWord(buffer, filled);
                if (cut == 0) {
                    if (filled >= LONGEST_LINE) throw new ModelException("%s:%d: is a line of more than %d MB; put one document on a line".formatted(source.name, passed + 1, LONGEST_LINE >> 20));
                    buffer = Arrays.copyOf(buffer, 2 * buffer.length);
                } else {
                    hand(cut, false);
                }
            }
            hand(filled, true);
        }

        /** Whether there is more than the buffer holds, or may be. */
        private boolean fill() throws IOException {
            for (int count; filled < buffer.length; filled += count) if ((count = in.read(buffer, filled, buffer.length - filled)) < 0) return false;
            return true;
        }

        private void hand(int cut, boolean last) throws IOException {
            var bytes = Arrays.copyOf(buffer, cut);
            sink.accept(new Chunk(source.name, source.format, bytes, passed, last));
            if (source.format == Format.TEXT) passed += cut;
            else for (byte b : bytes) if (b == '\n') passed++;
            System.arraycopy(buffer, cut, buffer, 0, filled - cut);
            filled -= cut;
            if (buffer.length > CHUNK && filled <= CHUNK) buffer = Arrays.copyOf(buffer, CHUNK);
        }

        private int endOfLines() {
            for (int end = filled; end > 0; end--) if (buffer[end - 1] == '\n') return end;
            return 0;
        }
    }

    /* A space before a letter and after something visible begins a word as well; a text without either is cut between two characters. */
    private static int endOfWord(byte[] bytes, int length) {
        for (int end = length - 1; end > length / 2; end--) if (bytes[end - 1] == '\n' && isLetterOrDigit(bytes[end])) return end;
        for (int end = length - 2; end > length / 2; end--) if (bytes[end] == ' ' && bytes[end - 1] > ' ' && isLetterOrDigit(bytes[end + 1])) return end;
        int end = length - 1;
        while (end > length - 4 && (bytes[end] & 0xC0) == 0x80) end--;
        return end;
    }

    private static boolean isLetterOrDigit(byte b) { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'; }
}
