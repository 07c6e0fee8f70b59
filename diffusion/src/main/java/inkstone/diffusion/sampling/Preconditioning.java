package inkstone.diffusion.sampling;

/**
 * How a raw network F is used at one level of noise: D(x) = skip · x + out · F(in · x, time) (Karras et al. 2022, arXiv:2206.00364, equation 7: c_skip, c_out, c_in, c_noise).
 *
 * @param time what the network is told of the noise: a step of 0 to 999, ln(sigma) / 4, or a flow's time
 */
public record Preconditioning(double skip, double out, double in, double time) {
    /** in · x: what the network sees. */
    public float[] input(float[] x) {
        var input = new float[x.length];
        for (int i = 0; i < x.length; i++) input[i] = (float) (in * x[i]);
        return input;
    }

    /** D, of the state and the network's raw output. */
    public float[] clean(float[] x, float[] output) { return Blend.of(skip, x, out, output); }
}
