package inkstone.diffusion.train;

import inkstone.diffusion.dit.DitConfig;
import inkstone.diffusion.sampling.Objective;
import inkstone.tensor.ModelException;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.Schedule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a text-to-image model is to be and to learn from, as {@code train diffusion} reads it from JSON. Paths are relative to the file. Everything has a usual value but the size of the model,
 * the data and the steps.
 */
public record DiffusionConfig(String name, Model model, String objective, List<Data> data, String heldOut, Double validationShare, Training training, Samples samples, String out) {
    /** @param size pixels on a side @param hidden width of the feed-forward, usually 4 · dim */
    public record Model(Integer size, Integer patch, Integer dim, Integer layers, Integer heads, Integer hidden, Text text) {}

    /** The encoder of prompts. @param vocabulary tokens, made of the captions @param length tokens that it reads */
    public record Text(Integer vocabulary, Integer length, Integer dim, Integer layers, Integer heads, Integer hidden) {}

    /**
     * One source, by which of {@code path}, {@code layers} and {@code shapes} is given: a folder of captioned pictures, pictures put together of parts, or coloured forms without end.
     *
     * @param path    folder or zip file, of pictures or of parts
     * @param weight  share of the pictures that come from it, in proportion to the others'; usually 1
     * @param only    see {@link PictureFolder.Settings}
     * @param parts   list of parts, where there are layers
     */
    public record Data(String path, Double weight, Map<String, List<String>> only, Map<String, List<String>> without, String style, Boolean flip, String parts,
                       List<LayeredPictures.Layer> layers, Boolean shapes) {}

    /**
     * @param batch      pictures carried forward and back at once
     * @param accumulate such batches a step
     * @param textDrop   share of pictures that are learned without their caption, which guidance needs
     * @param average    decay of the moving average of the parameters, which is what is judged and kept
     */
    public record Training(Integer steps, Integer batch, Integer accumulate, Double learningRate, Integer warmup, String schedule, Double floor, Float beta1, Float beta2, Float weightDecay,
                           Double clip, Integer evaluateEvery, Integer saveEvery, Double average, Boolean recompute, Double textDrop, Integer validationPictures, Long seed) {}

    /** What is painted at every evaluation: always with the same noise. */
    public record Samples(List<String> prompts, Integer steps, Double guidance) {}

    private static final JsonMapper JSON = JsonMapper.builder().enable(JsonReadFeature.ALLOW_JAVA_COMMENTS).enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build();

    public static DiffusionConfig read(Path file) throws IOException {
        if (!Files.isRegularFile(file)) throw new ModelException("%s: there is no such file; give the JSON file of a training run".formatted(file));
        if (Files.size(file) > 1 << 20) throw new ModelException("%s is no configuration: it has more than a megabyte".formatted(file));
        try {
            return JSON.readValue(Files.readString(file), DiffusionConfig.class).checked();
        } catch (JacksonException problem) {
            throw new ModelException("%s: %s".formatted(file, problem.getOriginalMessage()), problem);
        } catch (IllegalArgumentException problem) {
            throw new ModelException("%s: %s".formatted(file, problem.getMessage()), problem);
        }
    }

    private DiffusionConfig checked() {
        need(model != null && model.dim != null && model.layers != null && model.heads != null, "model: how large shall it be? {\"size\": 32, \"patch\": 4, \"dim\": 192, \"layers\": 6, \"heads\": 6}");
        check(data);
        need(training != null && training.steps != null, "training: expected {\"steps\": N}");
        need(validationShare() >= 0 && validationShare() <= 0.5, "validationShare: expected 0 to 0.5, got " + validationShare());
        need(batch() >= 1 && accumulate() >= 1, "training: expected batch and accumulate of 1 or more");
        need(textDrop() >= 0 && textDrop() < 1, "training.textDrop: expected 0 to below 1, got " + textDrop());
        need(sampleSteps() >= 1, "samples.steps: expected 1 or more, got " + sampleSteps());
        need(sampleGuidance() >= 1, "samples.guidance: expected 1 or more, got " + sampleGuidance());
        network(2);
        objectiveOf();
        schedule();
        adam();
        return this;
    }

    static void check(List<Data> data) {
        need(data != null && !data.isEmpty(), "data: expected [{\"path\": FOLDER}], or {\"shapes\": true}");
        for (var one : data) {
            need(Boolean.TRUE.equals(one.shapes) == (one.path == null), "data: each source is {\"path\": FOLDER}, {\"path\": FOLDER, \"parts\": LIST, \"layers\": [..]} or {\"shapes\": true}");
            need((one.layers == null) == (one.parts == null), "data: layers and the list of their parts go together");
            need(one.weight == null || one.weight > 0 && one.weight < Double.POSITIVE_INFINITY, "data: expected a weight above 0, got " + one.weight);
        }
    }

    private static void need(boolean condition, String message) {
        if (!condition) throw new IllegalArgumentException(message);
    }

    /** @param vocabulary how many tokens there came out */
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

    public Schedule schedule() {
        var shape = switch (or(training.schedule, "cosine")) {
            case "constant" -> Schedule.Shape.CONSTANT;
            case "linear" -> Schedule.Shape.LINEAR;
            case "cosine" -> Schedule.Shape.COSINE;
            default -> throw new IllegalArgumentException("training.schedule: expected constant, linear or cosine, got " + training.schedule);
        };
        return new Schedule(shape, or(training.learningRate, 5e-4), or(training.warmup, Math.min(300, training.steps / 10)), training.steps, or(training.floor, 0.1));
    }

    public AdamW.Settings adam() { return new AdamW.Settings(or(training.beta1, 0.9f), or(training.beta2, 0.99f), 1e-8f, or(training.weightDecay, 0.01f), false); }

    public int batch() { return or(training.batch, 64); }
    public int accumulate() { return or(training.accumulate, 1); }
    public double clip() { return or(training.clip, 1.0); }
    public int evaluateEvery() { return or(training.evaluateEvery, Math.max(1, training.steps / 20)); }
    public int saveEvery() { return or(training.saveEvery, Math.max(1, training.steps / 20)); }
    public double average() { return or(training.average, 0.999); }
    public boolean recompute() { return or(training.recompute, false); }
    public double textDrop() { return or(training.textDrop, 0.1); }
    public int validationPictures() { return or(training.validationPictures, 128); }
    public long seed() { return or(training.seed, 1L); }
    public List<String> samplePrompts() { return samples == null ? List.of() : or(samples.prompts, List.of()); }
    public int sampleSteps() { return samples == null ? 20 : or(samples.steps, 20); }
    public double sampleGuidance() { return samples == null ? 3 : or(samples.guidance, 3.0); }
    @Override public Double validationShare() { return or(validationShare, 0.02); }
    @Override public String name() { return or(name, "model"); }

    private static <T> T or(T value, T usual) { return value == null ? usual : value; }
}
