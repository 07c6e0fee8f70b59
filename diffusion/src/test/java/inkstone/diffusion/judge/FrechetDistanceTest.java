package inkstone.diffusion.judge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

class FrechetDistanceTest {
    private static final long SEED = 20261;

    /** Rows of independent numbers with these means and deviations. */
    private static float[][] normal(Random random, int n, double[] mean, double[] deviation) {
        var rows = new float[n][mean.length];
        for (var row : rows) for (int i = 0; i < row.length; i++) row[i] = (float) (mean[i] + deviation[i] * random.nextGaussian());
        return rows;
    }

    /** Of independent features it is the sum of (m - m')² + (s - s')². */
    @Test void distanceOfNormalsIsTheClosedForm() {
        var random = new Random(SEED);
        var a = normal(random, 40_000, new double[] {0, 1, -2, 5}, new double[] {1, 2, 0.5, 0});
        var b = normal(random, 40_000, new double[] {1, 1, -2, 5}, new double[] {3, 2, 1, 0});
        assertEquals(1 + 4 + 0.25, FrechetDistance.between(a, b), 0.1);
        assertEquals(FrechetDistance.between(a, b), FrechetDistance.between(b, a), 1e-9);
        assertEquals(0, FrechetDistance.between(a, a), 1e-9);
    }

    /** Turning both sets by the same angle changes nothing, though their features are no longer independent. */
    @Test void distanceDoesNotDependOnTheAxes() {
        var random = new Random(SEED);
        float[][] a = normal(random, 500, new double[] {0, 1}, new double[] {1, 3}), b = normal(random, 500, new double[] {2, 1}, new double[] {2, 1});
        double before = FrechetDistance.between(a, b);
        for (var set : new float[][][] {a, b}) for (var row : set) {
            float x = row[0], y = row[1];
            row[0] = (float) (x * Math.cos(0.7) - y * Math.sin(0.7));
            row[1] = (float) (x * Math.sin(0.7) + y * Math.cos(0.7));
        }
        assertEquals(before, FrechetDistance.between(a, b), 1e-4);
    }

    @Test void eigenvectorsDiagonalizeTheMatrix() {
        var random = new Random(SEED);
        int d = 30;
        var m = new double[d][d];
        for (int i = 0; i < d; i++) for (int j = 0; j <= i; j++) m[i][j] = m[j][i] = random.nextGaussian();
        var eigen = Eigen.of(m);
        for (int i = 0; i < d; i++) for (int j = 0; j < d; j++) {
            double back = 0, product = 0;
            for (int k = 0; k < d; k++) {
                back += eigen.vectors()[i][k] * eigen.values()[k] * eigen.vectors()[j][k];
                product += eigen.vectors()[k][i] * eigen.vectors()[k][j];
            }
            assertEquals(m[i][j], back, 1e-10);
            assertEquals(i == j ? 1 : 0, product, 1e-12);
        }
    }

    @Test void precisionAndRecallTellMissingFromWrong() {
        var random = new Random(SEED);
        float[][] wide = normal(random, 400, new double[] {0, 0}, new double[] {4, 4}), narrow = normal(random, 400, new double[] {0, 0}, new double[] {0.5, 0.5});
        var collapsed = PrecisionRecall.of(wide, narrow, 3);
        assertTrue(collapsed.precision() > 0.9 && collapsed.recall() < 0.3, collapsed.toString());
        var scattered = PrecisionRecall.of(narrow, wide, 3);
        assertTrue(scattered.precision() < 0.3 && scattered.recall() > 0.9, scattered.toString());
        assertEquals(new PrecisionRecall(1, 1), PrecisionRecall.of(wide, wide, 3));
    }

    @Test void tooFewPicturesAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> FrechetDistance.between(new float[1][3], new float[5][3]));
        assertThrows(IllegalArgumentException.class, () -> PrecisionRecall.of(new float[3][3], new float[5][3], 3));
    }
}
