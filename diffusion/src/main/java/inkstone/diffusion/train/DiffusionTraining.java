package inkstone.diffusion.train;

import inkstone.diffusion.dit.CaptionText;
import inkstone.diffusion.dit.Dit;
import inkstone.diffusion.dit.DitConfig;
import inkstone.diffusion.dit.DitModel;
import inkstone.diffusion.dit.DitSheet;
import inkstone.diffusion.dit.EmbeddedImageModel;
import inkstone.diffusion.sampling.Sampler;
import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.LearningWeights;
import inkstone.tensor.train.Parameters;
import inkstone.tensor.train.Trainer;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent.End;
import inkstone.tensor.train.TrainingEvent;
import inkstone.tokenizer.Tokenizers;
import inkstone.tokenizer.train.BpeTrainer;
import inkstone.tokenizer.train.Corpus;
import inkstone.transformer.Converter;
import inkstone.transformer.train.Folders;
import inkstone.transformer.train.Pretraining.Preparation;
import inkstone.transformer.train.TrainedModel;
import inkstone.transformer.train.TrainingLog;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * A text-to-image model from nothing, or on from another: vocabulary of the captions, random weights, training, all in one folder, each made once. A run in a folder that holds a checkpoint goes on from it. The
 * trained model is the moving average of the parameters. For the thread of the backend.
 */
public final class DiffusionTraining {
    private static final String START = "start.gguf", MODEL = "model.gguf", TOKENIZER = "tokenizer", SAMPLES = "samples";
    /* A token that nobody writes begins every prompt; alone it is the empty prompt. */
    private static final String BEGIN = "<|prompt|>";

    private final DiffusionConfig config;
    private final Path base, folder;
    private final Backend backend;
    private final int threads;

    /** @param file the configuration, whose folder paths are relative to */
    public DiffusionTraining(DiffusionConfig config, Path file, Backend backend, int threads) {
        this.config = config;
        this.base = file.toAbsolutePath().getParent();
        this.folder = base.resolve(config.out() == null ? "runs/" + config.name() : config.out());
        this.backend = backend;
        this.threads = threads;
    }

    /** Where everything is kept. */
    public Path folder() { return folder; }

    /** The trained model, F32, once a run has ended. */
    public Path model() { return folder.resolve(MODEL); }

    /** Makes ready, trains and writes {@link #model}; a cancelled run writes none. */
    public End run(TrainingControl control, Preparation preparation, Consumer<TrainingEvent> events) throws IOException {
        Files.createDirectories(folder);
        BooleanSupplier cancelled = () -> control.cancelRequested() || control.pauseRequested();
        var start = folder.resolve(START);
        if (config.from() != null && !Files.exists(start)) copyStart(start);
        var sources = PictureSources.of(config.data(), size(start), config.heldOut(), config.validationShare(), base, preparation);
        if (!Files.exists(start)) writeStart(tokenizer(sources, preparation, cancelled), start);
        var need = PictureMemory.require(backend, this::learner, config.training(), config.name());
        try (var parameters = new Parameters(backend);
             var model = DitModel.open(start, backend, source -> new LearningWeights(source, parameters, LearningWeights.ALL))) {
            return train(model, parameters, sources, need.total(), control, events);
        }
    }

    private PictureMemory.Learner learner(Backend counting, Parameters parameters) throws IOException {
        var model = DitModel.open(folder.resolve(START), counting, source -> new LearningWeights(source, parameters, LearningWeights.ALL));
        return new PictureMemory.Learner() {
            @Override public Tensor loss(Scope scope, int pictures) { return DiffusionTask.loss(model.dit(), scope, PictureBatch.largest(model.dit().config(), pictures), 1); }
            @Override public void close() { model.close(); }
        };
    }

    /** Pixels on a side of what the model sees. */
    private int size(Path start) throws IOException {
        if (config.from() == null) return config.network(2).size();
        try (var file = Gguf.open(start)) { return DitConfig.read(file.metadata()).size(); }
    }

