package inkstone.diffusion.sampling;

/**
 * The noise of Karras et al. 2022, arXiv:2206.00364: any level from {@code lowest} to {@code highest}; a thousand of them, even in ln(sigma), serve as table.
 *
 * @param lowest  0.002 in the paper
 * @param highest 80 in the paper
 * @param data    standard deviation of the pictures: 0.5
 * @param output  EDM, or SAMPLE for a network that predicts the picture
 */
public record EdmNoise(double lowest, double highest, double data, Parameterization output) implements NoiseModel {
    public EdmNoise {
        if (!(lowest > 0 && lowest < highest && highest < 1e6 && data > 0)) {
            throw new IllegalArgumentException("noise goes from more than 0 up, of pictures with a deviation above 0; got %s to %s, %s".formatted(lowest, highest, data));
        }
        if (output != Parameterization.EDM && output != Parameterization.SAMPLE) throw new IllegalArgumentException("an EDM network predicts EDM or SAMPLE, got " + output);
    }

    /** The paper's. */
    public static EdmNoise standard() { return new EdmNoise(0.002, 80, 0.5, Parameterization.EDM); }

    @Override public int times() { return 1000; }

    @Override public double sigma(double time) { return lowest * Math.pow(highest / lowest, time / (times() - 1)); }

    @Override public double time(double sigma) { return Math.clamp(Math.log(sigma / lowest) / Math.log(highest / lowest) * (times() - 1), 0, times() - 1); }

    @Override public Preconditioning preconditioning(double sigma) {
        double power = sigma * sigma + data * data, in = 1 / Math.sqrt(power), time = Math.log(sigma) / 4;
        return output == Parameterization.EDM ? new Preconditioning(data * data / power, sigma * data * in, in, time) : new Preconditioning(0, 1, in, time);
    }
}
