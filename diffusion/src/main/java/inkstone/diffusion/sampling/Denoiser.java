package inkstone.diffusion.sampling;

/**
 * What a model takes for the picture without noise, D(x, sigma) (Karras et al. 2022, arXiv:2206.00364), where x = signal(sigma) · picture + sigma · noise; the signal is 1 for most
 * models and 1 - sigma for flows ({@link NoiseModel#signal}). (x - D) / sigma is then the slope of the path from noise to picture for every one of them.
 */
@FunctionalInterface
public interface Denoiser {
    /**
     * @param x the noisy state; neither kept nor written to
     * @return as long as x, the caller's from now on
     */
    float[] denoise(float[] x, double sigma);

    /** This one with every number held to [-1, 1], for models of pixels (Ho et al. 2020, arXiv:2006.11239, clip what they predict so). */
    default Denoiser clipped() {
        return (x, sigma) -> {
            float[] clean = denoise(x, sigma);
            for (int i = 0; i < clean.length; i++) clean[i] = Math.clamp(clean[i], -1f, 1f);
            return clean;
        };
    }
}
