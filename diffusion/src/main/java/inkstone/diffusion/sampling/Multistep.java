package inkstone.diffusion.sampling;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Steps that make do with one evaluation and remember earlier ones. Those in the manner of DPM-Solver++ solve d(x / sigma) = D d(1 / sigma) exactly for a D that is a polynomial of
 * lambda = -ln(sigma); h is a step in lambda.
 */
final class Multistep {
    /** Evaluations that {@link #lms} fits a polynomial through. */
    private static final int ORDER = 4;

    private Multistep() {}

    /** DPM-Solver++(2M) (Lu et al. 2022, arXiv:2211.01095, algorithm 2): D goes on as it went from the last evaluation to this one. The first step and the last, to no noise, are Euler's. */
    static float[] dpmpp2m(Sampling s, float[] x) {
        float[] before = null;
        double hBefore = 0;
        for (int i = 0; i < s.steps(); i++) {
            double sigma = s.sigmas()[i], next = s.sigmas()[i + 1], h = Math.log(sigma / next);
            float[] denoised = s.denoiser().denoise(x, sigma);
            x = extrapolated(x, denoised, before, sigma, next, h, hBefore);
            before = denoised;
            hBefore = h;
            s.progress().step(i + 1, sigma, next, x, denoised);
        }
        return x;
    }

    /** A step that takes D for a straight line in lambda through this evaluation and the one before. */
    private static float[] extrapolated(float[] x, float[] denoised, float[] before, double sigma, double next, double h, double hBefore) {
        double keep = next / sigma, slope = before == null || next == 0 ? 0 : h / hBefore / 2;
        return slope == 0 ? Blend.of(keep, x, 1 - keep, denoised) : Blend.of(keep, x, (1 - keep) * (1 + slope), denoised, -(1 - keep) * slope, before);
    }

    /**
     * SDE-DPM-Solver++(2M) (Lu et al. 2022, arXiv:2211.01095, appendix B, the midpoint form; eta as in k-diffusion: 1 is the diffusion's own noise, 0 none). Here lambda is ln(signal / sigma), which
     * for a flow that starts at noise alone is -infinity: its first step keeps nothing of x and has no slope to give to the second. New noise is drawn step by step, so pictures differ from those of
     * programs that draw it from a Brownian tree.
     */
    static float[] dpmpp2mSde(Sampling s, float[] x) {
        float[] before = null;
        double hBefore = 0;
        for (int i = 0; i < s.steps(); i++) {
            double sigma = s.sigmas()[i], next = s.sigmas()[i + 1];
            float[] denoised = s.denoiser().denoise(x, sigma);
            if (next == 0) x = denoised.clone();
            else {
                double signal = s.model().signal(next), h = Math.log(signal / next) - Math.log(s.model().signal(sigma) / sigma);
                double old = s.eta() == 0 ? 1 : Math.exp(-s.eta() * h), gain = signal * (1 - Math.exp(-h) * old), slope = before == null ? 0 : h / hBefore / 2;
                double keep = next / sigma * old;
                x = slope == 0 ? Blend.of(keep, x, gain, denoised) : Blend.of(keep, x, gain * (1 + slope), denoised, -gain * slope, before);
                if (old < 1) Blend.add(x, next * Math.sqrt(1 - old * old), s.noise().normal(x.length));
                hBefore = h;
            }
            before = denoised;
            s.progress().step(i + 1, sigma, next, x, denoised);
        }
        return x;
    }

    /** Adams-Bashforth in sigma, of up to four slopes (linear multistep; Liu et al. 2022, arXiv:2202.09778 use it for diffusion): the polynomial through them is integrated over the step. */
    static float[] lms(Sampling s, float[] x) {
        Deque<float[]> slopes = new ArrayDeque<>();
        for (int i = 0; i < s.steps(); i++) {
            double sigma = s.sigmas()[i], next = s.sigmas()[i + 1];
            float[] denoised = s.denoiser().denoise(x, sigma);
            if (slopes.size() == ORDER) slopes.removeLast();
            slopes.addFirst(SingleStep.slope(x, denoised, sigma));
            float[] stepped = x.clone();
            int back = 0;
            for (float[] slope : slopes) Blend.add(stepped, lagrangeIntegral(s.sigmas(), i, slopes.size(), back++), slope);
            x = stepped;
            s.progress().step(i + 1, sigma, next, x, denoised);
        }
        return x;
    }

    /** Over sigmas[i] to sigmas[i + 1], the polynomial that is 1 at sigmas[i - back] and 0 at the others of the last {@code count} levels. Simpson's rule is exact up to the third degree. */
    private static double lagrangeIntegral(double[] sigmas, int i, int count, int back) {
        double from = sigmas[i], to = sigmas[i + 1], sum = 0;
        for (int part = 0; part < 3; part++) {
            double at = from + (to - from) * part / 2, value = 1;
            for (int k = 0; k < count; k++) if (k != back) value *= (at - sigmas[i - k]) / (sigmas[i - back] - sigmas[i - k]);
            sum += part == 1 ? 4 * value : value;
        }
        return sum * (to - from) / 6;
    }

    /**
     * UniPC of order 2 with B(h) = e^h - 1 (Zhao et al. 2023, arXiv:2302.04867): the predictor is {@link #dpmpp2m}'s step; once D is known at its end, the same step is taken again with D as the
     * parabola through three evaluations (two: a straight line), and D is not evaluated anew.
     */
    static float[] uniPc(Sampling s, float[] x) {
        float[] from = null, last = null, before = null;
        double hBefore = 0, h = 0;
        for (int i = 0; i < s.steps(); i++) {
            double sigma = s.sigmas()[i], next = s.sigmas()[i + 1];
            float[] denoised = s.denoiser().denoise(x, sigma);
            if (last != null) x = corrected(from, denoised, last, before, s.sigmas()[i - 1], sigma, h, hBefore);
            before = last;
            last = denoised;
            from = x;
            hBefore = h;
            h = Math.log(sigma / next);
            x = extrapolated(x, denoised, before, sigma, next, h, hBefore);
            s.progress().step(i + 1, sigma, next, x, denoised);
        }
        return x;
    }

    /**
     * From {@code from} at sigma to next, where D is {@code end} at next, {@code last} at sigma and {@code before} at a step hBefore earlier. D(h · u) = last + c1 · u + c2 · u² for u of 0 to 1; what
     * each power adds to x is the integral of h · e^(h(u - 1)) · u^k: (1 - q), 1 - (1 - q) / h and 1 - 2 · (that) / h, where q = next / sigma.
     */
    private static float[] corrected(float[] from, float[] end, float[] last, float[] before, double sigma, double next, double h, double hBefore) {
        double keep = next / sigma, constant = 1 - keep, linear = 1 - constant / h, square = 1 - 2 * linear / h;
        if (before == null) {
            // Its first step has no parabola; B(h) / 2 is the paper's weight, in place of "linear".
            return Blend.of(keep, from, constant / 2, last, constant / 2, end);
        }
        // Through (1, end) and (-r, before): c2 = ((end - last) + (before - last) / r) / (1 + r) and c1 = (end - last) - c2.
        double r = hBefore / h, ofEnd = linear + (square - linear) / (1 + r), ofBefore = (square - linear) / (r * (1 + r));
        float[] x = Blend.of(keep, from, constant - ofEnd - ofBefore, last, ofEnd, end);
        Blend.add(x, ofBefore, before);
        return x;
    }
}
