package inkstone.diffusion;

import java.util.Arrays;

/**
 * A picture as people see it: bytes of red, green, blue (3 channels), those and alpha (4), or grey (1), pixel by pixel, rows from the top. Immutable by convention: nobody writes
 * {@code bytes} after it was made. Inside networks pictures are floats [n, h, w, 3] in [-1, 1]; {@link #toFloats} and {@link #of} are the one way between.
 */
public record Picture(int width, int height, int channels, byte[] bytes) {
    public Picture {
        if (width < 1 || height < 1 || channels != 1 && channels != 3 && channels != 4) {
            throw new IllegalArgumentException("a picture has 1, 3 or 4 channels and a width and height of 1 or more, got %d, %d x %d".formatted(channels, width, height));
        }
        if (bytes.length != (long) width * height * channels) {
            throw new IllegalArgumentException("%d x %d pixels of %d channels take %d bytes, got %d".formatted(width, height, channels, (long) width * height * channels, bytes.length));
        }
    }

    /** Floats in [-1, 1], [height · width · channels]; the nearest of 256 levels, values beyond held to the ends. */
    public static Picture of(int width, int height, int channels, float[] values) {
        if (values.length != (long) width * height * channels) {
            throw new IllegalArgumentException("%d x %d pixels of %d channels need %d numbers, got %d".formatted(width, height, channels, (long) width * height * channels, values.length));
        }
        var bytes = new byte[values.length];
        for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) Math.clamp(Math.round((values[i] + 1) * 127.5f), 0, 255);
        return new Picture(width, height, channels, bytes);
    }

    /** Floats in [-1, 1], [height · width · channels]. */
    public float[] toFloats() {
        var values = new float[bytes.length];
        for (int i = 0; i < values.length; i++) values[i] = (bytes[i] & 0xFF) / 127.5f - 1;
        return values;
    }

    /** Channel {@code channel} of the pixel at column x of row y, 0 to 255. */
    public int at(int x, int y, int channel) { return bytes[(y * width + x) * channels + channel] & 0xFF; }

    /** Red, green and blue: alpha over {@code background} 0xRRGGBB, grey three times. Itself where it has them already. */
    public Picture rgb(int background) {
        if (channels == 3) return this;
        var rgb = new byte[width * height * 3];
        for (int pixel = 0; pixel < width * height; pixel++) for (int c = 0; c < 3; c++) {
            int value = bytes[pixel * channels + (channels == 1 ? 0 : c)] & 0xFF;
            if (channels == 4) {
                int alpha = bytes[pixel * 4 + 3] & 0xFF;
                value = (value * alpha + (background >> 16 - 8 * c & 0xFF) * (255 - alpha) + 127) / 255;
            }
            rgb[pixel * 3 + c] = (byte) value;
        }
        return new Picture(width, height, 3, rgb);
    }

    @Override public boolean equals(Object other) {
        return other instanceof Picture(int w, int h, int c, byte[] b) && width == w && height == h && channels == c && Arrays.equals(bytes, b);
    }
    @Override public int hashCode() { return 31 * (31 * width + height) + Arrays.hashCode(bytes); }
    @Override public String toString() { return "%d x %d x %d".formatted(width, height, channels); }
}
