package inkstone.diffusion;

/**
 * What to paint. Names of samplers, schedules and generators of noise are those that {@link ImageModelInfo} lists; null takes the model's.
 *
 * @param prompt    what to see; may weigh words as (word:1.3)
 * @param negative  what not to see, where guidance is above 1; empty: nothing
 * @param width     pixels, a multiple of what the model asks for
 * @param steps     of the sampler
 * @param guidance  how far to follow the prompt (Ho & Salimans 2022, arXiv:2207.12598); 1: the model as it is, without a second evaluation
 * @param rescale   share by which guidance that is too strong is drawn back to the prompt's own contrast (Lin et al. 2023, arXiv:2305.08891, section 3.4); 0: none
 * @param eta       share of new noise in each step, where the sampler has a choice; below 0: the sampler's own, which is 1 for Euler a and 0 for DDIM
 * @param seed      of the first picture; the k-th has seed + k
 * @param count     pictures
 * @param from      the picture to start from, or null for noise
 * @param mask      where {@code from} may change: white; null: everywhere
 * @param strength  share of the steps that are taken from {@code from}, in (0, 1]: the last floor(steps · strength), as in diffusers
 */
public record ImageRequest(String prompt, String negative, int width, int height, int steps, float guidance, float rescale, String sampler, String schedule, float eta, String noise,
                           long seed, int count, Picture from, Picture mask, float strength) {
    public ImageRequest withSeed(long seed) { return new ImageRequest(prompt, negative, width, height, steps, guidance, rescale, sampler, schedule, eta, noise, seed, count, from, mask, strength); }
    public ImageRequest withPrompt(String prompt) { return new ImageRequest(prompt, negative, width, height, steps, guidance, rescale, sampler, schedule, eta, noise, seed, count, from, mask, strength); }
    public ImageRequest withNegative(String negative) { return new ImageRequest(prompt, negative, width, height, steps, guidance, rescale, sampler, schedule, eta, noise, seed, count, from, mask, strength); }
    public ImageRequest withSize(int width, int height) { return new ImageRequest(prompt, negative, width, height, steps, guidance, rescale, sampler, schedule, eta, noise, seed, count, from, mask, strength); }
    public ImageRequest withSteps(int steps) { return new ImageRequest(prompt, negative, width, height, steps, guidance, rescale, sampler, schedule, eta, noise, seed, count, from, mask, strength); }
    public ImageRequest withGuidance(float guidance) { return new ImageRequest(prompt, negative, width, height, steps, guidance, rescale, sampler, schedule, eta, noise, seed, count, from, mask, strength); }
    public ImageRequest withRescale(float rescale) { return new ImageRequest(prompt, negative, width, height, steps, guidance, rescale, sampler, schedule, eta, noise, seed, count, from, mask, strength); }
    public ImageRequest withSampler(String sampler, String schedule) { return new ImageRequest(prompt, negative, width, height, steps, guidance, rescale, sampler, schedule, eta, noise, seed, count, from, mask, strength); }
    public ImageRequest withEta(float eta) { return new ImageRequest(prompt, negative, width, height, steps, guidance, rescale, sampler, schedule, eta, noise, seed, count, from, mask, strength); }
    public ImageRequest withNoise(String noise) { return new ImageRequest(prompt, negative, width, height, steps, guidance, rescale, sampler, schedule, eta, noise, seed, count, from, mask, strength); }
    public ImageRequest withCount(int count) { return new ImageRequest(prompt, negative, width, height, steps, guidance, rescale, sampler, schedule, eta, noise, seed, count, from, mask, strength); }
    public ImageRequest withPicture(Picture from, Picture mask, float strength) {
        return new ImageRequest(prompt, negative, width, height, steps, guidance, rescale, sampler, schedule, eta, noise, seed, count, from, mask, strength);
    }
}
