package inkstone.server.images;

import inkstone.diffusion.ImageModelInfo;
import inkstone.diffusion.ImagePipeline;
import inkstone.diffusion.Picture;
import java.io.IOException;
import java.util.List;
import java.util.NoSuchElementException;

/**
 * The image models there are, one of them open at a time: from the moment somebody paints with it until another is wanted or nobody has painted for a while. What they
 * are can be asked by any thread; painting and clearing is one thread's.
 */
public final class Easel implements AutoCloseable {
    /**
     * A model that can be opened.
     *
     * @param info    known without its weights
     * @param opening gives the model to whoever opens it, who closes it
     */
    public record Source(ImageModelInfo info, Opening opening) {}

    @FunctionalInterface
    public interface Opening { ImagePipeline open() throws IOException; }

    /** Makes pictures larger. Opened, used and closed on the painting thread. */
    public interface Enlarger extends AutoCloseable {
        Picture enlarge(Picture picture);

        @Override void close();
    }

    /**
     * What makes pictures larger.
     *
     * @param factor of width and height
     */
    public record Enlarging(String name, int factor, EnlargerOpening opening) {}

    @FunctionalInterface
    public interface EnlargerOpening { Enlarger open() throws IOException; }

    /** The name that stands for the first model, for clients that must name one and do not care which. */
    static final String ANY_MODEL = "default";

    private final List<Source> sources;
    private final Enlarging enlarging;
    private ImagePipeline open;
    private String opened;

    /**
     * @param sources   one at least, the usual one first
     * @param enlarging null where nothing does
     */
    public Easel(List<Source> sources, Enlarging enlarging) {
        if (sources.isEmpty()) throw new IllegalArgumentException("an easel needs a model that paints, got none");
        this.sources = List.copyOf(sources);
        this.enlarging = enlarging;
    }

    public List<ImageModelInfo> models() { return sources.stream().map(Source::info).toList(); }

    /** Null where nothing makes pictures larger. */
    public Enlarging enlarging() { return enlarging; }

    /** @param name null or empty: the usual model */
    public ImageModelInfo model(String name) { return source(name).info; }

    private Source source(String name) {
        if (name == null || name.isEmpty() || name.equalsIgnoreCase(ANY_MODEL)) return sources.getFirst();
        return sources.stream().filter(source -> source.info.name().equalsIgnoreCase(name)).findFirst().orElseThrow(() -> new NoSuchElementException(
            "there is no image model %s here; there are %s".formatted(name.length() > 60 ? name.substring(0, 60) + "..." : name, String.join(", ", sources.stream().map(source -> source.info.name()).toList()))));
    }

    /** The model, opened where it is not. */
    ImagePipeline open(String name) throws IOException {
        var source = source(name);
        if (source.info.name().equals(opened)) return open;
        clear();
        open = source.opening.open();
        opened = source.info.name();
        return open;
    }

    /** Gives the open model's memory back. */
    void clear() {
        if (open == null) return;
        var closing = open;
        open = null;
        opened = null;
        closing.close();
    }

    @Override public void close() { clear(); }
}
