package inkstone.diffusion.train;

import inkstone.diffusion.Picture;
import inkstone.diffusion.vae.AutoencoderFile;
import inkstone.diffusion.vae.Moments;
import inkstone.diffusion.vae.Quantizer;
import inkstone.tensor.Backend;
import inkstone.tensor.Convolution;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.train.Trainer;
import inkstone.tensor.train.TrainingEvent;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/**
 * An autoencoder learns to give pictures back: the mean absolute difference of pixels and, by a weight, of the differences between neighbouring pixels, and what its head asks for: the
 * divergence from a normal distribution, or that codes and latents agree.
 */
final class VaeTask implements Trainer.Task<VaeTask.Batch> {
    private static final int SHOWN = 16;

    private final AutoencoderFile model;
    private final VaeConfig config;
    private final Backend backend;
    private final PictureSources sources;
    private final List<Picture> validation;
    private final Path sheets;
    private long next;
    private double used = Double.NaN, error = Double.NaN;

    /** @param pictures [n, size, size, 3] in [-1, 1]; {@code noise} for the latents, null where they have none */
    record Batch(float[] pictures, int count, long noise) {}

    VaeTask(AutoencoderFile model, VaeConfig config, Backend backend, PictureSources sources, Path sheets) {
        this.model = model;
        this.config = config;
        this.backend = backend;
        this.sources = sources;
        this.validation = config.validationShare() == 0 ? List.of() : sources.validation(config.validationPictures()).stream().map(Captioned::picture).toList();
        this.sheets = sheets;
    }

    @Override public Batch next() {
        var random = new SplittableRandom(config.seed() + 0x9E3779B97F4A7C15L * ++next);
        var pictures = new ArrayList<Picture>();
        for (int i = 0; i < config.batch(); i++) pictures.add(sources.draw(random).picture());
        return batch(pictures, random.nextLong());
    }

    private static Batch batch(List<Picture> pictures, long noise) {
        int numbers = pictures.getFirst().bytes().length;
        var values = new float[pictures.size() * numbers];
        for (int i = 0; i < pictures.size(); i++) System.arraycopy(pictures.get(i).toFloats(), 0, values, i * numbers, numbers);
        return new Batch(values, pictures.size(), noise);
    }

    @Override public int weight(Batch batch) { return batch.count; }
    @Override public int size(Batch batch) { return batch.count; }
    @Override public boolean judgesAverage() { return true; }

    @Override public Tensor loss(Scope scope, Batch batch, float scale) {
        var pictures = pictures(scope, batch);
        var encoded = model.autoencoder().encoder().forward(pictures);
        Tensor latents = encoded, further = null;
        switch (model.head()) {
            case PLAIN -> {}
            case KL -> {
                var moments = Moments.of(encoded);
                latents = moments.sample(noise(scope, moments.mean(), batch.noise));
                further = moments.divergence().scale((float) (config.kl() / (batch.count * config.size() * config.size())));
            }
            case VQ, FSQ -> {
                var quantized = model.quantizer().quantize(encoded);
                latents = quantized.latents();
                further = quantized.loss();
            }
        }
        var difference = model.decode(latents).add(pictures.scale(-1));
        var loss = mean(difference.leakyRelu(-1));
        if (config.edges() > 0) loss = loss.add(mean(difference.conv2d(neighbours(scope), null, new Convolution(1, 0)).leakyRelu(-1)).scale((float) config.edges()));
        return (further == null ? loss : loss.add(further)).scale(scale * batch.count);
    }

    private Tensor pictures(Scope scope, Batch batch) { return scope.floats(batch.pictures, batch.count, config.size(), config.size(), 3); }

    private static Tensor noise(Scope scope, Tensor like, long seed) {
        var random = new SplittableRandom(seed);
        var values = new float[Math.toIntExact(like.shape().elements())];
        for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
        return scope.floats(values, like.shape().toArray());
    }

    private static Tensor mean(Tensor x) { return x.sum().scale(1f / x.shape().elements()); }

    /** A window of two by two pixels: for each colour the one to the right and the one below, less this one. */
    private static Tensor neighbours(Scope scope) {
        var weight = new float[6 * 4 * 3];
        for (int c = 0; c < 3; c++) {
            weight[(2 * c * 4) * 3 + c] = weight[((2 * c + 1) * 4) * 3 + c] = -1;
            weight[(2 * c * 4 + 1) * 3 + c] = weight[((2 * c + 1) * 4 + 2) * 3 + c] = 1;
        }
        return scope.floats(weight, 6, 2, 2, 3);
    }

    // ---- evaluation --------------------------------------------------------------------------------------------------------------------------------

    @Override public double evaluate() {
        if (validation.isEmpty()) return Double.NaN;
        double loss = 0, squares = 0;
        var codes = new ArrayList<int[]>();
        try (var scope = Scope.inference(backend)) {
            for (int from = 0; from < validation.size(); from += config.batch()) {
                var batch = batch(validation.subList(from, Math.min(validation.size(), from + config.batch())), from);
                scope.reset();
                loss += loss(scope, batch, 1).toFloats()[0];
                var latents = model.encode(pictures(scope, batch));
                float[] made = model.decode(latents).toFloats();
                for (int i = 0; i < made.length; i++) squares += Math.pow(Math.clamp(made[i], -1, 1) - batch.pictures[i], 2) / made.length * batch.count;
                if (model.quantizer() != null) codes.add(model.quantizer().quantize(model.autoencoder().encoder().forward(pictures(scope, batch))).codes());
            }
        }
        error = squares / validation.size();
        if (!codes.isEmpty()) used = new Quantizer.Quantized(null, codes.stream().flatMapToInt(Arrays::stream).toArray(), null).used(model.quantizer().codes());
        return loss / validation.size();
    }

    /** Pictures above what the autoencoder makes of them. */
    @Override public void sample(long step, Consumer<TrainingEvent> events) throws IOException {
        if (!Double.isNaN(error)) events.accept(new TrainingEvent.Measure(step, "peak signal to noise, dB", 10 * Math.log10(4 / error)));
        if (!Double.isNaN(used)) events.accept(new TrainingEvent.Measure(step, "codes used", used));
        var random = new SplittableRandom(config.seed());
        var shown = new ArrayList<Picture>();
        for (int i = 0; i < SHOWN; i++) shown.add(i < validation.size() ? validation.get(i) : sources.draw(random).picture());
        var sheet = new ArrayList<Picture>();
        try (var scope = Scope.inference(backend)) {
            float[] made = model.decode(model.encode(pictures(scope, batch(shown, 0)))).toFloats();
            int numbers = made.length / SHOWN;
            for (int from = 0; from < SHOWN; from += SampleGrid.COLUMNS) {
                sheet.addAll(shown.subList(from, from + SampleGrid.COLUMNS));
                for (int i = from; i < from + SampleGrid.COLUMNS; i++) sheet.add(Picture.of(config.size(), config.size(), 3, Arrays.copyOfRange(made, i * numbers, (i + 1) * numbers)));
            }
        }
        var file = sheets.resolve("step-%06d.png".formatted(step));
        SampleGrid.write(sheet, file);
        events.accept(new TrainingEvent.Pictures(step, "pictures and what became of them", file));
    }

    @Override public String position() { return Long.toString(next); }
    @Override public void seek(String position) { next = Long.parseLong(position); }
}
