package inkstone.diffusion.dit;

import inkstone.diffusion.Picture;
import inkstone.diffusion.sampling.Guidance;
import inkstone.diffusion.sampling.NoiseGenerator;
import inkstone.diffusion.sampling.NoiseSource;
import inkstone.diffusion.sampling.Sampler;
import inkstone.diffusion.sampling.Sampling;
import inkstone.tensor.Backend;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * Many prompts painted side by side, at the model's own size: for samples of a run and for judging a model. The same prompt and seed give the picture that {@link DitPipeline} paints, up to rounding.
 *
 * @param batch pictures at a time
 */
public record DitSheet(DitModel model, Backend backend, Sampler sampler, int steps, double guidance, int batch) {
    /** A picture for each prompt, the i-th of seed {@code seed + i}. */
    public List<Picture> paint(List<String> prompts, long seed) {
        var pictures = new ArrayList<Picture>();
        for (int from = 0; from < prompts.size(); from += batch) pictures.addAll(part(prompts.subList(from, Math.min(prompts.size(), from + batch)), seed + from));
        return pictures;
    }

    private List<Picture> part(List<String> prompts, long seed) {
        var network = model.dit().config();
        var objective = model.objective();
        int numbers = network.size() * network.size() * network.channels();
        double[] sigmas = objective.schedule().sigmas(objective.noise(), steps);
        var streams = new ArrayList<NoiseSource>();
        for (int i = 0; i < prompts.size(); i++) streams.add(NoiseGenerator.INKSTONE.source(seed + i).channelsLast(network.channels()));
        /* Each picture draws from a stream of its own, whoever is beside it. */
        NoiseSource all = count -> {
            var values = new float[count];
            for (int i = 0; i < streams.size(); i++) System.arraycopy(streams.get(i).normal(numbers), 0, values, i * numbers, numbers);
            return values;
        };
        float[] noise = all.normal(prompts.size() * numbers), start = objective.noise().noisy(new float[noise.length], noise, sigmas[0]);
        var empty = Collections.nCopies(prompts.size(), model.tokens(""));
        try (var guided = new GuidedDit(model.dit(), objective, prompts.stream().map(model::tokens).toList(), empty, new Guidance(guidance, 0), backend)) {
            var painted = sampler.sample(new Sampling(guided.clipped(), sigmas, objective.noise(), all, -1, Sampling.Progress.NOBODY), start);
            var pictures = new ArrayList<Picture>();
            for (int i = 0; i < prompts.size(); i++) pictures.add(Picture.of(network.size(), network.size(), network.channels(), Arrays.copyOfRange(painted, i * numbers, (i + 1) * numbers)));
            return pictures;
        }
    }
}
