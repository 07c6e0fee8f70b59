package inkstone.diffusion.train;

import inkstone.diffusion.Picture;
import inkstone.diffusion.judge.Classifier;
import inkstone.diffusion.judge.ClassifierConfig;
import inkstone.diffusion.judge.ClassifierTask;
import inkstone.tensor.Backend;
import inkstone.tensor.Scope;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.LearningWeights;
import inkstone.tensor.train.Parameters;
import inkstone.tensor.train.Schedule;
import inkstone.tensor.train.Trainer;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/**
 * Tells which of many captions a picture has: a judge of what models paint, that has never seen what they paint. What it knows of a picture before it decides is the space in which sets of
 * pictures are compared. Owns its parameters; for the thread of the backend.
 */
public final class CaptionClassifier implements AutoCloseable {
    private static final String START = "start.gguf";
    private static final int BATCH = 64, WIDTH = 16, STAGES = 4, GROUPS = 4, FEATURES = 64;
    private static final double RATE = 3e-3;

    private final Backend backend;
    private final Parameters parameters;
    private final Gguf file;
    private final Classifier classifier;
    private final List<String> captions;

    private CaptionClassifier(Path folder, List<String> captions, int channels, Backend backend) throws IOException {
        this.backend = backend;
        this.captions = captions;
        var config = new ClassifierConfig(channels, WIDTH, STAGES, GROUPS, FEATURES, captions.size());
        var start = folder.resolve(START);
        if (!Files.exists(start)) {
            var writer = new GgufWriter().string("general.architecture", "classifier");
            NewNetwork.write(writer, weights -> Classifier.of(config, weights), CaptionClassifier::start, 1);
            writer.write(start);
        }
        parameters = new Parameters(backend);
        file = Gguf.open(start);
        classifier = new CheckpointWeights(file, backend, source -> new LearningWeights(source, parameters, LearningWeights.ALL)).build(weights -> Classifier.of(config, weights));
    }

    /** Normal numbers that keep the size of what passes (He et al. 2015, arXiv:1502.01852), norms 1, biases 0. */
    private static float[] start(String name, int[] dims, RandomGenerator random) {
        int count = Arrays.stream(dims).reduce(1, Math::multiplyExact);
        var values = new float[count];
        if (dims.length == 1) {
            if (name.endsWith("norm.weight")) Arrays.fill(values, 1);
            return values;
        }
        double deviation = Math.sqrt(2.0 * dims[0] / count);
        for (int i = 0; i < count; i++) values[i] = (float) (deviation * random.nextGaussian());
        return values;
    }

    /**
     * Learns, or goes on learning, in a folder of its own; where it has learned all steps it is ready at once.
     *
     * @param learned pictures whose captions are the classes, all of one size
     * @param unseen  others with some of the same captions, to judge the judge by
     */
    public static CaptionClassifier train(Path folder, List<Captioned> learned, List<Captioned> unseen, int steps, Backend backend, Consumer<TrainingEvent> events) throws IOException {
        Files.createDirectories(folder);
        var captions = learned.stream().map(Captioned::caption).distinct().sorted().toList();
        var judge = new CaptionClassifier(folder, captions, learned.getFirst().picture().channels(), backend);
        var known = unseen.stream().filter(picture -> captions.contains(picture.caption())).toList();
        var task = new ClassifierTask(judge.classifier, backend, judge.labelled(learned), judge.labelled(known), BATCH, 1);
        var settings = new Trainer.Settings("classifier of %d captions".formatted(captions.size()), new Schedule(Schedule.Shape.COSINE, RATE, Math.min(100, steps / 10), steps, 0.02), 1, 1,
            Math.max(1, steps / 5), Math.max(1, steps / 5), 0, 0, false, 1);
        try (var trainer = new Trainer(backend, judge.parameters, new AdamW(backend, judge.parameters.tensors(), new AdamW.Settings(0.9f, 0.99f, 1e-8f, 0.05f, false), 1), settings, folder)) {
            trainer.run(task, new TrainingControl(), 0, judge.parameters.count(), events);
        } catch (IOException | RuntimeException problem) {
            judge.close();
            throw problem;
        }
        return judge;
    }

    /** Captions that it knows, in order. */
    public List<String> captions() { return captions; }

    /** For each picture its captions from the likeliest, {@code count} of them. */
    public List<List<String>> likeliest(List<Picture> pictures, int count) {
        var features = features(pictures);
        var found = new ArrayList<List<String>>();
        try (var scope = Scope.inference(backend)) {
            for (var one : features) {
                scope.reset();
                float[] scores = classifier.decide(scope.floats(one, 1, FEATURES)).toFloats();
                found.add(IntStream.range(0, scores.length).boxed().sorted(Comparator.comparingDouble((Integer i) -> -scores[i])).limit(count).map(captions::get).toList());
            }
        }
        return found;
    }

    /** What it sees in each picture, [pictures][features]. */
    public float[][] features(List<Picture> pictures) {
        return ClassifierTask.features(classifier, backend, labelled(pictures.stream().map(picture -> new Captioned(picture, captions.getFirst())).toList()), BATCH);
    }

    private ClassifierTask.Labelled labelled(List<Captioned> pictures) {
        var first = pictures.getFirst().picture();
        return new ClassifierTask.Labelled(pictures.stream().map(picture -> picture.picture().bytes()).toArray(byte[][]::new), pictures.stream().mapToInt(picture -> captions.indexOf(picture.caption())).toArray(),
            first.height(), first.width(), first.channels());
    }

    @Override public void close() {
        parameters.close();
        file.close();
    }
}
