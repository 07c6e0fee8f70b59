package inkstone.diffusion.sampling;

/** Steps of second order that look at the slope twice and remember nothing. The slope is (x - D) / sigma. */
final class SingleStep {
    private SingleStep() {}

    /** Karras et al. 2022, arXiv:2206.00364, algorithm 1 without churn: the mean of the slopes at both ends; the last step, to no noise, is Euler's. */
    static float[] heun(Sampling s, float[] x) {
        for (int i = 0; i < s.steps(); i++) {
            double sigma = s.sigmas()[i], next = s.sigmas()[i + 1];
            float[] denoised = s.denoiser().denoise(x, sigma), end = toward(x, denoised, sigma, next);
            if (next > 0) {
                float[] slope = slope(x, denoised, sigma), endSlope = slope(end, s.denoiser().denoise(end, next), next);
                x = Blend.of(1, x, (next - sigma) / 2, slope, (next - sigma) / 2, endSlope);
            } else x = end;
            s.progress().step(i + 1, sigma, next, x, denoised);
        }
        return x;
    }

    /** The midpoint rule in ln(sigma) (Lu et al. 2022, arXiv:2206.00927, DPM-Solver-2, as k-diffusion has it): the slope at sqrt(sigma · next) serves the whole step; the last is Euler's. */
    static float[] dpm2(Sampling s, float[] x) {
        for (int i = 0; i < s.steps(); i++) {
            double sigma = s.sigmas()[i], next = s.sigmas()[i + 1];
            float[] denoised = s.denoiser().denoise(x, sigma);
            if (next > 0) {
                double middle = Math.sqrt(sigma * next);
                float[] half = toward(x, denoised, sigma, middle);
                x = Blend.of(1, x, next - sigma, slope(half, s.denoiser().denoise(half, middle), middle));
            } else x = toward(x, denoised, sigma, next);
            s.progress().step(i + 1, sigma, next, x, denoised);
        }
        return x;
    }

    /** Along the slope from sigma to next, which is a mean of state and picture: x + (x - D) / sigma · (next - sigma). */
    static float[] toward(float[] x, float[] denoised, double sigma, double next) { return Blend.of(next / sigma, x, 1 - next / sigma, denoised); }

    static float[] slope(float[] x, float[] denoised, double sigma) { return Blend.of(1 / sigma, x, -1 / sigma, denoised); }
}
