package inkstone.diffusion.sampling;

/**
 * How to walk from noise to a picture. Names are those of ComfyUI and stable-diffusion.cpp, labels those of A1111's web UI.
 * With D the denoised picture, every model's path obeys dx/dsigma = (x - D) / sigma, also that of a flow: whoever adds no noise needs to know nothing else of the model.
 */
public enum Sampler {
    /** One evaluation, a straight step; error of first order. For flows the reference's own. */
    EULER("Euler", 0, false, Ancestral::sample),
    /** Euler with as much new noise as the diffusion would have. */
    EULER_A("Euler a", 1, true, Ancestral::sample),
    /** Two evaluations, the slopes of both ends averaged; second order. */
    HEUN("Heun", 0, false, SingleStep::heun),
    /** Two evaluations, the slope of the middle; second order. */
    DPM2("DPM2", 0, false, SingleStep::dpm2),
    /** One evaluation and the one before; second order. */
    DPMPP_2M("DPM++ 2M", 0, false, Multistep::dpmpp2m),
    /** Two evaluations and new noise. */
    DPMPP_2S_A("DPM++ 2S a", 1, true, Ancestral::dpmpp2s),
    /** Two evaluations, new noise in both. */
    DPMPP_SDE("DPM++ SDE", 1, true, Ancestral::dpmppSde),
    /** One evaluation and the one before, and new noise. */
    DPMPP_2M_SDE("DPM++ 2M SDE", 1, true, Multistep::dpmpp2mSde),
    /** One evaluation and up to three before, as a polynomial. */
    LMS("LMS", 0, false, Multistep::lms),
    /** {@link #DPMPP_2M}, each step corrected once the next evaluation is there; second order, with a smaller error. */
    UNI_PC("UniPC", 0, false, Multistep::uniPc),
    /** The prediction, made noisy again at the next level: for models distilled to be right at once. */
    LCM("LCM", 1, false, Ancestral::lcm),
    /** Eta 0 is Euler in other words, 1 is DDPM. */
    DDIM("DDIM", 0, true, Ancestral::sample),
    /** The diffusion turned round, noise of the posterior's variance. */
    DDPM("DDPM", 1, false, Ancestral::sample);

    private final String label;
    private final double eta;
    private final boolean choosesEta;
    private final Walk walk;

    Sampler(String label, double eta, boolean choosesEta, Walk walk) {
        this.label = label;
        this.eta = eta;
        this.choosesEta = choosesEta;
        this.walk = walk;
    }

    /** As the API and the command line name it: {@code dpmpp_2m}. */
    public String id() { return Names.id(this); }

    /** As people read it: DPM++ 2M. */
    public String label() { return label; }

    /** Whether a request's eta changes anything. */
    public boolean choosesEta() { return choosesEta; }

    /** By id or label, in any case; also as ComfyUI and stable-diffusion.cpp spell it. */
    public static Sampler of(String name) { return Names.find(values(), Sampler::label, name, "sampler"); }

    /**
     * Walks from x, which has noise sigmas[0], to the picture (or to the last sigma).
     *
     * @param x not changed
     * @return a new array
     * @throws IllegalArgumentException if the levels do not fall to 0 or more
     */
    public float[] sample(Sampling sampling, float[] x) {
        double[] sigmas = sampling.sigmas();
        for (int i = 1; i < sigmas.length; i++) {
            if (!(sigmas[i] < sigmas[i - 1] && sigmas[i] >= 0)) throw new IllegalArgumentException("noise must fall with every step; after %s came %s (step %d)".formatted(sigmas[i - 1], sigmas[i], i));
        }
        double chosen = choosesEta && sampling.eta() >= 0 ? sampling.eta() : eta;
        return walk.walk(new Sampling(sampling.denoiser(), sigmas, sampling.model(), sampling.noise(), chosen, sampling.progress()), x.clone());
    }

    private interface Walk { float[] walk(Sampling sampling, float[] x); }
}
