package inkstone.gan;

import inkstone.diffusion.Picture;
import inkstone.diffusion.train.SampleGrid;
import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.train.AdversarialTrainer;
import inkstone.tensor.train.TrainingEvent;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/**
 * Two networks of a family learn against each other from a set of pictures: losses, penalties, growth and augmentation as the configuration has them. What a step draws is a function of the
 * seed and its number.
 */
final class GanTask implements AdversarialTrainer.Task {
    private static final int R1_EVERY = 16, PATH_EVERY = 4, AUGMENT_EVERY = 4, SHEET = 64;
    private static final double GRADIENT_PENALTY = 10, PATH_WEIGHT = 2, PATH_DECAY = 0.01, AUGMENT_PICTURES = 500_000, MIX = 0.9;

    private final GanTrainingConfig config;
    private final GanConfig network;
    private final Backend backend;
    private final PictureSet pictures;
    private final PlayerWeights generatorWeights, discriminatorWeights;
    private final Path sheets;
    private final int batch, domains;
    private final Health health = new Health();
    private Map<String, Tensor> averages = Map.of();

    private long step;
    private Growth growth;
    private float[] real;
    private int[] labels;
    /** How often pictures are changed, the mean length of paths through the generator, how sure the discriminator was lately that true pictures are true. */
    private double augmentation, pathLength, sure;

    /** @param sheets folder of sample sheets */
    GanTask(GanTrainingConfig config, GanConfig network, Backend backend, PictureSet pictures, PlayerWeights generatorWeights, PlayerWeights discriminatorWeights, Path sheets) {
        this.config = config;
        this.network = network;
        this.backend = backend;
        this.pictures = pictures;
        this.generatorWeights = generatorWeights;
        this.discriminatorWeights = discriminatorWeights;
        this.sheets = sheets;
        this.batch = config.batch();
        this.domains = network.family() == GanConfig.Family.COGAN ? CoGan.DOMAINS : 1;
        this.growth = growth(0);
        Networks.generator(network, generatorWeights.learning(), Networks.grown(network), true);           // makes all parameters, also of layers that have not grown yet
        Networks.discriminator(network, discriminatorWeights.learning(), Networks.grown(network), true);
    }

    /** The averages that pictures are shown with. */
    void show(Map<String, Tensor> generatorAverages) { averages = generatorAverages; }

    @Override public int size() { return batch; }

    // ---- what a step draws ---------------------------------------------------------------------------------------------------------------------------

    private SplittableRandom random(int part) { return Seeds.of(config.seed(), step * 8 + part); }

    /** First the smallest size; then for each further one as many pictures to fade in and as many to settle. */
    private Growth growth(long atStep) {
        if (!network.family().grows() || config.growPictures() == 0) return Networks.grown(network);
        double phase = (double) atStep * batch / config.growPictures();
        if (phase < 1) return new Growth(Growth.FIRST_LEVEL, 1);
        int level = Growth.FIRST_LEVEL + 1 + (int) ((phase - 1) / 2);
        return level > network.levels() ? Networks.grown(network) : new Growth(level, (float) Math.min(1, (phase - 1) % 2));
    }

    @Override public void begin(long newStep) {
        step = newStep;
        growth = growth(step);
        var random = random(0);
        int numbers = network.size() * network.size() * network.channels(), each = batch / domains;
        real = new float[batch * numbers];
        labels = new int[batch];
        for (int i = 0; i < batch; i++) {
            int chosen = random.nextInt(pictures.count());
            labels[i] = pictures.labels()[chosen];
            pictures.put(chosen, Boolean.TRUE.equals(config.data().flip()) && random.nextBoolean(), real, i * numbers);
            if (domains > 1 && i >= each) Edges.of(real, i * numbers, network.size(), network.channels());
        }
    }

    private Tensor latents(Scope scope, int part, int count) {
        var random = random(part);
        var z = new float[count * network.latent()];
        boolean even = network.family() == GanConfig.Family.COGAN;
        for (int i = 0; i < z.length; i++) z[i] = (float) (even ? random.nextDouble(-1, 1) : random.nextGaussian());
        return scope.floats(z, count, network.latent());
    }

    private Tensor labels(Scope scope) { return network.classes() == 0 ? null : scope.ints(labels); }

