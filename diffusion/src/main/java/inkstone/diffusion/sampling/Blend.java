package inkstone.diffusion.sampling;

/** Weighted sums of arrays of one length: every step of a sampler is one or two of these. Sums are of doubles, rounded once. */
final class Blend {
    private Blend() {}

    static float[] of(double a, float[] x, double b, float[] y) {
        var sum = new float[x.length];
        for (int i = 0; i < sum.length; i++) sum[i] = (float) (a * x[i] + b * y[i]);
        return sum;
    }

    static float[] of(double a, float[] x, double b, float[] y, double c, float[] z) {
        var sum = new float[x.length];
        for (int i = 0; i < sum.length; i++) sum[i] = (float) (a * x[i] + b * y[i] + c * z[i]);
        return sum;
    }

    /** x += a · y. */
    static void add(float[] x, double a, float[] y) { for (int i = 0; i < x.length; i++) x[i] = (float) (x[i] + a * y[i]); }
}
