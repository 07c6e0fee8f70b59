package inkstone.gan;

import static inkstone.diffusion.train.JsonConfig.need;
import static inkstone.diffusion.train.JsonConfig.or;

import inkstone.diffusion.train.JsonConfig;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.Schedule;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a pair of adversarial networks is to be and to learn from, as {@code train gan} reads it from JSON. Paths are relative to the file. What is not said is as in the paper of the family.
 */
public record GanTrainingConfig(String name, Model model, Data data, Training training, String out) {
    /** See {@link GanConfig}; {@code family} by its name: gan, dcgan, cogan, progressive, stylegan, stylegan2. Classes are those of the data where {@code conditional}. */
    public record Model(String family, Integer size, Integer channels, Integer latent, Integer width, Integer most, Integer mapping, Boolean conditional) {}

    /**
     * Either IDX files or a folder. CoGAN's second domain is made of the first: its edges.
     *
     * @param pictures IDX file of pictures, with {@code labels} where there are classes and their {@code names}
     * @param folder   folder or zip file of pictures, of which those rows of captions.jsonl count whose fields have one of the values of {@code only}, of classes by {@code classes}
     * @param flip     whether half of the pictures are mirrored
     * @param most     pictures that are used at most; 0: all
     */
    public record Data(String pictures, String labels, List<String> names, String folder, Map<String, List<String>> only, String classes, Boolean flip, Integer most) {}

    /**
     * @param r1            weight of the penalty on the gradient by true pictures (logistic losses of the style-based families)
     * @param augment       adaptive augmentation for small sets of pictures: how often the discriminator may be right before more is done, 0.6 in the paper; 0: none
     * @param growPictures  pictures of each phase of growing; 0: the whole network from the start
     * @param ema           decay of the generator's moving average
     */
    public record Training(Integer steps, Integer batch, Double learningRate, Double discriminatorRate, Float beta1, Float beta2, Double r1, Double augment, Long growPictures, Double ema, Boolean mixStyles,
                           Boolean pathLength, Integer evaluateEvery, Integer saveEvery, Long seed) {}

    public static GanTrainingConfig read(Path file) throws IOException { return JsonConfig.read(file, GanTrainingConfig.class, GanTrainingConfig::check); }

    private void check() {
        need(model != null && model.family != null, "model: which family? {\"family\": \"dcgan\"}");
        need(data != null && (data.pictures == null) != (data.folder == null), "data: expected {\"pictures\": IDX FILE} or {\"folder\": FOLDER}");
        need(training != null && training.steps != null, "training: expected {\"steps\": N}");
        need(batch() >= 1, "training.batch: expected 1 or more, got " + batch());
        need(r1() >= 0 && augment() >= 0 && augment() < 1 && growPictures() >= 0, "training: expected r1, augment and growPictures of 0 or more, augment below 1");
        need(training.augment == null || channels() == 3, "training.augment: expected pictures of 3 channels, got " + channels());
        network(2);
        schedule();
        adam();
    }

    public GanConfig.Family family() {
        for (var family : GanConfig.Family.values()) if (family.name().equalsIgnoreCase(model.family)) return family;
        throw new IllegalArgumentException("model.family: expected gan, dcgan, cogan, progressive, stylegan or stylegan2, got " + model.family);
    }

    /** @param classes of the data */
    public GanConfig network(int classes) {
        var family = family();
        return new GanConfig(family, size(), channels(), or(model.latent, family == GanConfig.Family.GAN || family == GanConfig.Family.DCGAN || family == GanConfig.Family.COGAN ? 100 : 128),
            or(model.width, switch (family) { case DCGAN -> 64; case COGAN -> 16; default -> 2048; }), or(model.most, 128), or(model.mapping, family == GanConfig.Family.STYLEGAN ? 8 : 2),
            Boolean.TRUE.equals(model.conditional) ? classes : 0);
    }

    public int size() { return or(model.size, family() == GanConfig.Family.COGAN ? 28 : 32); }
    public int channels() { return or(model.channels, data.pictures != null ? 1 : 3); }
    public boolean conditional() { return Boolean.TRUE.equals(model.conditional); }

    public GanLoss loss() { return family() == GanConfig.Family.PROGRESSIVE ? GanLoss.WASSERSTEIN : GanLoss.LOGISTIC; }

    private boolean early() { return family().compareTo(GanConfig.Family.PROGRESSIVE) < 0; }

    public Schedule schedule() { return new Schedule(Schedule.Shape.CONSTANT, or(training.learningRate, early() ? 2e-4 : family() == GanConfig.Family.STYLEGAN2 ? 2.5e-3 : 1e-3), 0, training.steps, 1); }

    public Schedule discriminatorSchedule() { return training.discriminatorRate == null ? schedule() : new Schedule(Schedule.Shape.CONSTANT, training.discriminatorRate, 0, training.steps, 1); }

    public AdamW.Settings adam() {
        return new AdamW.Settings(or(training.beta1, early() ? 0.5f : 0f), or(training.beta2, early() ? 0.999f : 0.99f), 1e-8f, family() == GanConfig.Family.COGAN ? 5e-4f : 0, false);
    }

    public int batch() { return or(training.batch, early() ? 128 : 32); }
    public double r1() { return or(training.r1, family().styled() ? family() == GanConfig.Family.STYLEGAN ? 10 : 0.0002 * size() * size() / batch() : 0.0); }
    public double augment() { return or(training.augment, 0.0); }
    public long growPictures() { return or(training.growPictures, family().grows() ? 20_000L : 0L); }
    public double ema() { return or(training.ema, 0.999); }
    public boolean mixStyles() { return or(training.mixStyles, family() == GanConfig.Family.STYLEGAN); }
    public boolean pathLength() { return or(training.pathLength, false); }
    public int evaluateEvery() { return or(training.evaluateEvery, Math.max(1, training.steps / 20)); }
    public int saveEvery() { return or(training.saveEvery, Math.max(1, training.steps / 20)); }
    public long seed() { return or(training.seed, 1L); }
    @Override public String name() { return or(name, family().name().toLowerCase(Locale.ROOT)); }
}