    private Tensor made(Generator generator, Scope scope, int part) {
        var z = latents(scope, part, batch / domains);
        if (!(generator instanceof StyledGenerator styled)) return generator.forward(z, labels(scope));
        var style = styled.style(z, labels(scope));
        var styles = new ArrayList<>(Collections.nCopies(styled.styles(), style));
        var random = random(part + 4);
        if (config.mixStyles() && styled.styles() > 1 && random.nextDouble() < MIX) {
            var other = styled.style(latents(scope, part + 2, batch), labels(scope));
            for (int i = random.nextInt(1, styled.styles()); i < styled.styles(); i++) styles.set(i, other);
        }
        return styled.paint(styles, Noise.seeded(random.nextLong()));
    }

    private Tensor changed(Tensor x, int part) { return augmentation == 0 ? x : Augmentation.of(x, augmentation, random(part)); }

    // ---- losses ------------------------------------------------------------------------------------------------------------------------------------

    @Override public Tensor discriminator(Scope scope) {
        float[] fakes;
        int[] shape;
        try (var inference = Scope.inference(backend)) {
            var made = made(Networks.generator(network, generatorWeights.frozen(), growth, true), inference, 1);
            fakes = made.toFloats();
            shape = made.shape().toArray();
        }
        var learning = Networks.discriminator(network, discriminatorWeights.learning(), growth, true);
        var frozen = Networks.discriminator(network, discriminatorWeights.frozen(), growth, true);
        var seen = growthSees(scope.floats(real, batch, network.size(), network.size(), network.channels()));
        float[] trues = seen.toFloats();
        Tensor ofReal = learning.forward(changed(seen, 5), labels(scope)), ofFake = learning.forward(changed(scope.floats(fakes, shape), 6), labels(scope));
        var loss = config.loss().ofDiscriminator(ofReal, ofFake);
        if (config.loss() == GanLoss.WASSERSTEIN) {
            var random = random(7);
            int numbers = trues.length / batch;
            var between = new float[trues.length];
            for (int i = 0; i < batch; i++) {
                float share = random.nextFloat();
                for (int j = i * numbers; j < (i + 1) * numbers; j++) between[j] = trues[j] + share * (fakes[j] - trues[j]);
            }
            loss = loss.add(penalty(scope, learning, frozen, GradientPenalty.distance(GRADIENT_PENALTY, 1), between, shape));
        } else if (config.r1() > 0 && step % R1_EVERY == 0) {
            loss = loss.add(penalty(scope, learning, frozen, GradientPenalty.r1(config.r1() * R1_EVERY), trues, shape));
        }
        watch(ofReal.toFloats(), ofFake.toFloats());
        return loss.scale(1f / batch);
    }

    private Tensor growthSees(Tensor x) { return network.family().grows() ? growth.seen(x) : x; }

    private Tensor penalty(Scope scope, Discriminator learning, Discriminator frozen, GradientPenalty.Slope slope, float[] x, int[] shape) {
        var gradient = GradientPenalty.gradient(backend, input -> frozen.forward(input, labels(input.scope())), x, shape);
        return GradientPenalty.loss(scope, input -> learning.forward(input, labels(input.scope())), gradient, slope, x, shape);
    }

    @Override public Tensor generator(Scope scope) {
        var learning = Networks.generator(network, generatorWeights.learning(), growth, true);
        var judge = Networks.discriminator(network, discriminatorWeights.frozen(), growth, true);
        var loss = config.loss().ofGenerator(judge.forward(changed(made(learning, scope, 2), 7), labels(scope))).scale(1f / batch);
        return config.pathLength() && learning instanceof StyledGenerator styled && step % PATH_EVERY == 0 ? loss.add(pathLength(scope, styled)) : loss;
    }

    /**
     * Equal steps of a style shall change pictures by equal amounts (Karras et al. 2019, arXiv:1912.04958, section 3.2): the length of the gradient of (picture · noise) by the styles is drawn
     * to its moving mean. By the direction of {@link GradientPenalty}, which here also passes to the mapping network.
     */
    private Tensor pathLength(Scope scope, StyledGenerator styled) {
        int count = Math.max(1, batch / 2), layers = styled.styles(), width = network.latent();
        var frozen = (StyledGenerator) Networks.generator(network, generatorWeights.frozen(), growth, true);
        var random = random(3);
        var y = new float[count * network.size() * network.size() * network.channels()];
        for (int i = 0; i < y.length; i++) y[i] = (float) (random.nextGaussian() / network.size());
        var noise = Noise.seeded(random.nextLong());
        int[] some = Arrays.copyOf(labels, count);
        float[] w;
        try (var inference = Scope.inference(backend)) {
            var style = frozen.style(latents(inference, 4, count), network.classes() == 0 ? null : inference.ints(some));
            w = repeated(style.toFloats(), count, layers, width);
        }
        var gradient = GradientPenalty.gradient(backend, x -> projected(frozen, x, layers, noise, y), w, count, layers * width);
        double mean = 0;
        for (double length : gradient.lengths()) mean += length / Math.sqrt(layers) / count;
        pathLength += (mean - pathLength) * PATH_DECAY;
        double root = Math.sqrt(layers), target = pathLength, weight = PATH_WEIGHT * PATH_EVERY / count;
        var style = styled.style(latents(scope, 4, count), network.classes() == 0 ? null : scope.ints(some));
        var each = style;
        for (int i = 1; i < layers; i++) each = each.concat(style);
        var whole = each;
        return GradientPenalty.loss(scope, x -> projected(styled, x, layers, noise, y), gradient, length -> length < 1e-12 ? 0 : 2 * weight * (length / root - target) / (root * length), whole, w, count,
            layers * width);
    }

