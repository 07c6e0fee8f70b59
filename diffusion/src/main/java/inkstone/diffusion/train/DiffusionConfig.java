package inkstone.diffusion.train;

import static inkstone.diffusion.train.JsonConfig.need;
import static inkstone.diffusion.train.JsonConfig.or;

import inkstone.diffusion.dit.DitConfig;
import inkstone.diffusion.sampling.Objective;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * What a text-to-image model is to be and to learn from, as {@code train diffusion} reads it from JSON. Paths are relative to the file. Everything has a usual value but the size of the model (or
 * the model to begin with), the data and the steps.
 *
 * @param from      a model's file to begin with, or "Dab" for the one that comes with the program: its network, vocabulary and objective stay; null: from nothing
 * @param objective a name of {@link Objective}
 * @param heldOut   file of {@link HeldOut}, or null
 * @param textDrop  share of pictures that are learned without their caption, which guidance needs
 * @param out       folder of the run
 */
public record DiffusionConfig(String name, String from, Model model, String objective, List<PictureData> data, String heldOut, Double validationShare, Double textDrop, PictureTraining training, Samples samples,
                              String out) {
    /** @param size pixels on a side @param hidden width of the feed-forward, usually 4 · dim */
    public record Model(Integer size, Integer patch, Integer dim, Integer layers, Integer heads, Integer hidden, Text text) {}

    /** The encoder of prompts. @param vocabulary tokens, made of the captions @param length tokens that it reads */
    public record Text(Integer vocabulary, Integer length, Integer dim, Integer layers, Integer heads, Integer hidden) {}

    /** What is painted at every evaluation: always with the same noise. */
    public record Samples(List<String> prompts, Integer steps, Double guidance) {}

    public static DiffusionConfig read(Path file) throws IOException { return JsonConfig.read(file, DiffusionConfig.class, DiffusionConfig::check); }

    private void check() {
        need(from == null || model == null && objective == null, "from: the network and the objective are those of %s; leave model and objective out".formatted(from));
        need(from != null || model != null && model.dim != null && model.layers != null && model.heads != null, "model: how large shall it be? {\"size\": 32, \"patch\": 4, \"dim\": 192, \"layers\": 6, \"heads\": 6}");
        PictureData.check(data);
        PictureTraining.check(training);
        need(validationShare() >= 0 && validationShare() <= 0.5, "validationShare: expected 0 to 0.5, got " + validationShare());
        need(textDrop() >= 0 && textDrop() < 1, "textDrop: expected 0 to below 1, got " + textDrop());
        need(sampleSteps() >= 1, "samples.steps: expected 1 or more, got " + sampleSteps());
        need(sampleGuidance() >= 1, "samples.guidance: expected 1 or more, got " + sampleGuidance());
        if (from == null) network(2);
        objectiveOf();
    }

    /** Of a model from nothing. @param vocabulary how many tokens there came out */
    public DitConfig network(int vocabulary) {
        var text = model.text == null ? new Text(null, null, null, null, null, null) : model.text;
        int width = or(text.dim, model.dim);
        return new DitConfig(or(model.size, 32), 3, or(model.patch, 4), model.dim, model.layers, model.heads, or(model.hidden, 4 * model.dim),
            new DitConfig.Text(vocabulary, or(text.length, 24), width, or(text.layers, 2), or(text.heads, model.heads), or(text.hidden, 4 * width)));
    }

    /** Tokens to make of the captions. */
    public int vocabulary() { return model.text == null ? 3_072 : or(model.text.vocabulary, 3_072); }

    public Objective objectiveOf() {
        return Arrays.stream(Objective.values()).filter(known -> known.name().equalsIgnoreCase(or(objective, "flow"))).findFirst().orElseThrow(() ->
            new IllegalArgumentException("objective: expected one of %s, got %s".formatted(Arrays.toString(Objective.values()).toLowerCase(Locale.ROOT), objective)));
    }

    public List<String> samplePrompts() { return samples == null ? List.of() : or(samples.prompts, List.of()); }
    public int sampleSteps() { return samples == null ? 20 : or(samples.steps, 20); }
    public double sampleGuidance() { return samples == null ? 3 : or(samples.guidance, 3.0); }
    @Override public Double textDrop() { return or(textDrop, 0.1); }
    @Override public Double validationShare() { return or(validationShare, 0.02); }
    @Override public String name() { return or(name, "model"); }
}
