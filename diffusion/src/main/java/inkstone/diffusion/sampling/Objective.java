package inkstone.diffusion.sampling;

import java.util.random.RandomGenerator;

/** What a network learns to say of noisy pictures, and at which noise it learns: the training side of a {@link NoiseModel}, with which pictures are painted afterwards. */
public enum Objective {
    /**
     * Rectified flow (Liu et al. 2022, arXiv:2209.03003): the network says the picture and is judged by the velocity, noise - picture = (x - picture) / t, at logit-normal times (Esser et al. 2024,
     * arXiv:2403.03206). Colours and what is where are seen through much noise in pixels: they are decided above t = 0.9, which the usual times, of mean 0 and deviation 1, visit once in seventy.
     */
    FLOW(new FlowNoise(3, 1000, Parameterization.SAMPLE), Schedule.TRAILING) {
        @Override public double draw(RandomGenerator random) { return 1 / (1 + Math.exp(-1 - 1.2 * random.nextGaussian())); }
        @Override public double spread(double share) { return share; }
        /* That of nearly clean pictures would grow without end. */
        @Override public double weight(double t) { return 1 / Math.pow(Math.max(t, 0.05), 2); }
    },
    /** The noise (Ho et al. 2020, arXiv:2006.11239) of the cosine schedule (Nichol & Dhariwal 2021, arXiv:2102.09672). */
    EPSILON(DiscreteNoise.ofBetas(DiscreteNoise.cosine(1000), Parameterization.EPSILON), Schedule.TRAILING),
    /** The velocity (Salimans & Ho 2022, arXiv:2202.00512) of the cosine schedule. */
    V(DiscreteNoise.ofBetas(DiscreteNoise.cosine(1000), Parameterization.VELOCITY), Schedule.TRAILING),
    /** What a skip connection lacks (Karras et al. 2022, arXiv:2206.00364), weighed and drawn as in table 1 there. */
    EDM(EdmNoise.standard(), Schedule.KARRAS) {
        @Override public double draw(RandomGenerator random) { return Math.exp(-1.2 + 1.2 * random.nextGaussian()); }
        @Override public double spread(double share) { return Math.exp(-1.2 + 2.4 * (2 * share - 1)); }
        /* ln(sigma) / 4 goes from -1.6 to 1.1: too little for waves that are made for steps up to 1000. */
        @Override public double time(Preconditioning preconditioning) { return 1000 * preconditioning.time(); }
    };

    private final NoiseModel noise;
    private final Schedule schedule;

    Objective(NoiseModel noise, Schedule schedule) {
        this.noise = noise;
        this.schedule = schedule;
    }

    public NoiseModel noise() { return noise; }

    /** That suits it. */
    public Schedule schedule() { return schedule; }

    /** Noise to learn at. */
    public double draw(RandomGenerator random) { return noise.sigma(random.nextInt(noise.times())); }

    /** Noise from little to much over shares in (0, 1): where a network is judged level by level. */
    public double spread(double share) { return noise.sigma(share * (noise.times() - 1)); }

    /** Of the square of the network's error. */
    public double weight(double sigma) { return 1; }

    /** What the network is told, about 0 to 1000 or -1000 to 1000. */
    public double time(Preconditioning preconditioning) { return preconditioning.time(); }

    /** What the network should say of the state x where the picture is {@code clean}. */
    public static double target(Preconditioning preconditioning, double clean, double x) { return (clean - preconditioning.skip() * x) / preconditioning.out(); }
}