    private static float[] repeated(float[] style, int count, int layers, int width) {
        var all = new float[count * layers * width];
        for (int i = 0; i < count; i++) for (int layer = 0; layer < layers; layer++) System.arraycopy(style, i * width, all, (i * layers + layer) * width, width);
        return all;
    }

    /** (picture · y) of styles [n, layers · width]. */
    private Tensor projected(StyledGenerator generator, Tensor styles, int layers, Noise noise, float[] y) {
        var parts = new ArrayList<Tensor>();
        for (int i = 0; i < layers; i++) parts.add(styles.columns(i * network.latent(), (i + 1) * network.latent()));
        var picture = generator.paint(parts, noise);
        return picture.mul(picture.scope().floats(y, picture.shape().toArray()));
    }

    // ---- what is seen on the way -----------------------------------------------------------------------------------------------------------------------

    private void watch(float[] ofReal, float[] ofFake) {
        health.judged(ofReal, ofFake);
        if (config.augment() == 0) return;
        double signs = 0;
        for (float one : ofReal) signs += Math.signum(one) / ofReal.length;
        sure += signs / AUGMENT_EVERY;
        if (step % AUGMENT_EVERY != 0) return;
        augmentation = Math.clamp(augmentation + Math.signum(sure - config.augment()) * batch * AUGMENT_EVERY / AUGMENT_PICTURES, 0, 1);
        sure = 0;
    }

    @Override public void evaluate(long atStep, Consumer<TrainingEvent> events) throws IOException {
        growth = growth(atStep);
        var shown = shown();
        var file = sheets.resolve("step-%06d.png".formatted(atStep));
        SampleGrid.write(shown, file);
        events.accept(new TrainingEvent.Pictures(atStep, "samples", file));
        if (config.augment() > 0) events.accept(new TrainingEvent.Measure(atStep, "augmentation", augmentation));
        health.told(atStep, shown, pictures, events);
    }

    /** The same latents every time; of two domains one below the other. */
    private List<Picture> shown() {
        var all = new ArrayList<Picture>();
        try (var scope = Scope.inference(backend)) {
            int count = SHEET / domains;
            var generator = Networks.generator(network, averages.isEmpty() ? generatorWeights.frozen() : generatorWeights.averaged(averages), growth, false);
            var random = new SplittableRandom(config.seed());
            var z = new float[count * network.latent()];
            for (int i = 0; i < z.length; i++) z[i] = (float) (network.family() == GanConfig.Family.COGAN ? random.nextDouble(-1, 1) : random.nextGaussian());
            var classes = new int[count];
            for (int i = 0; i < count && network.classes() > 0; i++) classes[i] = i % network.classes();
            var made = generator.forward(scope.floats(z, count, network.latent()), network.classes() == 0 ? null : scope.tensor(DType.I32, count).set(classes));
            float[] values = made.toFloats();
            int size = made.shape().dim(1), numbers = size * size * network.channels();
            for (int i = 0; i < values.length / numbers; i++) all.add(Picture.of(size, size, network.channels(), Arrays.copyOfRange(values, i * numbers, (i + 1) * numbers)));
        }
        return all;
    }

    @Override public Map<String, String> numbers() {
        var numbers = new LinkedHashMap<String, String>();
        numbers.put("augmentation", Double.toString(augmentation));
        numbers.put("path_length", Double.toString(pathLength));
        numbers.put("sure", Double.toString(sure));
        return numbers;
    }

    @Override public void resume(Map<String, String> numbers) {
        augmentation = Double.parseDouble(numbers.get("augmentation"));
        pathLength = Double.parseDouble(numbers.get("path_length"));
        sure = Double.parseDouble(numbers.get("sure"));
    }
}
