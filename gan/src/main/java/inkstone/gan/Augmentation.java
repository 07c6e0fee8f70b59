package inkstone.gan;

import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import java.util.random.RandomGenerator;

/**
 * Pictures changed at random before the discriminator sees them, true and made ones alike, so that it cannot learn a small set by heart; each change leaves so many pictures as they are that
 * the generator does not learn to make changed ones (Karras et al. 2020, arXiv:2006.06676). Every change has probability p: mirrored, turned by quarters, moved by whole pixels, scaled, turned,
 * stretched, moved by parts of pixels; brightness, contrast, luma turned over, hue, saturation. All are linear in the pixels, so gradients pass through.
 */
final class Augmentation {
    private Augmentation() {}

    /** pictures [n, size, size, 3] */
    static Tensor of(Tensor pictures, double p, RandomGenerator random) {
        if (p <= 0) return pictures;
        int n = pictures.shape().dim(0), size = pictures.shape().dim(1), pixels = size * size;
        var rows = new int[4 * n * pixels];
        float[] weights = new float[4 * n * pixels], matrices = new float[n * 9], shifts = new float[n * 3];
        var whose = new int[n * pixels];
        for (int i = 0; i < n; i++) {
            place(Geometry.drawn(p, random), i, size, rows, weights);
            Colours.drawn(p, random, matrices, shifts, i);
            java.util.Arrays.fill(whose, i * pixels, (i + 1) * pixels, i);
        }
        var scope = pictures.scope();
        var moved = pictures.view(n * pixels, 3).gatherRows(scope.ints(rows)).weightedSum(scope.floats(weights, n * pixels, 4));
        var coloured = moved.expertLinear(scope.floats(matrices, n, 3, 3), scope.floats(shifts, n, 3), scope.tensor(DType.I32, n * pixels).set(whose));
        return coloured.view(n, size, size, 3);
    }

    /** The four pixels that each pixel of picture i comes from, and their weights. Beyond the edge the picture is mirrored. */
    private static void place(Geometry g, int i, int size, int[] rows, float[] weights) {
        double middle = (size - 1) / 2.0;
        for (int y = 0; y < size; y++) for (int x = 0; x < size; x++) {
            double dx = x - middle, dy = y - middle, fromX = g.a * dx + g.b * dy + g.right * size + middle, fromY = g.c * dx + g.d * dy + g.down * size + middle;
            int left = (int) Math.floor(fromX), top = (int) Math.floor(fromY), at = 4 * ((i * size + y) * size + x);
            double partX = fromX - left, partY = fromY - top;
            for (int corner = 0; corner < 4; corner++) {
                int column = mirrored(left + (corner & 1), size), row = mirrored(top + (corner >> 1), size);
                rows[at + corner] = (i * size + row) * size + column;
                weights[at + corner] = (float) (((corner & 1) == 0 ? 1 - partX : partX) * (corner >> 1 == 0 ? 1 - partY : partY));
            }
        }
    }

    private static int mirrored(int place, int size) {
        int period = 2 * size, at = Math.floorMod(place, period);
        return at < size ? at : period - 1 - at;
    }

    /** Where a pixel comes from, in parts of the picture from its middle: (a b; c d) · place + (right, down). */
    private record Geometry(double a, double b, double c, double d, double right, double down) {
        static Geometry drawn(double p, RandomGenerator random) {
            var g = new Geometry(1, 0, 0, 1, 0, 0);
            if (random.nextDouble() < p) g = g.then(random.nextBoolean() ? -1 : 1, 0, 0, 1);
            if (random.nextDouble() < p) g = g.turned(random.nextInt(4) * Math.PI / 2);
            if (random.nextDouble() < p) g = g.moved(whole(random), whole(random));
            if (random.nextDouble() < p) {
                double s = Math.pow(2, -0.2 * random.nextGaussian());
                g = g.then(s, 0, 0, s);
            }
            double turning = 1 - Math.sqrt(1 - p);                                  // before and after stretching: p in all
            if (random.nextDouble() < turning) g = g.turned(random.nextDouble(-Math.PI, Math.PI));
            if (random.nextDouble() < p) {
                double s = Math.pow(2, 0.2 * random.nextGaussian());
                g = g.then(s, 0, 0, 1 / s);
            }
            if (random.nextDouble() < turning) g = g.turned(random.nextDouble(-Math.PI, Math.PI));
            if (random.nextDouble() < p) g = g.moved(0.125 * random.nextGaussian(), 0.125 * random.nextGaussian());
            return g;
        }

        private static double whole(RandomGenerator random) { return random.nextInt(-4, 5) / 32.0; }

        Geometry then(double a2, double b2, double c2, double d2) { return new Geometry(a * a2 + b * c2, a * b2 + b * d2, c * a2 + d * c2, c * b2 + d * d2, right, down); }
        Geometry turned(double angle) { return then(Math.cos(angle), -Math.sin(angle), Math.sin(angle), Math.cos(angle)); }
        Geometry moved(double x, double y) { return new Geometry(a, b, c, d, right + a * x + b * y, down + c * x + d * y); }
    }

    /** A matrix and a shift for the colours of a picture. */
    private static final class Colours {
        private static final double GREY = 1 / Math.sqrt(3);

        private Colours() {}

        static void drawn(double p, RandomGenerator random, float[] matrices, float[] shifts, int i) {
            double[][] m = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
            double shift = 0;
            if (random.nextDouble() < p) shift = 0.2 * random.nextGaussian();
            if (random.nextDouble() < p) {
                double contrast = Math.pow(2, 0.5 * random.nextGaussian());
                m = scaled(m, contrast);
                shift *= contrast;
            }
            if (random.nextDouble() < p && random.nextBoolean()) {                    // the part along grey turned over
                m = product(alongGrey(-1, 1), m);
                shift = -shift;
            }
            if (random.nextDouble() < p) m = product(turnedAroundGrey(random.nextDouble(-Math.PI, Math.PI)), m);
            if (random.nextDouble() < p) m = product(alongGrey(1, Math.pow(2, random.nextGaussian())), m);
            for (int r = 0; r < 3; r++) {
                for (int c = 0; c < 3; c++) matrices[i * 9 + 3 * r + c] = (float) m[r][c];
                shifts[i * 3 + r] = (float) shift;
            }
        }

        /** What lies along grey times {@code along}, what lies across times {@code across}. */
        private static double[][] alongGrey(double along, double across) {
            var m = new double[3][3];
            for (int r = 0; r < 3; r++) for (int c = 0; c < 3; c++) m[r][c] = (r == c ? across : 0) + (along - across) / 3;
            return m;
        }

        private static double[][] turnedAroundGrey(double angle) {
            double cos = Math.cos(angle), sin = Math.sin(angle) * GREY, rest = (1 - cos) / 3;
            return new double[][] {{cos + rest, rest - sin, rest + sin}, {rest + sin, cos + rest, rest - sin}, {rest - sin, rest + sin, cos + rest}};
        }

        private static double[][] scaled(double[][] m, double factor) {
            for (var row : m) for (int c = 0; c < 3; c++) row[c] *= factor;
            return m;
        }

        private static double[][] product(double[][] a, double[][] b) {
            var m = new double[3][3];
            for (int r = 0; r < 3; r++) for (int c = 0; c < 3; c++) for (int k = 0; k < 3; k++) m[r][c] += a[r][k] * b[k][c];
            return m;
        }
    }
}
