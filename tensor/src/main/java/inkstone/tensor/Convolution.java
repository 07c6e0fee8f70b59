package inkstone.tensor;

/**
 * How a convolution's window moves over a picture. The window's size is the weight's; outside of the picture everything is 0.
 *
 * @param stride pixels between two places of the window, in both directions
 * @param before pixels of padding above and to the left
 * @param after  pixels of padding below and to the right
 */
public record Convolution(int stride, int before, int after) {
    public Convolution {
        if (stride < 1 || before < 0 || after < 0) {
            throw new IllegalArgumentException("a convolution needs a stride of 1 or more and padding of 0 or more, got %d, %d and %d".formatted(stride, before, after));
        }
    }

    /** The same padding on all sides. */
    public Convolution(int stride, int padding) { this(stride, padding, padding); }

    /** The size stays, for windows of an odd size. */
    public static Convolution same(int window) { return new Convolution(1, window / 2); }

    /** Places of a window along {@code size} pixels; below 1 where it does not fit. */
    public int places(int size, int window) { return Math.floorDiv(size + before + after - window, stride) + 1; }

    /** The least pixels along which a window has that many places: what a transposed convolution makes of them. */
    public int size(int places, int window) { return (places - 1) * stride + window - before - after; }
}
