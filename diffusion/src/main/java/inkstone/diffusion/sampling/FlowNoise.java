package inkstone.diffusion.sampling;

/**
 * The noise of a rectified flow (Liu et al. 2022, arXiv:2209.03003; Esser et al. 2024, arXiv:2403.03206): x = (1 - sigma) · picture + sigma · noise, sigma from 0 to 1. A thousand levels, moved
 * towards noise by {@code shift}: sigma = shift · t / (1 + (shift - 1) · t), which large pictures need, since they hide as much noise as their pixels agree.
 *
 * @param shift  1: none; 3: SD3; e^mu: FLUX
 * @param scale  what the network is told is scale · sigma: 1000 for SD3, 1 for FLUX
 * @param output FLOW or SAMPLE
 */
public record FlowNoise(double shift, double scale, Parameterization output) implements NoiseModel {
    public FlowNoise {
        if (!(shift > 0 && shift < 1e6)) throw new IllegalArgumentException("a flow's shift is above 0, got " + shift);
        if (output != Parameterization.FLOW && output != Parameterization.SAMPLE) throw new IllegalArgumentException("a flow's network predicts FLOW or SAMPLE, got " + output);
    }

    /** The same, shifted as much as FLUX.1 [dev] is for a picture of so many tokens (16 x 16 pixels each): mu from 0.5 at 256 to 1.15 at 4096, on a straight line. */
    public FlowNoise forTokens(int tokens) { return new FlowNoise(Math.exp(0.5 + (1.15 - 0.5) * (tokens - 256) / (4096 - 256)), scale, output); }

    /** The same, shifted as much as FLUX.2 is: mu depends on tokens and on steps, fitted by its authors. */
    public FlowNoise forTokens(int tokens, int steps) {
        double at200 = 0.00016927 * tokens + 0.45666666, at10 = 8.73809524e-5 * tokens + 1.89833333, slope = (at200 - at10) / 190;
        return new FlowNoise(Math.exp(tokens > 4300 ? at200 : slope * steps + at200 - 200 * slope), scale, output);
    }

    @Override public int times() { return 1000; }

    @Override public double sigma(double time) {
        double t = (time + 1) / times();
        return shift * t / (1 + (shift - 1) * t);
    }

    @Override public double time(double sigma) { return Math.clamp(sigma / (shift - (shift - 1) * sigma) * times() - 1, 0, times() - 1); }

    @Override public double signal(double sigma) { return 1 - sigma; }

    @Override public Preconditioning preconditioning(double sigma) {
        return output == Parameterization.FLOW ? new Preconditioning(1, -sigma, 1, scale * sigma) : new Preconditioning(0, 1, 1, scale * sigma);
    }

    /**
     * {@inheritDoc}
     * Here the walk ends at down = next · (1 - eta · (1 - next / sigma)), as in ComfyUI, whose pictures so come out the same; the state there has too much of the picture and is scaled down before
     * noise is added.
     */
    @Override public Renoising renoising(double sigma, double next, double eta) {
        double down = next * (1 - eta * (1 - next / sigma)), scale = signal(next) / signal(down);
        return new Renoising(down, scale, Math.sqrt(Math.max(0, next * next - down * down * scale * scale)));
    }
}
