package inkstone.server.images;

import inkstone.diffusion.ImagePipeline;
import inkstone.diffusion.Picture;
import inkstone.diffusion.picture.Resize;
import java.util.ArrayList;
import java.util.List;

/** How a picture came about: of every step what the network expected above, and the noisy picture below it. One thread. */
public final class Filmstrip {
    /** Pixels on a side of a frame that is larger where it comes from. */
    private static final int FRAME = 128;

    /**
     * One step.
     *
     * @param step  from 1
     * @param sigma noise before it
     */
    public record Frame(int step, double sigma, Picture predicted, Picture noisy) {
        /** Of a step, while it lasts. */
        public static Frame of(ImagePipeline.Step step) { return new Frame(step.step(), step.sigma(), small(step.predicted()), small(step.noisy())); }

        private static Picture small(Picture picture) { return within(picture.rgb(0xFFFFFF), FRAME); }
    }

    private final List<Frame> frames = new ArrayList<>();

    public void add(Frame frame) { frames.add(frame); }

    public List<Frame> frames() { return List.copyOf(frames); }

    public List<Double> sigmas() { return frames.stream().map(Frame::sigma).toList(); }

    public boolean isEmpty() { return frames.isEmpty(); }

    /** All frames in one picture of two rows, a column for each step. */
    public Picture whole() {
        int width = frames.getFirst().predicted.width(), height = frames.getFirst().predicted.height(), columns = frames.size();
        var bytes = new byte[columns * width * 2 * height * 3];
        for (int column = 0; column < columns; column++) {
            var frame = frames.get(column);
            paste(frame.predicted, bytes, columns * width, column * width, 0);
            paste(Resize.to(frame.noisy, width, height), bytes, columns * width, column * width, height);
        }
        return new Picture(columns * width, 2 * height, 3, bytes);
    }

    /** A picture of at most {@code side} pixels on a side: itself where it is no larger. */
    static Picture within(Picture picture, int side) {
        int longest = Math.max(picture.width(), picture.height());
        if (longest <= side) return picture;
        return Resize.to(picture, Math.max(1, Math.round((float) picture.width() * side / longest)), Math.max(1, Math.round((float) picture.height() * side / longest)));
    }

    private static void paste(Picture from, byte[] to, int toWidth, int left, int top) {
        for (int y = 0; y < from.height(); y++) System.arraycopy(from.bytes(), y * from.width() * 3, to, ((top + y) * toWidth + left) * 3, from.width() * 3);
    }
}
