package inkstone.diffusion.sampling;

/** Which levels of noise the steps of a sampler go through. Names are those of ComfyUI, labels those of A1111's web UI. */
public enum Schedule {
    /** Even steps of the model's time, from its first to its last. */
    NORMAL("Normal", (noise, i, steps) -> noise.sigma(steps == 1 ? last(noise) : last(noise) * (1 - i / (steps - 1.0)))),
    /** Karras et al. 2022, arXiv:2206.00364, equation 5 with rho 7: finer the less noise is left. */
    KARRAS("Karras", (noise, i, steps) -> {
        double most = Math.pow(noise.sigmaMax(), 1 / 7.0), least = Math.pow(noise.sigmaMin(), 1 / 7.0);
        return Math.pow(most + ramp(i, steps) * (least - most), 7);
    }),
    /** Even in ln(sigma). */
    EXPONENTIAL("Exponential", (noise, i, steps) -> polyexponential(noise, i, steps, 1)),
    /** As {@link #NORMAL}, but the last step starts above the least noise and goes to none (Stability's generative-models; for SDXL Turbo and Lightning). */
    SGM_UNIFORM("SGM Uniform", (noise, i, steps) -> noise.sigma(last(noise) * (1 - (double) i / steps))),
    /** Every (times / steps)-th level of the table, rounded towards noise. */
    SIMPLE("Simple", (noise, i, steps) -> noise.sigma(last(noise) - (int) ((long) i * noise.times() / steps))),
    /** Even steps of time, each rounded to the end of its stretch: sigma(T - i · T / n) (Lin et al. 2023, arXiv:2305.08891, section 3.3). For turbo models; for flows the reference's own. */
    TRAILING("Trailing", (noise, i, steps) -> {
        double end = noise.times() - (double) i * noise.times() / steps;
        return noise.sigma((noise instanceof DiscreteNoise ? Math.rint(end) : end) - 1);
    }),
    /** Even steps of time, each at the start of its stretch, plus one (Song et al. 2020, arXiv:2010.02502, as Stable Diffusion's first code had it). Never at the most noise. */
    DDIM("DDIM", (noise, i, steps) -> {
        int stretch = noise.times() / steps;
        return noise.sigma(Math.min(last(noise), (steps - 1 - i) * stretch + (stretch > 1 ? 1 : 0)));
    }),
    /** Times at the quantiles of Beta(0.6, 0.6): finer at both ends (Lee et al. 2024, arXiv:2407.12173). */
    BETA("Beta", (noise, i, steps) -> noise.sigma(last(noise) * betaQuantile(1 - ramp(i, steps)))),
    /** Align Your Steps: ten steps found by optimization, others between them, even in ln(sigma) (Sabour et al. 2024, arXiv:2404.14507). Stable Diffusion 1.5 and XL only. */
    AYS("Align Your Steps", (noise, i, steps) -> {
        if (!(noise instanceof DiscreteNoise discrete)) throw new IllegalArgumentException("schedule ays is known for Stable Diffusion 1.5 and XL only; use simple or trailing");
        double[] aligned = discrete.aligned();
        double at = (double) i * (aligned.length - 1) / steps;
        int before = (int) at;
        return aligned[before] * Math.pow(aligned[before + 1] / aligned[before], at - before);
    }),
    /** sigma = tan of even steps between the ends' angles: least divergence of a Gaussian (Sabour et al. 2024, arXiv:2404.14507, section 3.1). */
    KL_OPTIMAL("KL Optimal", (noise, i, steps) -> Math.tan(Math.atan(noise.sigmaMax()) + ramp(i, steps) * (Math.atan(noise.sigmaMin()) - Math.atan(noise.sigmaMax())))),
    /** The fifty times that latent consistency models were distilled at, thinned out (Luo et al. 2023, arXiv:2310.04378). At most 50 steps. */
    LCM("LCM", (noise, i, steps) -> {
        if (steps > 50) throw new IllegalArgumentException("schedule lcm has at most 50 steps, got " + steps);
        return noise.sigma((50 - 50 * i / steps) * noise.times() / 50 - 1);
    });

    private final String label;
    private final Level level;

    Schedule(String label, Level level) {
        this.label = label;
        this.level = level;
    }

    /** As the API and the command line name it: {@code sgm_uniform}. */
    public String id() { return Names.id(this); }

    /** As people read it: SGM Uniform. */
    public String label() { return label; }

    /** By id or label, in any case; also as other programs call it. */
    public static Schedule of(String name) {
        return switch (Names.plain(name)) {
            case "uniform", "discrete" -> NORMAL;
            case "polyexponential" -> EXPONENTIAL;       // k-diffusion's default, rho 1, is the exponential schedule
            case "ddimuniform", "leading" -> DDIM;
            case "ddimtrailing", "flow" -> TRAILING;
            case "aligned", "alignyourstepsgits" -> AYS;
            default -> Names.find(Schedule.values(), Schedule::label, name, "schedule");
        };
    }

    /** sigma before each of the steps, most noise first, and 0 at the end: steps + 1 numbers, each below the one before. */
    public double[] sigmas(NoiseModel noise, int steps) {
        if (steps < 1 || steps > noise.times()) throw new IllegalArgumentException("steps must be 1 to %d, got %d".formatted(noise.times(), steps));
        var sigmas = new double[steps + 1];
        for (int i = 0; i < steps; i++) sigmas[i] = level.sigma(noise, i, steps);
        return sigmas;
    }

    /**
     * Steps even in ln(sigma) to the power of rho (k-diffusion's polyexponential): rho above 1 is finer where little noise is left; 1 is {@link #EXPONENTIAL}.
     *
     * @return steps + 1 numbers, the last 0
     */
    public static double[] polyexponential(NoiseModel noise, int steps, double rho) {
        var sigmas = new double[steps + 1];
        for (int i = 0; i < steps; i++) sigmas[i] = polyexponential(noise, i, steps, rho);
        return sigmas;
    }

    private static double polyexponential(NoiseModel noise, int i, int steps, double rho) {
        return noise.sigmaMin() * Math.pow(noise.sigmaMax() / noise.sigmaMin(), Math.pow(1 - ramp(i, steps), rho));
    }

    private static int last(NoiseModel noise) { return noise.times() - 1; }

    /** From 0 at the first step to 1 at the last. */
    private static double ramp(int i, int steps) { return steps == 1 ? 0 : i / (steps - 1.0); }

    /** x at which a share p of Beta(0.6, 0.6) lies below. Its two halves mirror each other, so that only the lower one, where the series is short, is searched. */
    private static double betaQuantile(double p) {
        if (p > 0.5) return 1 - betaQuantile(1 - p);
        double low = 0, high = 0.5, whole = 2 * incompleteBeta(0.5);
        for (int bit = 0; bit < 60; bit++) {
            double middle = (low + high) / 2;
            if (incompleteBeta(middle) < p * whole) low = middle; else high = middle;
        }
        return (low + high) / 2;
    }

    /** Integral of t^(a-1) · (1 - t)^(a-1) from 0 to x, x at most 0.5, a = 0.6, as a power series (DLMF 8.17.7): 60 terms leave less than 1e-18. */
    private static double incompleteBeta(double x) {
        double a = 0.6, term = 1, sum = 0;
        for (int k = 0; k < 60; k++) {
            sum += term / (a + k);
            term *= (1 - a + k) / (k + 1) * x;
        }
        return Math.pow(x, a) * sum;
    }

    private interface Level { double sigma(NoiseModel noise, int i, int steps); }
}
