package inkstone.diffusion.train;

import inkstone.diffusion.vae.AutoencoderFile;
import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.LearningWeights;
import inkstone.tensor.train.Parameters;
import inkstone.tensor.train.Trainer;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import inkstone.tensor.train.TrainingEvent.End;
import inkstone.transformer.train.Pretraining.Preparation;
import inkstone.transformer.train.TrainedModel;
import inkstone.transformer.train.TrainingLog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;

/**
 * An autoencoder from nothing, all in one folder, each part made once. A run in a folder that holds a checkpoint goes on from it. The trained model, {@code model.gguf}, has the names of Stable
 * Diffusion's autoencoder and its sizes as metadata ({@link AutoencoderFile}). For the thread of the backend.
 */
public final class VaeTraining {
    private static final String START = "start.gguf", MODEL = "model.gguf", SAMPLES = "samples";

    private final VaeConfig config;
    private final Path base, folder;
    private final Backend backend;

    /** @param file the configuration, whose folder paths are relative to */
    public VaeTraining(VaeConfig config, Path file, Backend backend) {
        this.config = config;
        this.base = file.toAbsolutePath().getParent();
        this.folder = base.resolve(config.out() == null ? "runs/" + config.name() : config.out());
        this.backend = backend;
    }

    /** Where everything is kept. */
    public Path folder() { return folder; }

    /** The trained model, F32, once a run has ended. */
    public Path model() { return folder.resolve(MODEL); }

    /** Makes ready, trains and writes {@link #model}; a cancelled run writes none. */
    public End run(TrainingControl control, Preparation preparation, Consumer<TrainingEvent> events) throws IOException {
        Files.createDirectories(folder);
        var training = config.training();
        var sources = PictureSources.of(config.data(), config.size(), config.heldOut(), config.validationShare(), base, preparation);
        var start = folder.resolve(START);
        if (!Files.exists(start)) writeStart(start);
        List<List<Captioned>> validation = config.validationShare() == 0 ? List.of() : sources.validation(training.validation(), training.pictures());
        var need = PictureMemory.require(backend, this::learner, training, config.name());
        try (var parameters = new Parameters(backend); var model = open(backend, parameters)) {
            var task = new VaeTask(model, config, backend, sources, validation, folder.resolve(SAMPLES));
            try (var trainer = new Trainer(backend, parameters, new AdamW(backend, parameters.tensors(), training.adam(), training.seeds()), training.settings(config.name()), folder)) {
                var end = trainer.run(task, control, need.total(), parameters.count(), new TrainingLog(folder, config.name()).andThen(events));
                if (end != End.CANCELLED) {
                    if (training.decay() > 0) trainer.useAverage();
                    TrainedModel.write(start, parameters.tensors(), backend, model());
                }
                return end;
            }
        }
    }

    private AutoencoderFile open(Backend on, Parameters parameters) throws IOException {
        return AutoencoderFile.open(folder.resolve(START), on, source -> new LearningWeights(source, parameters, LearningWeights.ALL));
    }

    private PictureMemory.Learner learner(Backend counting, Parameters parameters) throws IOException {
        var model = open(counting, parameters);
        int side = config.size() / config.network().factor();
        return new PictureMemory.Learner() {
            @Override public Tensor loss(Scope scope, int pictures) {
                var noise = new float[pictures * side * side * config.network().latentChannels()];
                return VaeTask.loss(model, config, scope.tensor(DType.F32, pictures, config.size(), config.size(), 3), noise, 1);
            }
            @Override public void close() { model.close(); }
        };
    }

    private void writeStart(Path start) throws IOException {
        var writer = new GgufWriter();
        AutoencoderFile.put(writer, config.about());
        writer.u32("general.file_type", 0);
        NewNetwork.write(writer, weights -> AutoencoderFile.of(config.about(), weights), VaeTraining::start, config.training().seeds());
        writer.write(start);
    }

    /** Normal numbers of a size that keeps what passes at its size (He et al. 2015, arXiv:1502.01852); norms 1, biases 0; the end of each residual block 0, so that blocks begin as identities. */
    private static float[] start(String name, int[] dims, RandomGenerator random) {
        int count = Arrays.stream(dims).reduce(1, Math::multiplyExact);
        var values = new float[count];
        if (dims.length == 1) {
            if (!name.endsWith(".bias")) Arrays.fill(values, 1);
            return values;
        }
        if (name.startsWith("codebook")) {                                                                 // among the latents, whose numbers are about 1
            for (int i = 0; i < count; i++) values[i] = (float) random.nextGaussian();
            return values;
        }
        if (name.endsWith("conv2.weight") || name.endsWith("proj_out.weight")) return values;
        double deviation = Math.sqrt((double) dims[0] / count);
        for (int i = 0; i < count; i++) values[i] = (float) (deviation * random.nextGaussian());
        return values;
    }
}
