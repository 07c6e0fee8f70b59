package inkstone.diffusion.picture;

import inkstone.diffusion.Picture;

/** Pictures at other sizes. Each channel is on its own: where there is alpha, {@link Picture#rgb} comes first. */
public final class Resize {
    /** Lobes of the filter on each side. */
    private static final int LOBES = 3;

    private Resize() {}

    /** As large as it must be to cover width x height, and the middle of that. */
    public static Picture covering(Picture picture, int width, int height) {
        double scale = Math.max((double) width / picture.width(), (double) height / picture.height());
        int cutWidth = Math.min(picture.width(), (int) Math.max(1, Math.round(width / scale))), cutHeight = Math.min(picture.height(), (int) Math.max(1, Math.round(height / scale)));
        return to(crop(picture, (picture.width() - cutWidth) / 2, (picture.height() - cutHeight) / 2, cutWidth, cutHeight), width, height);
    }

    /** The part that begins at column x of row y. */
    public static Picture crop(Picture picture, int x, int y, int width, int height) {
        if (x < 0 || y < 0 || width < 1 || height < 1 || x > picture.width() - width || y > picture.height() - height) {
            throw new IllegalArgumentException("%d x %d at %d, %d is not within a picture of %d x %d".formatted(width, height, x, y, picture.width(), picture.height()));
        }
        if (width == picture.width() && height == picture.height()) return picture;
        int channels = picture.channels();
        var bytes = new byte[width * height * channels];
        for (int row = 0; row < height; row++) System.arraycopy(picture.bytes(), ((y + row) * picture.width() + x) * channels, bytes, row * width * channels, width * channels);
        return new Picture(width, height, channels, bytes);
    }

    /** Stretched to width x height by Lanczos' filter of three lobes, widened where the picture shrinks, so that every pixel counts. */
    public static Picture to(Picture picture, int width, int height) {
        if (width == picture.width() && height == picture.height()) return picture;
        int channels = picture.channels(), from = picture.width(), rows = picture.height();
        var values = new float[from * rows * channels];
        for (int i = 0; i < values.length; i++) values[i] = picture.bytes()[i] & 0xFF;
        float[] wide = along(values, rows, from, width, channels);            // each row [from, channels]
        float[] both = along(wide, 1, rows, height, width * channels);        // the only "row" [rows, width · channels]
        var bytes = new byte[both.length];
        for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) Math.clamp(Math.round(both[i]), 0, 255);
        return new Picture(width, height, channels, bytes);
    }

    /** values [outer, from, inner] -> [outer, to, inner]. */
    private static float[] along(float[] values, int outer, int from, int to, int inner) {
        var result = new float[outer * to * inner];
        double scale = (double) from / to, wide = Math.max(1, scale), reach = LOBES * wide;
        for (int i = 0; i < to; i++) {
            double center = (i + 0.5) * scale - 0.5;
            int first = Math.max(0, (int) Math.ceil(center - reach)), end = Math.min(from, (int) Math.floor(center + reach) + 1);
            var weights = new double[end - first];
            double sum = 0;
            for (int k = first; k < end; k++) sum += weights[k - first] = lanczos((k - center) / wide);
            for (int k = first; k < end; k++) {
                float weight = (float) (weights[k - first] / sum);
                for (int o = 0; o < outer; o++) {
                    int source = (o * from + k) * inner, target = (o * to + i) * inner;
                    for (int c = 0; c < inner; c++) result[target + c] += weight * values[source + c];
                }
            }
        }
        return result;
    }

    private static double lanczos(double x) {
        if (x == 0) return 1;
        double angle = Math.PI * x;
        return Math.abs(x) >= LOBES ? 0 : LOBES * Math.sin(angle) * Math.sin(angle / LOBES) / (angle * angle);
    }
}
