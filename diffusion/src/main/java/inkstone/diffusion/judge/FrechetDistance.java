package inkstone.diffusion.judge;

/**
 * How far two sets of pictures are apart in the features of a network (Heusel et al. 2017, arXiv:1706.08500): as normal distributions, |m - m'|² + tr(S + S' - 2 (S S')^(1/2)) with
 * their means and covariances. Comparable only within one network and one number of pictures, so it is told beside the distance between two halves of the true pictures.
 */
public final class FrechetDistance {
    private FrechetDistance() {}

    /** @param a features of the pictures of one set, [pictures][features], at least two; b of the other */
    public static double between(float[][] a, float[][] b) {
        var first = Moments.of(a);
        var second = Moments.of(b);
        int d = first.mean.length;
        if (second.mean.length != d) throw new IllegalArgumentException("features of one network have one length, got %d and %d".formatted(d, second.mean.length));
        double distance = 0;
        for (int i = 0; i < d; i++) distance += Math.pow(first.mean[i] - second.mean[i], 2) + first.covariance[i][i] + second.covariance[i][i];
        /* The eigenvalues of S S' are those of S^(1/2) S' S^(1/2), which is symmetric; rounding may put those of 0 below it. */
        double[][] root = squareRoot(first.covariance), inner = product(product(root, second.covariance), root);
        for (double eigenvalue : Eigen.of(inner).values()) distance -= 2 * Math.sqrt(Math.max(0, eigenvalue));
        return Math.max(0, distance);
    }

    private record Moments(double[] mean, double[][] covariance) {
        static Moments of(float[][] features) {
            if (features.length < 2) throw new IllegalArgumentException("a covariance needs two pictures or more, got " + features.length);
            int d = features[0].length, n = features.length;
            var mean = new double[d];
            for (var row : features) for (int i = 0; i < d; i++) mean[i] += row[i] / (double) n;
            var covariance = new double[d][d];
            var centred = new double[d];
            for (var row : features) {
                for (int i = 0; i < d; i++) centred[i] = row[i] - mean[i];
                for (int i = 0; i < d; i++) for (int j = 0; j <= i; j++) covariance[i][j] += centred[i] * centred[j] / (n - 1);
            }
            for (int i = 0; i < d; i++) for (int j = 0; j < i; j++) covariance[j][i] = covariance[i][j];
            return new Moments(mean, covariance);
        }
    }

    private static double[][] squareRoot(double[][] symmetric) {
        var eigen = Eigen.of(symmetric);
        int d = symmetric.length;
        var root = new double[d][d];
        for (int k = 0; k < d; k++) {
            double value = Math.sqrt(Math.max(0, eigen.values()[k]));
            for (int i = 0; i < d; i++) for (int j = 0; j < d; j++) root[i][j] += value * eigen.vectors()[i][k] * eigen.vectors()[j][k];
        }
        return root;
    }

    private static double[][] product(double[][] a, double[][] b) {
        int d = a.length;
        var c = new double[d][d];
        for (int i = 0; i < d; i++) for (int k = 0; k < d; k++) for (int j = 0; j < d; j++) c[i][j] += a[i][k] * b[k][j];
        return c;
    }
}
