package inkstone.diffusion.train;

import inkstone.diffusion.vae.AutoencoderConfig;
import inkstone.diffusion.vae.AutoencoderFile;
import inkstone.tensor.ModelException;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.Schedule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import tools.jackson.core.JacksonException;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * What an autoencoder is to be and to learn from, as {@code train vae} reads it from JSON. Paths are relative to the file. Everything has a usual value but the data and the steps.
 */
public record VaeConfig(String name, Model model, List<DiffusionConfig.Data> data, String heldOut, Double validationShare, Training training, String out) {
    /**
     * @param size        pixels on a side
     * @param head        plain, kl, vq or fsq
     * @param channels    of the first level
     * @param multipliers channels of each level in multiples of that; each but the last halves the picture
     * @param latent      channels of the latent
     * @param codes       of a learned book (vq)
     * @param levels      of each channel of the latent (fsq)
     */
    public record Model(Integer size, String head, Integer channels, List<Integer> multipliers, Integer blocks, Integer latent, Integer groups, Integer codes, List<Integer> levels) {}

    /**
     * @param kl    weight of the divergence from the unit normal distribution, a pixel (head kl)
     * @param edges weight of the difference of neighbouring pixels' differences, which keeps edges sharp
     */
    public record Training(Integer steps, Integer batch, Double learningRate, Integer warmup, Double kl, Double edges, Double average, Integer evaluateEvery, Integer saveEvery, Integer validationPictures,
                           Long seed) {}

    private static final JsonMapper JSON = JsonMapper.builder().enable(JsonReadFeature.ALLOW_JAVA_COMMENTS).enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build();

    public static VaeConfig read(Path file) throws IOException {
        if (!Files.isRegularFile(file)) throw new ModelException("%s: there is no such file; give the JSON file of a training run".formatted(file));
        if (Files.size(file) > 1 << 20) throw new ModelException("%s is no configuration: it has more than a megabyte".formatted(file));
        try {
            return JSON.readValue(Files.readString(file), VaeConfig.class).checked();
        } catch (JacksonException problem) {
            throw new ModelException("%s: %s".formatted(file, problem.getOriginalMessage()), problem);
        } catch (IllegalArgumentException problem) {
            throw new ModelException("%s: %s".formatted(file, problem.getMessage()), problem);
        }
    }

    private VaeConfig checked() {
        need(training != null && training.steps != null, "training: expected {\"steps\": N}");
        DiffusionConfig.check(data);
        need(validationShare() >= 0 && validationShare() <= 0.5, "validationShare: expected 0 to 0.5, got " + validationShare());
        need(batch() >= 1, "training.batch: expected 1 or more, got " + batch());
        need(kl() >= 0 && edges() >= 0, "training: expected kl and edges of 0 or more, got %s and %s".formatted(kl(), edges()));
        var c = about().config();
        need(size() % c.factor() == 0, "model.size: expected a multiple of %d, which %d levels make one place of, got %d".formatted(c.factor(), c.multipliers().size(), size()));
        need(c.channels() % c.groups() == 0, "model.channels: expected a multiple of the %d groups, got %d".formatted(c.groups(), c.channels()));
        schedule();
        return this;
    }

    private static void need(boolean condition, String message) {
        if (!condition) throw new IllegalArgumentException(message);
    }

    public AutoencoderFile.About about() {
        var m = model == null ? new Model(null, null, null, null, null, null, null, null, null) : model;
        var head = Arrays.stream(AutoencoderFile.Head.values()).filter(one -> one.name().equalsIgnoreCase(or(m.head, "kl"))).findFirst()
            .orElseThrow(() -> new IllegalArgumentException("model.head: expected plain, kl, vq or fsq, got " + m.head));
        List<Integer> levels = head == AutoencoderFile.Head.FSQ ? or(m.levels, List.of(8, 5, 5, 5)) : List.of();
        return new AutoencoderFile.About(name(), head, new AutoencoderConfig(3, or(m.channels, 32), or(m.multipliers, List.of(1, 2, 4)), or(m.blocks, 1), head == AutoencoderFile.Head.FSQ ? levels.size() : or(m.latent, 4),
            or(m.groups, 8), head == AutoencoderFile.Head.KL, false, 1, 0), head == AutoencoderFile.Head.VQ ? or(m.codes, 1024) : 0, levels);
    }

    public int size() { return model == null ? 32 : or(model.size, 32); }
    public Schedule schedule() { return new Schedule(Schedule.Shape.COSINE, or(training.learningRate, 1e-3), or(training.warmup, Math.min(200, training.steps / 10)), training.steps, 0.05); }
    public AdamW.Settings adam() { return new AdamW.Settings(0.9f, 0.99f, 1e-8f, 0, false); }
    public int batch() { return or(training.batch, 32); }
    public double kl() { return or(training.kl, 1e-4); }
    public double edges() { return or(training.edges, 0.5); }
    public double average() { return or(training.average, 0.999); }
    public int evaluateEvery() { return or(training.evaluateEvery, Math.max(1, training.steps / 20)); }
    public int saveEvery() { return or(training.saveEvery, Math.max(1, training.steps / 20)); }
    public int validationPictures() { return or(training.validationPictures, 64); }
    public long seed() { return or(training.seed, 1L); }
    @Override public Double validationShare() { return or(validationShare, 0.02); }
    @Override public String name() { return or(name, "autoencoder"); }

    private static <T> T or(T value, T usual) { return value == null ? usual : value; }
}
