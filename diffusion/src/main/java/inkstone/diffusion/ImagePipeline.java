package inkstone.diffusion;

import java.util.List;

/** An image model that is open: from a prompt to pictures. One thread at a time; owns its weights' memory, until it is closed. */
public interface ImagePipeline extends AutoCloseable {
    ImageModelInfo info();

    /** @throws IllegalArgumentException saying what is wrong with a request and what would be right */
    void check(ImageRequest request);

    /**
     * The pictures of a request, {@code count} of them, checked first.
     *
     * @param watcher is told of every step and every evaluation, and ends the work by throwing {@link java.util.concurrent.CancellationException}, which passes through
     */
    List<Painted> paint(ImageRequest request, Watcher watcher);

    /**
     * What a finished picture is.
     *
     * @param seed of this picture
     */
    record Painted(Picture picture, long seed) {}

    /** Told of the work, on the thread that does it. */
    interface Watcher {
        Watcher NOBODY = _ -> {};

        void step(Step step);

        /** A network is about to be evaluated, of which a step may need several. */
        default void evaluating() {}
    }

    /** One step that was taken; what it shows is made when it is asked for, within the call. */
    interface Step {
        /** Which picture of the request, from 0. */
        int picture();

        /** Steps taken of this picture, from 1; 0 while the prompt is read. */
        int step();

        int steps();

        /** Noise before the step, as the sampler counts it. */
        double sigma();

        /** What the network now takes for the picture without noise: small and quick to make. */
        Picture predicted();

        /** The noisy picture as it is. */
        Picture noisy();
    }

    @Override void close();
}
