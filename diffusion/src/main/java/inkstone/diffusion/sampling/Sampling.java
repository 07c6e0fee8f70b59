package inkstone.diffusion.sampling;

/**
 * What a sampler walks on.
 *
 * @param sigmas   noise before each step, falling, and 0 (or the noise to stop at) at the end
 * @param model    whose noise it is
 * @param noise    new noise, where a sampler takes it
 * @param eta      share of new noise, where a sampler has a choice; below 0: the sampler's own
 * @param progress told of every step
 */
public record Sampling(Denoiser denoiser, double[] sigmas, NoiseModel model, NoiseSource noise, double eta, Progress progress) {
    int steps() { return sigmas.length - 1; }

    /** Told of every step, on the sampler's thread; ends the walk by throwing {@link java.util.concurrent.CancellationException}. */
    @FunctionalInterface
    public interface Progress {
        Progress NOBODY = (_, _, _, _, _) -> {};

        /**
         * @param step     steps taken, from 1
         * @param sigma    noise before it
         * @param next     noise after it
         * @param x        the state after it; may be written to, as inpainting does
         * @param denoised what the model took for the picture, at sigma
         */
        void step(int step, double sigma, double next, float[] x, float[] denoised);
    }
}
