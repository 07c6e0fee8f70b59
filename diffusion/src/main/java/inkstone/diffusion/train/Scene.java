package inkstone.diffusion.train;

import inkstone.diffusion.Picture;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Coloured forms on a background, and what a caption says of them.
 *
 * @param things     from the first that is drawn
 * @param relation   of the first to the second; null where nothing is said
 * @param place      of the only one; null where nothing is said
 * @param background named or not
 */
public record Scene(List<Thing> things, Relation relation, Place place, Hue background, String caption) {
    /** @param x middle, in widths of the picture @param radius half of its side, in widths */
    public record Thing(Form form, Hue hue, double x, double y, double radius) {}

    /** Where the first of two is, as seen from the second. */
    public enum Relation {
        LEFT("left of"), RIGHT("right of"), ABOVE("above"), BELOW("below");

        final String words;

        Relation(String words) { this.words = words; }

        boolean holds(double x, double y, double otherX, double otherY) {
            return switch (this) {
                case LEFT -> x < otherX && Math.abs(x - otherX) > Math.abs(y - otherY);
                case RIGHT -> x > otherX && Math.abs(x - otherX) > Math.abs(y - otherY);
                case ABOVE -> y < otherY && Math.abs(y - otherY) > Math.abs(x - otherX);
                case BELOW -> y > otherY && Math.abs(y - otherY) > Math.abs(x - otherX);
            };
        }
    }

    /** A quarter of the picture. */
    public enum Place {
        TOP_LEFT(0.27, 0.27), TOP_RIGHT(0.73, 0.27), BOTTOM_LEFT(0.27, 0.73), BOTTOM_RIGHT(0.73, 0.73);

        final double x, y;

        Place(double x, double y) {
            this.x = x;
            this.y = y;
        }

        String words() { return "in the " + name().toLowerCase(java.util.Locale.ROOT).replace('_', ' '); }

        boolean holds(double atX, double atY) { return atX < 0.5 == x < 0.5 && atY < 0.5 == y < 0.5; }
    }

    /** Samples of a pixel, each way, for smooth edges. */
    private static final int SAMPLES = 4;

    /** The scene at {@code size} pixels on a side. */
    public Picture picture(int size) {
        var bytes = new byte[size * size * 3];
        for (int y = 0; y < size; y++) for (int x = 0; x < size; x++) {
            int[] sums = new int[3];
            for (int j = 0; j < SAMPLES; j++) for (int i = 0; i < SAMPLES; i++) {
                var hue = at((x + (i + 0.5) / SAMPLES) / size, (y + (j + 0.5) / SAMPLES) / size);
                for (int c = 0; c < 3; c++) sums[c] += hue.channel(c);
            }
            for (int c = 0; c < 3; c++) bytes[3 * (y * size + x) + c] = (byte) Math.round(sums[c] / (double) (SAMPLES * SAMPLES));
        }
        return new Picture(size, size, 3, bytes);
    }

    private Hue at(double x, double y) {
        for (int i = things.size() - 1; i >= 0; i--) {
            var thing = things.get(i);
            if (thing.form.covers((x - thing.x) / thing.radius, (y - thing.y) / thing.radius)) return thing.hue;
        }
        return background;
    }

    @Override public String toString() { return caption + things.stream().map(t -> " %s %s (%.2f, %.2f) %.2f".formatted(t.hue, t.form, t.x, t.y, t.radius)).collect(Collectors.joining()); }
}
