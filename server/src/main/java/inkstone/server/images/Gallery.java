package inkstone.server.images;

import inkstone.diffusion.Picture;
import inkstone.diffusion.picture.Parameters;
import inkstone.diffusion.picture.PictureFile;
import inkstone.diffusion.picture.Png;
import inkstone.server.jobs.Folders;
import inkstone.server.jobs.Uploads;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The pictures that were painted, on disk: ID.png with what made it inside, ID.small.png where that is large, ID.steps.png of how it came about; and a database to find
 * them in. A picture's file is whole before it has its name, and has it before the database knows it, so that a kill loses nothing: what the database lacks is read
 * from the files when the gallery is opened. Any thread.
 */
public final class Gallery implements AutoCloseable {
    /** How long a deletion can be taken back. */
    public static final Duration UNDO = Duration.ofSeconds(10);
    /** Pixels on the longer side of the small picture of one that is larger. */
    static final int SMALL = 384;
    /** How long a picture that was handed in is kept for jobs that begin with it. */
    private static final Duration GUEST = Duration.ofDays(2);
    private static final Pattern ID = Pattern.compile("[0-9a-f]{16}"), NAME = Pattern.compile("([0-9a-f]{16})\\.png");
    private static final String PARTIAL = ".partial";
    /** Longest side of a picture that is handed in: decoded and as floats, one of that size takes 300 MB for a moment, so they are read one at a time. */
    private static final int LARGEST = 4_096;
    private static final Logger LOG = LoggerFactory.getLogger(Gallery.class);

    private final Path folder, guests;
    private final FileChannel lock;
    private final GalleryStore store;
    private final Duration undo;
    private final SecureRandom random = new SecureRandom();
    private final Object reading = new Object();
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(Thread.ofPlatform().daemon().name("gallery").factory());

    /** What a search finds: the pictures of one page, the newest first, and how many there are in all. */
    public record Found(List<Painting> pictures, long all) {}

    private Gallery(Path folder, FileChannel lock, Duration undo) throws IOException {
        this.folder = folder;
        this.guests = Files.createDirectories(folder.resolve("guests"));
        this.lock = lock;
        this.undo = undo;
        this.store = new GalleryStore(folder.resolve("gallery.db"));
    }

    public static Gallery open(Path folder) throws IOException { return open(folder, UNDO); }

