package inkstone.diffusion.vae;

import java.util.function.Function;

/**
 * Large pictures decoded in tiles that overlap, so that memory stays that of one tile. Where tiles overlap their weights rise linearly from the edge (a feather): norms and attention see a
 * tile only, so neighbours differ a little.
 *
 * @param size    of a tile, places of the latent in each direction
 * @param overlap places that neighbouring tiles share; at least a quarter of the size hides the seams
 */
public record Tiles(int size, int overlap) {
    /** Tiles of 512 x 512 pixels. */
    public static final Tiles USUAL = new Tiles(64, 16);

    public Tiles {
        if (overlap < 0 || size < 1 || 2 * overlap > size) throw new IllegalArgumentException("tiles need an overlap of at most half their size, got %d of %d".formatted(overlap, size));
    }

    /** Whether a latent is larger than one tile. */
    public boolean needed(int width, int height) { return width > size || height > size; }

    /** A part of a latent, [height, width, channels]. */
    public record Tile(float[] values, int width, int height) {}

    /**
     * Decodes tile by tile.
     *
     * @param latent   [height, width, channels]
     * @param factor   pixels for one place
     * @param decode   a tile -> its picture [height · factor, width · factor, outChannels]
     * @return [height · factor, width · factor, outChannels]
     */
    public float[] decode(float[] latent, int width, int height, int channels, int factor, int outChannels, Function<Tile, float[]> decode) {
        var picture = new float[width * height * factor * factor * outChannels];
        var weights = new float[width * height * factor * factor];
        for (int y : starts(height)) for (int x : starts(width)) {
            int w = Math.min(size, width - x), h = Math.min(size, height - y);
            var part = new float[w * h * channels];
            for (int row = 0; row < h; row++) System.arraycopy(latent, ((y + row) * width + x) * channels, part, row * w * channels, w * channels);
            var pixels = decode.apply(new Tile(part, w, h));
            for (int row = 0; row < h * factor; row++) for (int column = 0; column < w * factor; column++) {
                float weight = feather(row, h * factor, y == 0, y + h == height, factor) * feather(column, w * factor, x == 0, x + w == width, factor);
                int to = (y * factor + row) * width * factor + x * factor + column, from = row * w * factor + column;
                weights[to] += weight;
                for (int c = 0; c < outChannels; c++) picture[to * outChannels + c] += weight * pixels[from * outChannels + c];
            }
        }
        for (int i = 0; i < picture.length; i++) picture[i] /= weights[i / outChannels];
        return picture;
    }

    /** Where tiles begin along {@code length} places; the last ends where the latent does. */
    private int[] starts(int length) {
        if (length <= size) return new int[] {0};
        int count = Math.ceilDiv(length - overlap, size - overlap);
        var starts = new int[count];
        for (int i = 0; i < count; i++) starts[i] = Math.min(i * (size - overlap), length - size);
        return starts;
    }

    /** The weight of pixel {@code i} of {@code length}: 1, falling towards edges that have a neighbour. */
    private float feather(int i, int length, boolean first, boolean last, int factor) {
        float ramp = Math.max(1, overlap * factor), weight = 1;
        if (!first) weight = Math.min(weight, (i + 0.5f) / ramp);
        if (!last) weight = Math.min(weight, (length - i - 0.5f) / ramp);
        return weight;
    }
}
