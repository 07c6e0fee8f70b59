package inkstone.diffusion.train;

import inkstone.diffusion.vae.AutoencoderFile;
import inkstone.tensor.Backend;
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
import java.util.function.Consumer;
import java.util.random.RandomGenerator;

/**
 * An autoencoder from nothing, in one folder: a run in a folder that holds a checkpoint goes on from it. The trained model is the moving average of the parameters. For the thread of the backend.
 */
public final class VaeTraining {
    private static final String START = "start.gguf", MODEL = "model.gguf", SHEETS = "samples";

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

    /** The trained autoencoder, F32, once a run has ended. */
    public Path model() { return folder.resolve(MODEL); }

    /** Makes ready, trains and writes {@link #model}; a cancelled run writes none. */
    public End run(TrainingControl control, Preparation preparation, Consumer<TrainingEvent> events) throws IOException {
        Files.createDirectories(folder);
        var sources = PictureSources.of(config.data(), config.heldOut(), config.size(), config.validationShare(), base, preparation);
        var start = folder.resolve(START);
        if (!Files.exists(start)) {
            var writer = new GgufWriter();
            AutoencoderFile.put(writer, config.about());
            NewNetwork.write(writer, weights -> AutoencoderFile.of(config.about(), weights), VaeTraining::start, config.seed());
            writer.write(start);
        }
        try (var parameters = new Parameters(backend); var model = AutoencoderFile.open(start, backend, source -> new LearningWeights(source, parameters, LearningWeights.ALL))) {
            var settings = new Trainer.Settings(config.name(), config.schedule(), 1, 1, config.evaluateEvery(), config.saveEvery(), 0, config.average(), false, config.seed());
            var task = new VaeTask(model, config, backend, sources, folder.resolve(SHEETS));
            try (var trainer = new Trainer(backend, parameters, new AdamW(backend, parameters.tensors(), config.adam(), config.seed()), settings, folder)) {
                var end = trainer.run(task, control, 0, parameters.count(), new TrainingLog(folder, config.name()).andThen(events));
                if (end == End.COMPLETE) {
                    if (config.average() > 0) trainer.useAverage();
                    TrainedModel.write(start, parameters.tensors(), backend, model());
                }
                return end;
            }
        }
    }

    /** Weights by their number of inputs (Glorot & Bengio 2010), norms 1, biases 0, a book of codes within the range of a latent. */
    private static float[] start(String name, int[] dims, RandomGenerator random) {
        long count = 1;
        for (int dim : dims) count *= dim;
        var values = new float[Math.toIntExact(count)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (name.startsWith("codebook") ? random.nextGaussian() : dims.length > 1 ? random.nextGaussian() / Math.sqrt((double) count / dims[0]) : name.endsWith("weight") ? 1 : 0);
        }
        return values;
    }
}