    /**
     * @param folder made where it is missing
     * @throws IOException where it cannot be written, or another Inkstone has it open
     */
    static Gallery open(Path folder, Duration undo) throws IOException {
        Folders.make(folder);
        var lock = FileChannel.open(folder.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        boolean whole = false;
        try {
            if (lock.tryLock() == null) throw taken(folder);
            var gallery = new Gallery(folder, lock, undo);
            gallery.recover();
            whole = true;
            return gallery;
        } catch (OverlappingFileLockException same) {
            throw taken(folder);
        } finally {
            if (!whole) lock.close();
        }
    }

    private static IOException taken(Path folder) {
        return new IOException("another Inkstone keeps its pictures in %s; give this one a folder of its own with --data-dir".formatted(folder));
    }

    /** What the end of the program left behind. */
    private synchronized void recover() throws IOException {
        for (var deleted : store.deletedBefore(Long.MAX_VALUE)) remove(deleted);
        var files = new HashSet<String>();
        try (var all = Files.newDirectoryStream(folder, "*.png*")) {
            for (var file : all) {
                var name = NAME.matcher(file.getFileName().toString());
                if (file.getFileName().toString().endsWith(PARTIAL)) Files.delete(file);
                else if (name.matches()) files.add(name.group(1));
            }
        }
        try (var old = Files.newDirectoryStream(guests)) {
            for (var guest : old) if (Files.getLastModifiedTime(guest).toInstant().isBefore(Instant.now().minus(GUEST))) Files.delete(guest);
        }
        var known = new HashSet<>(store.ids());
        for (var id : known) if (!files.contains(id)) store.remove(id);
        for (var id : files) if (!known.contains(id)) adopt(id);
    }

    /** A picture that the database does not know: its file tells what made it. */
    private void adopt(String id) throws IOException {
        try {
            var file = PictureFile.read(Files.readAllBytes(picture(id)));
            store.add(Painting.of(id, file.picture(), parameters(file), Files.getLastModifiedTime(picture(id)).toMillis()));
        } catch (IllegalArgumentException damaged) {
            LOG.warn("{} is not shown in the gallery: {}", picture(id), damaged.getMessage());
        }
    }

    private static Parameters parameters(PictureFile file) { return Parameters.parse(file.texts().getOrDefault(Parameters.KEYWORD, "")); }

    // Files

    private Path picture(String id) { return folder.resolve(id + ".png"); }
    private Path small(String id) { return folder.resolve(id + ".small.png"); }
    private Path steps(String id) { return folder.resolve(id + ".steps.png"); }

    /** The picture's file. */
    public Path file(String id) { return picture(painting(id).id()); }

    /** The picture's file, or that of a smaller one where it is large. */
    public Path smallFile(String id) {
        var small = small(painting(id).id());
        return Files.exists(small) ? small : picture(id);
    }

    /** The film strip's file. */
    public Path stepsFile(String id) {
        var steps = steps(painting(id).id());
        if (!Files.exists(steps)) throw new NoSuchElementException("the steps of this picture were not kept");
        return steps;
    }

    /** Whole or not at all, also after a power cut: the name comes when the bytes are on disk. */
    private static void write(Path file, byte[] bytes) throws IOException {
        var partial = file.resolveSibling(file.getFileName() + PARTIAL);
        try (var channel = FileChannel.open(partial, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            for (var buffer = ByteBuffer.wrap(bytes); buffer.hasRemaining(); ) channel.write(buffer);
            channel.force(false);
        }
        Files.move(partial, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    // Pictures

    String newId() { return Uploads.newId(random); }

    /**
     * Keeps a picture; returns it as it is kept.
     *
     * @param parameters that painted it, for its file
     * @param film       of its steps, empty where there are none
     */
    Painting add(Painting painting, Parameters parameters, Picture picture, Filmstrip film) throws IOException {
        var id = painting.id();
        if (!film.isEmpty()) write(steps(id), Png.write(film.whole(), Map.of()));
        if (Math.max(picture.width(), picture.height()) > SMALL) write(small(id), Png.write(Filmstrip.within(picture, SMALL), Map.of()));
        write(picture(id), Png.write(picture, Map.of(Parameters.KEYWORD, parameters.text())));
        synchronized (this) { return store.add(painting); }
    }

    /** What painted a picture, as its file tells. */
    Parameters parameters(String id) throws IOException { return parameters(PictureFile.read(Files.readAllBytes(file(id)))); }

    /** One that is not deleted. */
    public synchronized Painting painting(String id) {
        return store.find(id).filter(found -> !store.isDeleted(id)).orElseThrow(() -> new NoSuchElementException("there is no such picture"));
    }

    /** Pixels of a picture here, or of one that was handed in. */
    Picture pixels(String id) throws IOException {
        boolean guest = ID.matcher(id).matches() && Files.exists(guests.resolve(id));
        return read(Files.readAllBytes(guest ? guests.resolve(id) : file(id))).picture();
    }

    /**
     * A picture that somebody brought.
     *
     * @throws IllegalArgumentException in one line, for what is no picture, is damaged or too large
     */
    public PictureFile read(byte[] bytes) {
        synchronized (reading) {
            var file = PictureFile.read(bytes);
            int width = file.picture().width(), height = file.picture().height();
            if (Math.max(width, height) > LARGEST) throw new IllegalArgumentException("a picture may have %d pixels on a side here, this one has %d x %d; make it smaller first".formatted(LARGEST, width, height));
            return file;
        }
    }

    /** A picture to begin with, or a mask, handed in as a file of bytes that {@link #read} can read. */
    public String receive(byte[] bytes) throws IOException {
        var id = newId();
        write(guests.resolve(id), bytes);
        return id;
    }

    /** Whether the id is a picture's in the gallery. */
    synchronized boolean has(String id) { return store.find(id).isPresent(); }

    /**
     * @param words     that each begin a word of the prompt, of what was left out or of the model's name; blank: all pictures
     * @param before    number of the last picture of the page before; 0: the first page
     */
    public synchronized Found find(String words, boolean favourites, long before, int most) { return new Found(store.find(words, favourites, before, most), store.count(words, favourites)); }

    public synchronized Painting favourite(String id, boolean favourite) {
        painting(id);
        store.favourite(id, favourite);
        return painting(id);
    }

    /** Takes a picture away; for a while that can be undone. */
    public synchronized void delete(String id) {
        painting(id);
        store.delete(id, System.currentTimeMillis());
        timer.schedule(this::settle, undo.toMillis() + 50, TimeUnit.MILLISECONDS);
    }

    public synchronized Painting undo(String id) {
        if (!store.isDeleted(id)) throw new NoSuchElementException("this picture cannot be brought back any more");
        store.delete(id, 0);
        return painting(id);
    }

    private synchronized void settle() {
        try {
            for (var id : store.deletedBefore(System.currentTimeMillis() - undo.toMillis())) remove(id);
        } catch (IOException | UncheckedIOException left) {
            LOG.warn("a deleted picture could not be taken from disk", left);
        }
    }

    /** The files first: what a kill leaves of a deletion is a row without a file, which is cleared away at the next start. */
    private void remove(String id) throws IOException {
        for (var file : List.of(picture(id), small(id), steps(id))) Files.deleteIfExists(file);
        store.remove(id);
    }

    @Override public void close() throws IOException {
        timer.shutdownNow();
        synchronized (this) { store.close(); }
        lock.close();
    }
}
