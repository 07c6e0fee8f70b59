package inkstone.diffusion.train;

import inkstone.diffusion.Picture;
import inkstone.diffusion.dit.CaptionText;
import inkstone.diffusion.dit.Dit;
import inkstone.diffusion.dit.DitModel;
import inkstone.diffusion.dit.GuidedDit;
import inkstone.diffusion.sampling.Guidance;
import inkstone.diffusion.sampling.NoiseGenerator;
import inkstone.diffusion.sampling.Sampler;
import inkstone.diffusion.sampling.Sampling;
import inkstone.tensor.Backend;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.LearningWeights;
import inkstone.tensor.train.Parameters;
import inkstone.tensor.train.Trainer;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import inkstone.tensor.train.TrainingEvent.End;
import inkstone.tensor.checkpoint.GgufWriter;
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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * A text-to-image model from nothing: vocabulary of the captions, random weights, training, all in one folder, each made once. A run in a folder that holds a checkpoint goes on from it. The
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
        var sources = sources(preparation);
        var start = folder.resolve(START);
        if (!Files.exists(start)) writeStart(tokenizer(sources, preparation, cancelled), start);
        try (var parameters = new Parameters(backend);
             var model = DitModel.open(start, backend, source -> new LearningWeights(source, parameters, LearningWeights.ALL))) {
            return train(model, parameters, sources, control, events);
        }
    }

    /** The sources of a configuration at its size, without what is held out. */
    List<PictureBatches.Weighted> sources(Preparation preparation) throws IOException {
        var held = config.heldOut() == null ? HeldOut.NOTHING : HeldOut.read(base.resolve(config.heldOut()));
        int size = config.network(2).size();
        var sources = new ArrayList<PictureBatches.Weighted>();
        for (var data : config.data()) {
            preparation.at("reading " + (data.path() == null ? "shapes" : data.path()), sources.size(), config.data().size());
            PictureSource source;
            if (data.path() == null) source = new ShapeScenes(size, held.shapes());
            else if (data.layers() != null) source = new LayeredPictures(base.resolve(data.path()), base.resolve(data.parts()), data.layers(), data.style(), size, held.layered());
            else source = new PictureFolder(base.resolve(data.path()), new PictureFolder.Settings(data.only(), data.without(), data.style(), Boolean.TRUE.equals(data.flip())), size, held.files(), config.validationShare());
            sources.add(new PictureBatches.Weighted(source, data.weight() == null ? 1 : data.weight()));
        }
        return sources;
    }

    private Path tokenizer(List<PictureBatches.Weighted> sources, Preparation preparation, BooleanSupplier cancelled) throws IOException {
        var made = folder.resolve(TOKENIZER);
        if (Files.exists(made.resolve("tokenizer.json"))) return made;
        var text = sources.stream().flatMap(weighted -> weighted.source().texts()).map(CaptionText::normalized).collect(Collectors.joining("\n")).getBytes(StandardCharsets.UTF_8);
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
        NewNetwork.write(writer, weights -> Dit.of(network, weights), Dit::start, config.seed());
        writer.write(start);
    }

    private End train(DitModel model, Parameters parameters, List<PictureBatches.Weighted> sources, TrainingControl control, Consumer<TrainingEvent> events) throws IOException {
        var batches = new PictureBatches(sources, model.dit().config(), model.objective(), model.tokenizer(), config.batch(), config.textDrop(), config.seed());
        var settings = new Trainer.Settings(config.name(), config.schedule(), config.accumulate(), config.clip(), config.evaluateEvery(), config.saveEvery(), 0, config.average(),
            config.recompute(), config.seed());
        var log = new TrainingLog(folder, config.name());
        var task = new DiffusionTask(model.dit(), model.objective(), backend, batches, validation(sources), (step, out) -> sample(model, step, out));
        try (var trainer = new Trainer(backend, parameters, new AdamW(backend, parameters.tensors(), config.adam(), config.seed()), settings, folder)) {
            var end = trainer.run(task, control, 0, model.parameters(), log.andThen(events));
            if (end != End.CANCELLED) {
                if (config.average() > 0) trainer.useAverage();
                TrainedModel.write(folder.resolve(START), parameters.tensors(), backend, model());
            }
            return end;
        }
    }

    /** Of each source its share, in parts of a batch. */
    private List<List<Captioned>> validation(List<PictureBatches.Weighted> sources) {
        if (config.validationShare() == 0) return List.of();
        double all = sources.stream().mapToDouble(PictureBatches.Weighted::weight).sum();
        var pictures = new ArrayList<Captioned>();
        for (var weighted : sources) pictures.addAll(weighted.source().validation((int) Math.round(config.validationPictures() * weighted.weight() / all)));
        var parts = new ArrayList<List<Captioned>>();
        for (int from = 0; from < pictures.size(); from += config.batch()) parts.add(List.copyOf(pictures.subList(from, Math.min(pictures.size(), from + config.batch()))));
        return parts;
    }

    /** The prompts as the network paints them now, each from noise of its own that stays the same, in one file. */
    private void sample(DitModel model, long step, Consumer<TrainingEvent> events) throws IOException {
        var prompts = config.samplePrompts();
        if (prompts.isEmpty()) return;
        var file = folder.resolve(SAMPLES).resolve("step-%06d.png".formatted(step));
        SampleGrid.write(paint(model, prompts), file);
        events.accept(new TrainingEvent.Pictures(step, String.join(" | ", prompts), file));
    }

    private List<Picture> paint(DitModel model, List<String> prompts) {
        var network = model.dit().config();
        var objective = model.objective();
        int numbers = network.size() * network.size() * network.channels();
        double[] sigmas = objective.schedule().sigmas(objective.noise(), config.sampleSteps());
        var x = new float[prompts.size() * numbers];
        for (int i = 0; i < prompts.size(); i++) {
            var noise = NoiseGenerator.INKSTONE.source(config.seed() + i).channelsLast(network.channels()).normal(numbers);
            System.arraycopy(objective.noise().noisy(new float[numbers], noise, sigmas[0]), 0, x, i * numbers, numbers);
        }
        var empty = Collections.nCopies(prompts.size(), model.tokens(""));
        try (var guided = new GuidedDit(model.dit(), objective, prompts.stream().map(model::tokens).toList(), empty, new Guidance(config.sampleGuidance(), 0), backend)) {
            var painted = Sampler.EULER.sample(new Sampling(guided.clipped(), sigmas, objective.noise(), null, 0, Sampling.Progress.NOBODY), x);
            var pictures = new ArrayList<Picture>();
            for (int i = 0; i < prompts.size(); i++) pictures.add(Picture.of(network.size(), network.size(), network.channels(), Arrays.copyOfRange(painted, i * numbers, (i + 1) * numbers)));
            return pictures;
        }
    }
}
