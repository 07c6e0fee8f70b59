package inkstone.diffusion.sampling;

/**
 * The noise of a discrete variance-preserving diffusion (Ho et al. 2020, arXiv:2006.11239), seen with the picture unscaled: sigma = sqrt((1 - a) / a), where a(t) = prod (1 - beta) is the share of
 * the picture's power that is left at time t. The network sees in · x, which has the power that it was trained with. Between two times ln(sigma) is a straight line.
 */
public final class DiscreteNoise implements NoiseModel {
    /** Where Align Your Steps (Sabour et al. 2024, arXiv:2404.14507, with its published tables) puts ten steps of Stable Diffusion 1.5. */
    private static final double[] ALIGNED_SD15 = {14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520, 1.8841921177, 1.3943805092, 0.9642583904, 0.6523686016, 0.3977456272, 0.1515232662,
        0.0291671582};
    private static final double[] ALIGNED_SDXL = {14.6146412293, 6.3184485287, 3.7681790315, 2.1811480769, 1.3405244945, 0.8620721141, 0.5550693289, 0.3798540708, 0.2332364134, 0.1114188177,
        0.0291671582};
    /** a at the last time of a schedule that ends without a picture: 0 would be an infinite sigma. */
    private static final double TERMINAL = 4.8973451890853435e-8;

    private final double[] logSigmas;
    private final Parameterization output;
    private final double[] aligned;

    private DiscreteNoise(double[] alphas, Parameterization output, double[] aligned) {
        if (output == Parameterization.FLOW || output == Parameterization.EDM) {
            throw new IllegalArgumentException("a network with discrete times predicts EPSILON, VELOCITY or SAMPLE, got " + output);
        }
        this.output = output;
        this.aligned = aligned;
        logSigmas = new double[alphas.length];
        for (int t = 0; t < alphas.length; t++) {
            logSigmas[t] = Math.log((1 - alphas[t]) / alphas[t]) / 2;
            if (!(logSigmas[t] > (t == 0 ? Double.NEGATIVE_INFINITY : logSigmas[t - 1]) && logSigmas[t] < Double.POSITIVE_INFINITY)) {
                throw new IllegalArgumentException("noise must grow from each time to the next; it does not at time " + t);
            }
        }
    }

    /** Stable Diffusion 1 and 2 and what descends from them: betas scaled-linear from 0.00085 to 0.012. */
    public static DiscreteNoise stableDiffusion(Parameterization output) { return new DiscreteNoise(alphas(scaledLinear(1000, 0.00085, 0.012)), output, ALIGNED_SD15); }

    /** Stable Diffusion XL: the same noise, other steps in Align Your Steps. */
    public static DiscreteNoise stableDiffusionXl(Parameterization output) { return new DiscreteNoise(alphas(scaledLinear(1000, 0.00085, 0.012)), output, ALIGNED_SDXL); }

    /** Of betas[t], the share of power that is noise anew at each time. */
    public static DiscreteNoise ofBetas(double[] betas, Parameterization output) { return new DiscreteNoise(alphas(betas), output, null); }

    /** Of a[t], the share of the picture's power left at each time (alphas_cumprod in files). */
    public static DiscreteNoise ofAlphas(double[] alphas, Parameterization output) { return new DiscreteNoise(alphas.clone(), output, null); }

    /** The same, its shares moved and stretched so that (nearly) nothing of the picture is left at the last time (Lin et al. 2023, arXiv:2305.08891, algorithm 1). For networks trained so. */
    public DiscreteNoise zeroTerminal() {
        var alphas = new double[times()];
        double first = Math.sqrt(alpha(0)), last = Math.sqrt(alpha(times() - 1));
        for (int t = 0; t < alphas.length; t++) {
            double root = (Math.sqrt(alpha(t)) - last) * first / (first - last);
            alphas[t] = root * root;
        }
        alphas[alphas.length - 1] = TERMINAL;
        return new DiscreteNoise(alphas, output, aligned);
    }

    /** Betas on a straight line: DDPM has 1e-4 to 0.02 over 1000 times. */
    public static double[] linear(int times, double from, double to) {
        var betas = new double[times];
        for (int t = 0; t < times; t++) betas[t] = from + (to - from) * t / (times - 1);
        return betas;
    }

    /** Roots of betas on a straight line (Rombach et al. 2021, arXiv:2112.10752, whose code calls this linear). */
    public static double[] scaledLinear(int times, double from, double to) {
        double[] betas = linear(times, Math.sqrt(from), Math.sqrt(to));
        for (int t = 0; t < times; t++) betas[t] *= betas[t];
        return betas;
    }

    /** a(t) on a squared cosine (Nichol & Dhariwal 2021, arXiv:2102.09672, equation 17), betas at most 0.999. */
    public static double[] cosine(int times) {
        var betas = new double[times];
        for (int t = 0; t < times; t++) betas[t] = Math.min(0.999, 1 - squaredCosine((t + 1.0) / times) / squaredCosine((double) t / times));
        return betas;
    }

    private static double squaredCosine(double time) {
        double cosine = Math.cos((time + 0.008) / 1.008 * Math.PI / 2);
        return cosine * cosine;
    }

    private static double[] alphas(double[] betas) {
        var alphas = new double[betas.length];
        double left = 1;
        for (int t = 0; t < betas.length; t++) alphas[t] = left *= 1 - betas[t];
        return alphas;
    }

    /** Share of the picture's power left at a whole time. */
    public double alpha(int time) { return 1 / (1 + Math.exp(2 * logSigmas[time])); }

    @Override public int times() { return logSigmas.length; }

    @Override public double sigma(double time) {
        int below = Math.clamp((int) time, 0, Math.max(0, times() - 2)), above = Math.min(below + 1, times() - 1);
        return Math.exp(logSigmas[below] + (Math.clamp(time, 0, times() - 1) - below) * (logSigmas[above] - logSigmas[below]));
    }

    @Override public double time(double sigma) {
        double log = Math.log(sigma);
        if (log <= logSigmas[0]) return 0;
        int low = 0, high = times() - 1;
        if (log >= logSigmas[high]) return high;
        while (high - low > 1) {
            int middle = (low + high) >>> 1;
            if (logSigmas[middle] <= log) low = middle; else high = middle;
        }
        return low + (log - logSigmas[low]) / (logSigmas[high] - logSigmas[low]);
    }

    @Override public Preconditioning preconditioning(double sigma) {
        double power = sigma * sigma + 1, in = 1 / Math.sqrt(power);
        return switch (output) {
            case EPSILON -> new Preconditioning(1, -sigma, in, time(sigma));
            case VELOCITY -> new Preconditioning(1 / power, -sigma * in, in, time(sigma));
            default -> new Preconditioning(0, 1, in, time(sigma));
        };
    }

    /** Levels that {@link Schedule#AYS} draws its steps through, most noise first. */
    double[] aligned() {
        if (aligned == null) throw new IllegalArgumentException("schedule ays is known for Stable Diffusion 1.5 and XL only; use karras or trailing");
        return aligned;
    }
}
