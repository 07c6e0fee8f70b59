package inkstone.diffusion.sampling;

import java.util.Arrays;

/**
 * Classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598): what the prompt changes, {@code scale} times. On denoised pictures, which comes to the same as on noise or velocity, since all are
 * straight lines of each other.
 *
 * @param scale   1: the model as it is; only the prompt's own evaluation is needed then
 * @param rescale share, 0 to 1, by which the contrast is drawn back to that without guidance (Lin et al. 2023, arXiv:2305.08891, section 3.4)
 */
public record Guidance(double scale, double rescale) {
    /** Whether nothing but the evaluation with the prompt is needed. */
    public boolean isNone() { return scale == 1; }

    /**
     * D with guidance, of D with the prompt and D without (or with the negative prompt). Contrast is the standard deviation of the velocity, as in the paper, whatever the network predicts.
     *
     * @param x     what was denoised, at sigma
     * @param model whose noise it has
     */
    public float[] combine(float[] x, double sigma, NoiseModel model, float[] conditional, float[] unconditional) {
        float[] guided = Blend.of(scale, conditional, 1 - scale, unconditional);
        if (rescale == 0 || isNone()) return guided;
        // The velocity is share · x - D times something that is the same for all: share is 1 on a straight line, and of a state with the picture unscaled the part of its power that is picture.
        double share = model instanceof FlowNoise ? 1 : 1 / (1 + sigma * sigma);
        double spread = deviation(x, share, guided);
        double kept = spread == 0 ? 1 : 1 - rescale + rescale * deviation(x, share, conditional) / spread;
        return Blend.of(share * (1 - kept), x, kept, guided);
    }

    private static double deviation(float[] x, double share, float[] denoised) {
        double sum = 0, squares = 0;
        for (int i = 0; i < x.length; i++) {
            double velocity = share * x[i] - denoised[i];
            sum += velocity;
            squares += velocity * velocity;
        }
        double mean = sum / x.length;
        return Math.sqrt(Math.max(0, squares / x.length - mean * mean));
    }

    /**
     * Dynamic thresholding for models of pixels (Saharia et al. 2022, arXiv:2205.11487, section 2.3): holds values to the size s that a share of them keeps below, at least 1, and divides by s, so
     * that strong guidance does not burn out. In place.
     *
     * @param quantile 0.995 in the paper
     */
    public static void threshold(float[] denoised, double quantile) {
        var sizes = new float[denoised.length];
        for (int i = 0; i < sizes.length; i++) sizes[i] = Math.abs(denoised[i]);
        Arrays.sort(sizes);
        double at = quantile * (sizes.length - 1);
        int below = (int) at, above = Math.min(below + 1, sizes.length - 1);
        double size = Math.max(1, sizes[below] + (at - below) * (sizes[above] - sizes[below]));
        for (int i = 0; i < denoised.length; i++) denoised[i] = (float) (Math.clamp(denoised[i], -size, size) / size);
    }
}
