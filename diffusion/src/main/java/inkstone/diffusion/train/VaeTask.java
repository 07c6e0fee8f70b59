package inkstone.diffusion.train;

import inkstone.diffusion.Picture;
import inkstone.diffusion.vae.AutoencoderFile;
import inkstone.diffusion.vae.Moments;
import inkstone.tensor.Backend;
import inkstone.tensor.Convolution;
import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.train.Trainer;
import inkstone.tensor.train.TrainingEvent;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/**
 * An autoencoder learns to give pictures back: the mean absolute error of pixels, that of the differences between neighbours, and what its head asks for: a distribution's distance from the unit
 * normal one (Kingma & Welling 2013, arXiv:1312.6114), or that codes and latents agree.
 */
final class VaeTask implements Trainer.Task<VaeTask.Batch> {
    /** Pictures of a sheet of samples. */
    private static final int SHOWN = 8;
    /** Of [right - left, below - above] of each of three channels, windows of two by two: [6, 2, 2, 3]. */
    private static final float[] DIFFERENCES = new float[6 * 2 * 2 * 3];

    static {
        for (int c = 0; c < 3; c++) for (int direction = 0; direction < 2; direction++) {
            int window = (2 * c + direction) * 12;
            DIFFERENCES[window + c] = -1;
            DIFFERENCES[window + (direction == 0 ? 3 : 6) + c] = 1;
        }
    }

    /** @param noise of the latents, or null for their means */
    record Batch(List<Captioned> pictures, float[] noise) {}

    private final AutoencoderFile model;
    private final VaeConfig config;
    private final Backend backend;
    private final PictureSources sources;
    private final List<List<Captioned>> validation;
    private final Path samples;
    private long next;

    /** @param samples folder */
    VaeTask(AutoencoderFile model, VaeConfig config, Backend backend, PictureSources sources, List<List<Captioned>> validation, Path samples) {
        this.model = model;
        this.config = config;
        this.backend = backend;
        this.sources = sources;
        this.validation = validation;
        this.samples = samples;
    }

    @Override public Batch next() {
        var random = PictureBatches.random(config.training().seeds(), ++next);
        var pictures = new ArrayList<Captioned>();
        for (int i = 0; i < config.training().pictures(); i++) pictures.add(sources.draw(random));
        int side = config.size() / config.network().factor();
        var noise = new float[pictures.size() * side * side * config.network().latentChannels()];
        for (int i = 0; i < noise.length; i++) noise[i] = (float) random.nextGaussian();
        return new Batch(pictures, noise);
    }

    @Override public int weight(Batch batch) { return batch.pictures.size(); }
    @Override public int size(Batch batch) { return batch.pictures.size(); }
    @Override public boolean judgesAverage() { return true; }
    @Override public String position() { return Long.toString(next); }

    @Override public void seek(String position) {
        if (!position.matches("\\d{1,18}")) throw new ModelException("the position \"%s\" is not one of this run; start anew".formatted(position));
        next = Long.parseLong(position);
    }

    @Override public Tensor loss(Scope scope, Batch batch, float scale) {
        return loss(model, config, pictures(scope, batch.pictures), batch.noise, scale);
    }

    /** @param pictures [n, size, size, 3] @param noise of the latents, or null for their means */
    static Tensor loss(AutoencoderFile model, VaeConfig config, Tensor pictures, float[] noise, float scale) {
        var scope = pictures.scope();
        int[] dims = pictures.shape().toArray();
        double pixels = (double) config.size() * config.size();
        var encoded = model.autoencoder().encoder().forward(pictures);
        var latent = encoded;
        Tensor further = null;
        switch (model.head()) {
            case PLAIN -> { }
            case KL -> {
                var moments = Moments.of(encoded);
                latent = noise == null ? moments.mean() : moments.sample(scope.floats(noise, moments.mean().shape().toArray()));
                further = moments.divergence().scale((float) (scale * config.kl() / pixels));
            }
            case VQ, FSQ -> {
                var quantized = model.quantizer().quantize(encoded);
                latent = quantized.latents();
                if (quantized.loss() != null) further = quantized.loss().scale(scale * dims[0]);
            }
        }
        var error = model.decode(latent).add(pictures.scale(-1));
        var loss = absolute(error).sum().scale((float) (scale / (3 * pixels)));
        if (config.edges() > 0) {
            var differences = error.conv2d(scope.floats(DIFFERENCES, 6, 2, 2, 3), null, new Convolution(1, 0));
            loss = loss.add(absolute(differences).sum().scale((float) (scale * config.edges() * dims[0] / differences.shape().elements())));
        }
        return further == null ? loss : loss.add(further);
    }

    private static Tensor absolute(Tensor x) { return x.leakyRelu(-1); }

    private Tensor pictures(Scope scope, List<Captioned> pictures) {
        int numbers = config.size() * config.size() * 3;
        var values = new float[pictures.size() * numbers];
        for (int i = 0; i < pictures.size(); i++) System.arraycopy(pictures.get(i).picture().toFloats(), 0, values, i * numbers, numbers);
        return scope.floats(values, pictures.size(), config.size(), config.size(), 3);
    }

    @Override public double evaluate() {
        double sum = 0;
        long count = 0;
        try (var scope = Scope.inference(backend)) {
            for (var part : validation) {
                scope.reset();
                sum += loss(scope, new Batch(part, null), 1).toFloats()[0];
                count += part.size();
            }
        }
        return count == 0 ? Double.NaN : sum / count;
    }

    /** Pictures that it has not learned, and below them what it gives back; and how well, as the peak signal-to-noise ratio of all of them. */
    @Override public void sample(long step, Consumer<TrainingEvent> events) throws IOException {
        if (validation.isEmpty()) return;
        var part = validation.getFirst();
        var shown = new ArrayList<Picture>();
        var given = new ArrayList<Picture>();
        double squares = 0;
        long count = 0;
        try (var scope = Scope.inference(backend)) {
            float[] back = model.decode(model.encode(pictures(scope, part))).toFloats();
            if (model.quantizer() != null) {
                var codes = model.quantizer().quantize(model.autoencoder().encoder().forward(pictures(scope, part)));
                events.accept(new TrainingEvent.Measure(step, "codes used", codes.used(model.quantizer().codes())));
            }
            int numbers = config.size() * config.size() * 3;
            for (int i = 0; i < part.size(); i++) {
                Picture original = part.get(i).picture(), made = Picture.of(config.size(), config.size(), 3, Arrays.copyOfRange(back, i * numbers, (i + 1) * numbers));
                for (int j = 0; j < numbers; j++) squares += Math.pow((original.bytes()[j] & 0xFF) - (made.bytes()[j] & 0xFF), 2);
                count += numbers;
                if (i >= SHOWN) continue;
                shown.add(original);
                given.add(made);
            }
        }
        events.accept(new TrainingEvent.Measure(step, "PSNR in dB", 10 * Math.log10(255 * 255 / Math.max(1e-9, squares / count))));
        shown.addAll(given);
        var file = samples.resolve("step-%06d.png".formatted(step));
        SampleGrid.write(shown, file);
        events.accept(new TrainingEvent.Pictures(step, "pictures and what comes back of them", file));
    }
}
