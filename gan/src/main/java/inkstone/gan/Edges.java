package inkstone.gan;

/** The edges of a picture, white on black: how far a pixel is from its right and lower neighbours. The second domain of coupled networks (Liu & Tuzel 2016, arXiv:1606.07536, section 4). */
final class Edges {
    private static final float GAIN = 2;

    private Edges() {}

    /** Replaces the picture [size, size, channels] at {@code at}, in [-1, 1]. */
    static void of(float[] pictures, int at, int size, int channels) {
        var edges = new float[size * size * channels];
        for (int y = 0; y < size; y++) for (int x = 0; x < size; x++) for (int c = 0; c < channels; c++) {
            int here = at + (y * size + x) * channels + c;
            float right = x + 1 < size ? pictures[here + channels] : pictures[here], below = y + 1 < size ? pictures[here + size * channels] : pictures[here];
            edges[(y * size + x) * channels + c] = Math.min(1, GAIN * (float) Math.hypot(right - pictures[here], below - pictures[here]) - 1);
        }
        System.arraycopy(edges, 0, pictures, at, edges.length);
    }
}
