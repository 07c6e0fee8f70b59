package inkstone.diffusion.judge;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.train.Trainer;
import java.util.Arrays;
import java.util.Random;

/**
 * A {@link Classifier} learns from pictures with labels: cross-entropy, each picture moved by up to two pixels at random. What is drawn is a function of the seed and of the place in the
 * data.
 */
public final class ClassifierTask implements Trainer.Task<ClassifierTask.Batch> {
    private static final int FARTHEST = 2;

    private final Classifier model;
    private final Backend backend;
    private final Labelled training, validation;
    private final int batch;
    private final long seed;
    private long at;
    private double accuracy = Double.NaN;

    /** @param pictures [count][height · width · channels] as bytes of {@link inkstone.diffusion.Picture}, one label each */
    public record Labelled(byte[][] pictures, int[] labels, int height, int width, int channels) {
        public Labelled {
            if (pictures.length == 0 || pictures.length != labels.length) throw new IllegalArgumentException("expected a label for each picture, got %d and %d".formatted(labels.length, pictures.length));
        }
    }

    /** @param pictures floats in [-1, 1], [n, h, w, channels] */
    public record Batch(float[] pictures, int[] labels) {}

    public ClassifierTask(Classifier model, Backend backend, Labelled training, Labelled validation, int batch, long seed) {
        this.model = model;
        this.backend = backend;
        this.training = training;
        this.validation = validation;
        this.batch = batch;
        this.seed = seed;
    }

    @Override public Batch next() {
        var random = new Random(seed * 0x9E3779B97F4A7C15L + at++);
        var labels = new int[batch];
        var pictures = new float[batch * size()];
        for (int i = 0; i < batch; i++) {
            int chosen = random.nextInt(training.pictures.length);
            labels[i] = training.labels[chosen];
            put(training, chosen, random.nextInt(2 * FARTHEST + 1) - FARTHEST, random.nextInt(2 * FARTHEST + 1) - FARTHEST, pictures, i);
        }
        return new Batch(pictures, labels);
    }

    private int size() { return training.height * training.width * training.channels; }

    /** Picture {@code chosen} moved down and to the right as the i-th of {@code to}; what comes in at an edge is the edge. */
    private static void put(Labelled data, int chosen, int down, int right, float[] to, int i) {
        int at = i * data.height * data.width * data.channels;
        for (int y = 0; y < data.height; y++) for (int x = 0; x < data.width; x++) for (int c = 0; c < data.channels; c++) {
            int from = (Math.clamp(y - down, 0, data.height - 1) * data.width + Math.clamp(x - right, 0, data.width - 1)) * data.channels + c;
            to[at++] = (data.pictures[chosen][from] & 0xFF) / 127.5f - 1;
        }
    }

    @Override public int weight(Batch b) { return b.labels.length; }
    @Override public int size(Batch b) { return b.labels.length; }

    @Override public Tensor loss(Scope scope, Batch b, float scale) { return logits(scope, b).crossEntropy(scope.ints(b.labels)).sum().scale(scale); }

    private Tensor logits(Scope scope, Batch b) {
        var pictures = scope.floats(b.pictures, b.labels.length, training.height, training.width, training.channels);
        return model.decide(model.features(pictures));
    }

    @Override public double evaluate() {
        double loss = 0;
        int right = 0, classes = model.config().classes();
        try (var scope = Scope.inference(backend)) {
            for (int from = 0; from < validation.pictures.length; from += batch) {
                scope.reset();
                int count = Math.min(batch, validation.pictures.length - from);
                var part = new Batch(new float[count * size()], Arrays.copyOfRange(validation.labels, from, from + count));
                for (int i = 0; i < count; i++) put(validation, from + i, 0, 0, part.pictures, i);
                var logits = logits(scope, part);
                for (float one : logits.crossEntropy(scope.ints(part.labels)).toFloats()) loss += one;
                float[] scores = logits.toFloats();
                for (int i = 0; i < count; i++) if (largest(scores, i * classes, classes) == part.labels[i]) right++;
            }
        }
        accuracy = (double) right / validation.pictures.length;
        return loss / validation.pictures.length;
    }

    private static int largest(float[] scores, int from, int count) {
        int best = 0;
        for (int i = 1; i < count; i++) if (scores[from + i] > scores[from + best]) best = i;
        return best;
    }

    @Override public double accuracy() { return accuracy; }
    @Override public String position() { return Long.toString(at); }
    @Override public void seek(String position) { at = Long.parseLong(position); }

    /** Features of pictures, in order: [pictures][features]. */
    public static float[][] features(Classifier model, Backend backend, Labelled data, int batch) {
        var all = new float[data.pictures.length][];
        int size = data.height * data.width * data.channels, d = model.config().features();
        try (var scope = Scope.inference(backend)) {
            for (int from = 0; from < all.length; from += batch) {
                scope.reset();
                int count = Math.min(batch, all.length - from);
                var pictures = new float[count * size];
                for (int i = 0; i < count; i++) put(data, from + i, 0, 0, pictures, i);
                float[] rows = model.features(scope.tensor(DType.F32, count, data.height, data.width, data.channels).set(pictures)).toFloats();
                for (int i = 0; i < count; i++) all[from + i] = Arrays.copyOfRange(rows, i * d, (i + 1) * d);
            }
        }
        return all;
    }
}
