package inkstone.transformer.train;

import inkstone.tensor.ModelException;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.Schedule;
import inkstone.transformer.NewModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import tools.jackson.core.JacksonException;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a language model is to be and to learn from, as {@code train llm} reads it from JSON. Paths are relative to the file. Everything has a usual value but the size of the
 * model, the tokenizer, the data and the steps.
 */
public record PretrainingConfig(String name, Model model, TokenizerSource tokenizer, String chatTemplate, List<Data> data, Double validationShare, Training training, List<String> samples,
                                Integer sampleTokens, String out) {
    /** See {@link NewModel.Size}. */
    public record Model(String architecture, Integer layers, Integer dim, Integer heads, Integer kvHeads, Integer hidden, Integer context, Boolean tied, Float ropeBase) {}

    /**
     * Either the folder of a tokenizer that is there, or what to make of the data: byte-level BPE of {@code vocabulary} tokens, or one token for each character.
     *
     * @param path    folder with tokenizer.json
     * @param special control tokens, of which {@code bos} begins and {@code eos} ends a text
     */
    public record TokenizerSource(String path, Integer vocabulary, Boolean characters, List<String> special, String bos, String eos) {}

    /** Texts, JSON lines, folders or zip files; {@code weight} is the share of tokens that come from them, in proportion to the others' (their size if no source has one). */
    public record Data(String path, Double weight) {}

    /**
     * @param rows        sequences of {@code context} tokens carried forward and back at once
     * @param accumulate  such micro-batches a step
     * @param windows     whether batches are random windows of the text (nanoGPT's way), not whole documents packed side by side
     * @param optimizer   adamw, adamw8 (8-bit states) or muon
     * @param validationBatches micro-batches of an evaluation at most
     */
    public record Training(Integer steps, Integer context, Integer rows, Integer accumulate, Boolean windows, String optimizer, Double learningRate, Integer warmup, String schedule, Double floor,
                           Float beta1, Float beta2, Float weightDecay, Double clip, Integer evaluateEvery, Integer saveEvery, Integer patience, Double average, Boolean recompute,
                           Integer validationBatches, Long seed) {}

    private static final JsonMapper JSON = JsonMapper.builder().enable(JsonReadFeature.ALLOW_JAVA_COMMENTS).enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build();

    public static PretrainingConfig read(Path file) throws IOException {
        if (!Files.isRegularFile(file)) throw new ModelException("%s: there is no such file; give the JSON file of a training run".formatted(file));
        if (Files.size(file) > 1 << 20) throw new ModelException("%s is no configuration: it has more than a megabyte".formatted(file));
        try {
            return JSON.readValue(Files.readString(file), PretrainingConfig.class).checked(file);
        } catch (JacksonException problem) {
            throw new ModelException("%s: %s".formatted(file, problem.getOriginalMessage()), problem);
        } catch (IllegalArgumentException problem) {
            throw new ModelException("%s: %s".formatted(file, problem.getMessage()), problem);
        }
    }

    private PretrainingConfig checked(Path file) {
        need(model != null, "model: how large shall it be? {\"layers\": 4, \"dim\": 128, \"heads\": 4}");
        need(model.layers != null && model.dim != null && model.heads != null, "model: expected layers, dim and heads");
        need(tokenizer != null && (tokenizer.path != null || tokenizer.vocabulary != null || Boolean.TRUE.equals(tokenizer.characters)),
            "tokenizer: expected {\"path\": FOLDER}, {\"vocabulary\": N} or {\"characters\": true}");
        need(data != null && !data.isEmpty() && data.stream().allMatch(d -> d.path != null), "data: expected [{\"path\": FILE, \"weight\": 1}]");
        need(training != null && training.steps != null, "training: expected {\"steps\": N}");
        need(validationShare() >= 0 && validationShare() <= 0.5, "validationShare: expected 0 to 0.5, got " + validationShare());
        need(context() <= size().context(), "training.context %d is more than the model's %d".formatted(context(), size().context()));
        need(rows() >= 1 && accumulate() >= 1, "training: expected rows and accumulate of 1 or more");
        schedule();
        adam(false);
        need(List.of("adamw", "adamw8", "muon").contains(optimizer()), "training.optimizer: expected adamw, adamw8 or muon, got " + optimizer());
        return this;
    }

    private static void need(boolean condition, String message) {
        if (!condition) throw new IllegalArgumentException(message);
    }

    public NewModel.Size size() {
        var architecture = or(model.architecture, "llama");
        boolean gpt2 = architecture.equals("gpt2");
        int usualHidden = gpt2 ? 4 * model.dim : (model.dim * 8 / 3 + 31) / 32 * 32;
        return new NewModel.Size(architecture, model.layers, model.dim, model.heads, or(model.kvHeads, model.heads), or(model.hidden, usualHidden), or(model.context, 1024), or(model.tied, true),
            or(model.ropeBase, 10_000f));
    }

    public Schedule schedule() {
        var shape = switch (or(training.schedule, "cosine")) {
            case "constant" -> Schedule.Shape.CONSTANT;
            case "linear" -> Schedule.Shape.LINEAR;
            case "cosine" -> Schedule.Shape.COSINE;
            default -> throw new IllegalArgumentException("training.schedule: expected constant, linear or cosine, got " + training.schedule);
        };
        return new Schedule(shape, or(training.learningRate, 1e-3), or(training.warmup, Math.min(100, training.steps / 10)), training.steps, or(training.floor, 0.1));
    }

    /** @param eightBit whether its states have 8 bits */
    public AdamW.Settings adam(boolean eightBit) {
        return new AdamW.Settings(or(training.beta1, 0.9f), or(training.beta2, 0.95f), 1e-8f, or(training.weightDecay, 0.1f), eightBit);
    }

    public String optimizer() { return or(training.optimizer, "adamw"); }
    public int context() { return or(training.context, or(model.context, 1024)); }
    public int rows() { return or(training.rows, 4); }
    public int accumulate() { return or(training.accumulate, 1); }
    public boolean windows() { return or(training.windows, false); }
    public double clip() { return or(training.clip, 1.0); }
    public int evaluateEvery() { return or(training.evaluateEvery, Math.max(1, training.steps / 20)); }
    public int saveEvery() { return or(training.saveEvery, Math.max(1, training.steps / 20)); }
    public int patience() { return or(training.patience, 0); }
    public double average() { return or(training.average, 0.0); }
    public boolean recompute() { return or(training.recompute, false); }
    public int validationBatches() { return or(training.validationBatches, 32); }
    public long seed() { return or(training.seed, 1L); }
    @Override public Double validationShare() { return or(validationShare, 0.05); }
    @Override public Integer sampleTokens() { return or(sampleTokens, 100); }
    @Override public List<String> samples() { return or(samples, List.of()); }
    @Override public String name() { return or(name, "model"); }

    private static <T> T or(T value, T usual) { return value == null ? usual : value; }
}