    /** The model to begin with, looked at before it is copied. */
    private void copyStart(Path start) throws IOException {
        var source = base.resolve(config.from());
        if (config.from().equalsIgnoreCase(EmbeddedImageModel.NAME) && !Files.exists(source)) source = EmbeddedImageModel.file(folder);
        if (!Files.isRegularFile(source)) throw new ModelException("from: %s does not exist; give the file of a model that train diffusion made".formatted(source));
        try (var file = Gguf.open(source)) { DitConfig.read(file.metadata()); }
        var part = folder.resolve("." + START + ".part");
        Files.copy(source, part, StandardCopyOption.REPLACE_EXISTING);
        Files.move(part, start, StandardCopyOption.ATOMIC_MOVE);
    }

    private Path tokenizer(PictureSources sources, Preparation preparation, BooleanSupplier cancelled) throws IOException {
        var made = folder.resolve(TOKENIZER);
        if (Files.exists(made.resolve("tokenizer.json"))) return made;
        var text = sources.sources().stream().flatMap(weighted -> weighted.source().texts()).map(CaptionText::normalized).collect(Collectors.joining("\n")).getBytes(StandardCharsets.UTF_8);
        var corpus = Corpus.of("captions", Corpus.Format.TEXT, text.length, () -> new ByteArrayInputStream(text));
        var trained = BpeTrainer.train(corpus, new BpeTrainer.Settings(config.vocabulary(), List.of(BEGIN), BEGIN, null, threads),
            (stage, done, all) -> preparation.at(stage == BpeTrainer.Progress.Stage.READING_BYTES ? "counting words" : "merging pairs", done, all), cancelled);
        var part = folder.resolve("." + TOKENIZER + ".part");
        Folders.delete(part);
        Files.createDirectories(part);
        trained.vocabulary().write(part.resolve("tokenizer.json"));
        Files.move(part, made, StandardCopyOption.ATOMIC_MOVE);
        return made;
    }

    private void writeStart(Path tokenizer, Path start) throws IOException {
        var vocabulary = Tokenizers.toGguf(tokenizer);
        int tokens = ((List<?>) vocabulary.get("tokenizer.ggml.tokens")).size();
        var network = config.network(tokens);
        var writer = new GgufWriter();
        network.write(writer);
        writer.string("general.name", config.name()).string(DitModel.OBJECTIVE, config.objectiveOf().name().toLowerCase(Locale.ROOT)).u32("general.file_type", 0);
        vocabulary.forEach((key, value) -> Converter.put(writer, key, value));
        NewNetwork.write(writer, weights -> Dit.of(network, weights), Dit::start, config.training().seeds());
        writer.write(start);
    }

    private End train(DitModel model, Parameters parameters, PictureSources sources, long predictedBytes, TrainingControl control, Consumer<TrainingEvent> events)
            throws IOException {
        var training = config.training();
        var batches = new PictureBatches(sources, model.dit().config(), model.objective(), model.tokenizer(), training.pictures(), config.textDrop(), training.seeds());
        var log = new TrainingLog(folder, config.name());
        var task = new DiffusionTask(model.dit(), model.objective(), backend, batches, config.validationShare() == 0 ? List.of() : sources.validation(training.validation(), training.pictures()), (step, out) -> sample(model, step, out));
        try (var trainer = new Trainer(backend, parameters, new AdamW(backend, parameters.tensors(), training.adam(), training.seeds()), training.settings(config.name()), folder)) {
            var end = trainer.run(task, control, predictedBytes, model.parameters(), log.andThen(events));
            if (end != End.CANCELLED) {
                if (training.decay() > 0) trainer.useAverage();
                TrainedModel.write(folder.resolve(START), parameters.tensors(), backend, model());
            }
            return end;
        }
    }

    /** The prompts as the network paints them now, each from noise of its own that stays the same, in one file. */
    private void sample(DitModel model, long step, Consumer<TrainingEvent> events) throws IOException {
        var prompts = config.samplePrompts();
        if (prompts.isEmpty()) return;
        var file = folder.resolve(SAMPLES).resolve("step-%06d.png".formatted(step));
        SampleGrid.write(new DitSheet(model, backend, Sampler.EULER, config.sampleSteps(), config.sampleGuidance(), config.training().pictures()).paint(prompts, config.training().seeds()), file);
        events.accept(new TrainingEvent.Pictures(step, String.join(" | ", prompts), file));
    }
}
