package inkstone.diffusion.sampling;

import inkstone.diffusion.sampling.NoiseModel.Renoising;

/** Steps that may take noise away and put new noise in its place, so that later steps can mend what earlier ones got wrong. */
final class Ancestral {
    private Ancestral() {}

    /**
     * Down along the slope to less noise than wanted, then up again with new noise. One step with four names: without new noise it is Euler's and that of DDIM with eta 0; with eta 1, DDPM's (Ho et
     * al. 2020, arXiv:2006.11239, variance of the posterior) and "Euler a"; in between, DDIM's (Song et al. 2020, arXiv:2010.02502, equation 12). In the original papers the picture is scaled by
     * sqrt(a); with the picture unscaled they are the same step.
     */
    static float[] sample(Sampling s, float[] x) {
        for (int i = 0; i < s.steps(); i++) {
            double sigma = s.sigmas()[i], next = s.sigmas()[i + 1];
            float[] denoised = s.denoiser().denoise(x, sigma);
            Renoising step = s.model().renoising(sigma, next, s.eta());
            x = renoised(SingleStep.toward(x, denoised, sigma, step.down()), step, s.noise());
            s.progress().step(i + 1, sigma, next, x, denoised);
        }
        return x;
    }

    /**
     * DPM-Solver++(2S) (Lu et al. 2022, arXiv:2211.01095, algorithm 1) to less noise than wanted, then new noise: D at the geometric middle serves the whole step down. Where there is nothing left
     * to walk through, one evaluation is enough.
     */
    static float[] dpmpp2s(Sampling s, float[] x) {
        for (int i = 0; i < s.steps(); i++) {
            double sigma = s.sigmas()[i], next = s.sigmas()[i + 1];
            float[] denoised = s.denoiser().denoise(x, sigma);
            Renoising step = s.model().renoising(sigma, next, s.eta());
            float[] middling = denoised;
            if (step.down() > 0) {
                double middle = Math.sqrt(sigma * step.down());
                middling = s.denoiser().denoise(SingleStep.toward(x, denoised, sigma, middle), middle);
            }
            x = renoised(SingleStep.toward(x, middling, sigma, step.down()), step, s.noise());
            s.progress().step(i + 1, sigma, next, x, denoised);
        }
        return x;
    }

    /**
     * DPM-Solver++(S) of the stochastic equation (Lu et al. 2022, arXiv:2211.01095, as k-diffusion has it): with new noise to the geometric middle, whose D serves the whole step. The step's noise is
     * that of both halves of its way in sigma, so that the first half met the noise that it is part of.
     */
    static float[] dpmppSde(Sampling s, float[] x) {
        for (int i = 0; i < s.steps(); i++) {
            double sigma = s.sigmas()[i], next = s.sigmas()[i + 1], middle = Math.sqrt(sigma * next);
            float[] denoised = s.denoiser().denoise(x, sigma);
            if (next > 0) {
                Renoising half = s.model().renoising(sigma, middle, s.eta()), whole = s.model().renoising(sigma, next, s.eta());
                float[] first = half.up() > 0 ? s.noise().normal(x.length) : null;
                float[] there = renoised(SingleStep.toward(x, denoised, sigma, half.down()), half, _ -> first);
                float[] end = SingleStep.toward(x, s.denoiser().denoise(there, middle), sigma, whole.down());
                double share = (sigma - middle) / (sigma - next);
                x = renoised(end, whole, n -> Blend.of(Math.sqrt(share), first, Math.sqrt(1 - share), s.noise().normal(n)));
            } else x = denoised.clone();
            s.progress().step(i + 1, sigma, next, x, denoised);
        }
        return x;
    }

    /** Latent consistency (Luo et al. 2023, arXiv:2310.04378, algorithm 3): the prediction, with all new noise of the next level. */
    static float[] lcm(Sampling s, float[] x) {
        for (int i = 0; i < s.steps(); i++) {
            double sigma = s.sigmas()[i], next = s.sigmas()[i + 1];
            float[] denoised = s.denoiser().denoise(x, sigma);
            x = next > 0 ? s.model().noisy(denoised, s.noise().normal(x.length), next) : denoised.clone();
            s.progress().step(i + 1, sigma, next, x, denoised);
        }
        return x;
    }

    private static float[] renoised(float[] x, Renoising step, NoiseSource noise) { return step.up() > 0 ? Blend.of(step.scale(), x, step.up(), noise.normal(x.length)) : x; }
}
