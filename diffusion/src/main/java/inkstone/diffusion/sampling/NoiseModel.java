package inkstone.diffusion.sampling;

/**
 * How a model was taught to see noise: x = signal(sigma) · picture + sigma · noise, over a table of levels numbered by time, from little noise (0) to most ({@code times() - 1}), and what the
 * network's output means. Schedules choose levels, samplers walk down them.
 */
public sealed interface NoiseModel permits DiscreteNoise, FlowNoise, EdmNoise {
    /** Levels in the table. */
    int times();

    /** Noise at a time in [0, times() - 1]; between two whole times too. */
    double sigma(double time);

    /** The time at which there is so much noise: {@link #sigma} turned round, held to the ends of the table. */
    double time(double sigma);

    /** Share of the picture in the state: 1, or 1 - sigma for flows. */
    default double signal(double sigma) { return 1; }

    Preconditioning preconditioning(double sigma);

    default double sigmaMin() { return sigma(0); }

    default double sigmaMax() { return sigma(times() - 1); }

    /** signal · clean + sigma · noise. */
    default float[] noisy(float[] clean, float[] noise, double sigma) { return Blend.of(signal(sigma), clean, sigma, noise); }

    /**
     * A step from sigma to next that takes {@code eta} of the noise away and puts as much of new noise in its place: walk down to {@code down}, multiply by {@code scale}, add {@code up} times
     * new noise. Of a state that is the picture plus noise, it makes one with noise of exactly {@code next}. For eta 1 it is the posterior of the diffusion (Ho et al. 2020,
     * arXiv:2006.11239, equation 7); between 0 and 1 that of Song et al. 2020, arXiv:2010.02502, equation 16.
     */
    default Renoising renoising(double sigma, double next, double eta) {
        double up = Math.min(next, eta * next * Math.sqrt(Math.max(0, 1 - next * next / (sigma * sigma))));
        return new Renoising(Math.sqrt(next * next - up * up), 1, up);
    }

    /** @see #renoising */
    record Renoising(double down, double scale, double up) {}
}
