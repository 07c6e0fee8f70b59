package inkstone.diffusion.layers;

/** A number as a vector of sines and cosines (Vaswani et al. 2017, arXiv:1706.03762). */
public final class Sinusoid {
    private static final double LONGEST = 10_000;

    private Sinusoid() {}

    /** [cos(t f₀), .., sin(t f₀), ..] with f_i = 10000^(-i / (dim / 2)): how Stable Diffusion sees times and sizes, cosines first. */
    public static float[] of(double t, int dim) {
        int half = dim / 2;
        var values = new float[dim];
        for (int i = 0; i < half; i++) {
            double angle = t * Math.exp(-Math.log(LONGEST) * i / half);
            values[i] = (float) Math.cos(angle);
            values[half + i] = (float) Math.sin(angle);
        }
        return values;
    }

    /**
     * How latent consistency models see guidance (Luo et al. 2023, arXiv:2310.04378): of 1000 (guidance - 1), sines first and frequencies down to 1 / 10000 itself.
     */
    public static float[] ofGuidance(double guidance, int dim) {
        int half = dim / 2;
        var values = new float[dim];
        for (int i = 0; i < half; i++) {
            double angle = 1000 * (guidance - 1) * Math.exp(-Math.log(LONGEST) * i / (half - 1));
            values[i] = (float) Math.sin(angle);
            values[half + i] = (float) Math.cos(angle);
        }
        return values;
    }
}
