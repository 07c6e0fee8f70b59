package inkstone.diffusion.sampling;

import java.util.random.RandomGenerator;

/**
 * What a network learns to say of a noisy picture x = signal · x0 + noise · e, at which noise, and how that becomes the clean picture: what training and sampling must agree on. Noise is counted
 * as samplers do: sigma, with signal 1 (Karras et al. 2022, arXiv:2206.00364), or for {@link #FLOW} the time in (0, 1].
 */
public enum Objective {
    /** Rectified flow (Liu et al. 2022, arXiv:2209.03003; Esser et al. 2024, arXiv:2403.03206): x = (1 - t) x0 + t e; the network says x0 and is judged by the velocity, e - x0 = (x - x0) / t. */
    FLOW {
        @Override public Level at(double t) { return new Level(1 - t, t, 1, 0, 1, 1 / square(Math.max(t, LEAST_TIME)), 1000 * t); }
        /* Logit-normal: most of the picture is decided in the middle. */
        @Override public double draw(RandomGenerator random) { return 1 / (1 + Math.exp(-random.nextGaussian())); }
        @Override public double spread(double share) { return share; }
    },
    /** The noise (Ho et al. 2020, arXiv:2006.11239) of the cosine schedule (Nichol & Dhariwal 2021, arXiv:2102.09672). */
    EPSILON {
        @Override public Level at(double sigma) { return new Level(1, sigma, 1 / Math.sqrt(1 + sigma * sigma), 1, -sigma, 1, time(sigma)); }
        @Override public double draw(RandomGenerator random) { return sigma(random.nextDouble()); }
        @Override public double spread(double share) { return sigma(share); }
    },
    /** The velocity (Salimans & Ho 2022, arXiv:2202.00512) of the cosine schedule. */
    V {
        @Override public Level at(double sigma) {
            double root = Math.sqrt(1 + sigma * sigma);
            return new Level(1, sigma, 1 / root, 1 / (1 + sigma * sigma), -sigma / root, 1, time(sigma));
        }
        @Override public double draw(RandomGenerator random) { return sigma(random.nextDouble()); }
        @Override public double spread(double share) { return sigma(share); }
    },
    /** The clean picture through scales that keep what goes in and out of the network at one size (Karras et al. 2022, arXiv:2206.00364, table 1). */
    EDM {
        @Override public Level at(double sigma) {
            double squares = sigma * sigma + DATA * DATA, root = Math.sqrt(squares);
            return new Level(1, sigma, 1 / root, DATA * DATA / squares, sigma * DATA / root, 1, 250 * Math.log(sigma));
        }
        @Override public double draw(RandomGenerator random) { return Math.exp(-1.2 + 1.2 * random.nextGaussian()); }
        @Override public double spread(double share) { return Math.exp(-1.2 + 2.4 * (2 * share - 1)); }
    };

    /* The weight of nearly clean pictures would grow without end. */
    private static final double LEAST_TIME = 0.05;
    /** Deviation of pixels in EDM. */
    private static final double DATA = 0.5;
    private static final double COSINE_OFFSET = 0.008;

    /**
     * One level of noise.
     *
     * @param input  factor on x before the network reads it
     * @param skip   share of x in the clean picture: x0 = skip · x + output · network
     * @param weight of the square of the network's error
     * @param time   what the network is told
     */
    public record Level(double signal, double noise, double input, double skip, double output, double weight, double time) {
        /** What the network should say of x where the clean picture is x0. */
        public double target(double x0, double x) { return (x0 - skip * x) / output; }
    }

    public abstract Level at(double noise);

    /** Noise to learn at. */
    public abstract double draw(RandomGenerator random);

    /** Noise from little to much over shares in (0, 1): where a network is judged level by level. */
    public abstract double spread(double share);

    /** Sigma at a share of the cosine schedule, without its clipped end. */
    private static double sigma(double share) {
        double angle = (share * 0.999 + COSINE_OFFSET) / (1 + COSINE_OFFSET) * Math.PI / 2, start = COSINE_OFFSET / (1 + COSINE_OFFSET) * Math.PI / 2;
        double signal = square(Math.cos(angle) / Math.cos(start));
        return Math.sqrt((1 - signal) / signal + 1e-6);
    }

    /** 1000 times the share at which the cosine schedule has this sigma. */
    private static double time(double sigma) {
        double start = COSINE_OFFSET / (1 + COSINE_OFFSET) * Math.PI / 2;
        double angle = Math.acos(Math.cos(start) / Math.sqrt(1 + Math.max(0, sigma * sigma - 1e-6)));
        return 1000 * Math.clamp((angle / (Math.PI / 2) * (1 + COSINE_OFFSET) - COSINE_OFFSET) / 0.999, 0, 1);
    }

    private static double square(double x) { return x * x; }
}
