package inkstone.gan;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.TensorInfo;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.AdversarialTrainer;
import inkstone.tensor.train.AdversarialTrainer.Player;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import inkstone.tensor.train.TrainingEvent.End;
import inkstone.transformer.train.Pretraining.Preparation;
import inkstone.transformer.train.TrainingLog;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;

/**
 * A pair of adversarial networks from nothing, in one folder: a run in a folder that holds a checkpoint goes on from it. What is kept at the end is the generator's moving average. For the
 * thread of the backend.
 */
public final class GanTraining {
    private static final String MODEL = "model.gguf", SHEETS = "samples";

    private final GanTrainingConfig config;
    private final Path base, folder;
    private final Backend backend;

    /** @param file the configuration, whose folder paths are relative to */
    public GanTraining(GanTrainingConfig config, Path file, Backend backend) {
        this.config = config;
        this.base = file.toAbsolutePath().getParent();
        this.folder = base.resolve(config.out() == null ? "runs/" + config.name() : config.out());
        this.backend = backend;
    }

    /** Where everything is kept. */
    public Path folder() { return folder; }

    /** The trained generator, once a run has ended. */
    public Path model() { return folder.resolve(MODEL); }

    /** Makes ready, trains and writes {@link #model}; a cancelled run writes none. */
    public End run(TrainingControl control, Preparation preparation, Consumer<TrainingEvent> events) throws IOException {
        Files.createDirectories(folder);
        preparation.at("reading pictures", 0, 1);
        var pictures = pictures();
        var network = config.network(pictures.classes().size());
        try (var ofGenerator = new PlayerWeights(backend, Networks.initial(network, config.seed())); var ofDiscriminator = new PlayerWeights(backend, Networks.initial(network, config.seed() + 1))) {
            var task = new GanTask(config, network, backend, pictures, ofGenerator, ofDiscriminator, folder.resolve(SHEETS));
            try (var generatorSteps = new AdamW(backend, ofGenerator.parameters().tensors(), config.adam(), config.seed());
                 var discriminatorSteps = new AdamW(backend, ofDiscriminator.parameters().tensors(), config.adam(), config.seed());
                 var trainer = new AdversarialTrainer(backend, new Player(ofGenerator.parameters(), ofGenerator.fixed(), generatorSteps, config.schedule()),
                     new Player(ofDiscriminator.parameters(), ofDiscriminator.fixed(), discriminatorSteps, config.discriminatorSchedule()),
                     new AdversarialTrainer.Settings(config.name(), config.schedule().steps(), config.ema(), config.evaluateEvery(), config.saveEvery(), config.seed()), folder)) {
                task.show(trainer.averages());
                var end = trainer.run(task, control, 0, new TrainingLog(folder, config.name()).andThen(events));
                if (end == End.COMPLETE) write(network, pictures, trainer.averages(), ofGenerator.fixed());
                return end;
            }
        }
    }

    private PictureSet pictures() throws IOException {
        var data = config.data();
        var all = data.pictures() != null
            ? PictureSet.idx(base.resolve(data.pictures()), data.labels() == null ? null : base.resolve(data.labels()), config.size(), data.names() == null ? java.util.List.of() : data.names())
            : PictureSet.folder(base.resolve(data.folder()), data.only() == null ? Map.of() : data.only(), data.classes(), config.size(), config.channels());
        return data.most() == null || data.most() == 0 || data.most() >= all.count() ? all : all.part(0, data.most());
    }

    private void write(GanConfig network, PictureSet pictures, Map<String, Tensor> averages, Map<String, Tensor> fixed) throws IOException {
        var writer = new GgufWriter();
        GanFile.put(writer, network, config.name(), pictures.classes());
        var tensors = new LinkedHashMap<>(averages);
        tensors.putAll(fixed);
        tensors.forEach((name, tensor) -> writer.tensor(new TensorInfo(name, DType.F32, tensor.shape()), sink -> {
            try (var arena = Arena.ofConfined()) {
                var host = arena.allocate(tensor.data().byteSize());
                backend.download(host, tensor.data());
                sink.write(host);
            }
        }));
        writer.write(model());
    }
}
