package inkstone.diffusion.judge;

/**
 * Eigenvalues of a symmetric matrix, and its eigenvectors as columns, by Jacobi's rotations (Golub & Van Loan, Matrix Computations, section 8.5): slow, and exact to the last digits.
 */
record Eigen(double[] values, double[][] vectors) {
    private static final int MOST_SWEEPS = 60;

    static Eigen of(double[][] symmetric) {
        int d = symmetric.length;
        var a = new double[d][];
        var v = new double[d][d];
        double size = 0;
        for (int i = 0; i < d; i++) {
            a[i] = symmetric[i].clone();
            v[i][i] = 1;
            for (double x : a[i]) size += x * x;
        }
        for (int sweep = 0; sweep < MOST_SWEEPS && outside(a) > 1e-28 * size; sweep++) {
            for (int p = 0; p < d - 1; p++) for (int q = p + 1; q < d; q++) if (a[p][q] != 0) rotate(a, v, p, q);
        }
        var values = new double[d];
        for (int i = 0; i < d; i++) values[i] = a[i][i];
        return new Eigen(values, v);
    }

    /** Sum of the squares beside the diagonal. */
    private static double outside(double[][] a) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) for (int j = 0; j < i; j++) sum += 2 * a[i][j] * a[i][j];
        return sum;
    }

    /** Turns the plane of two axes so that nothing is left between them. */
    private static void rotate(double[][] a, double[][] v, int p, int q) {
        double tau = (a[q][q] - a[p][p]) / (2 * a[p][q]), t = Math.copySign(1, tau) / (Math.abs(tau) + Math.sqrt(1 + tau * tau)), c = 1 / Math.sqrt(1 + t * t), s = t * c;
        for (int k = 0; k < a.length; k++) {
            double kp = a[k][p], kq = a[k][q];
            a[k][p] = c * kp - s * kq;
            a[k][q] = s * kp + c * kq;
        }
        double[] rowP = a[p], rowQ = a[q];
        for (int k = 0; k < a.length; k++) {
            double pk = rowP[k], qk = rowQ[k];
            rowP[k] = c * pk - s * qk;
            rowQ[k] = s * pk + c * qk;
            double kp = v[k][p], kq = v[k][q];
            v[k][p] = c * kp - s * kq;
            v[k][q] = s * kp + c * kq;
        }
    }
}
