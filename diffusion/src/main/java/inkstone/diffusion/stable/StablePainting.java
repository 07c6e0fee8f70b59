package inkstone.diffusion.stable;

import inkstone.diffusion.ImageRequest;
import inkstone.diffusion.Painter;
import inkstone.diffusion.Picture;
import inkstone.diffusion.checkpoint.Family;
import inkstone.diffusion.checkpoint.ImageCheckpoint;
import inkstone.diffusion.sampling.Denoiser;
import inkstone.diffusion.sampling.DiscreteNoise;
import inkstone.diffusion.sampling.Guidance;
import inkstone.diffusion.sampling.NoiseModel;
import inkstone.diffusion.sampling.NoiseSource;
import inkstone.diffusion.unet.UNet;
import inkstone.diffusion.vae.Autoencoder;
import inkstone.diffusion.vae.LatentColors;
import inkstone.diffusion.vae.Moments;
import inkstone.diffusion.vae.Tiles;
import inkstone.diffusion.vae.TinyDecoder;
import inkstone.tensor.Backend;
import inkstone.tensor.Scope;
import java.util.Arrays;

/** One request of a {@link StableDiffusion}: its prompts, read already, and its networks as the painter sees them. */
final class StablePainting implements Painter.Canvas, AutoCloseable {
    /** Latents beyond 768 x 768 pixels are decoded in tiles: whole, 1024 x 1024 pixels would take 4 GB. */
    static final Tiles TILES = new Tiles(96, 24);

    private final ImageCheckpoint model;
    private final UNet unet;
    private final Autoencoder autoencoder;
    private final TinyDecoder tiny;
    private final TextCondition conditional, unconditional;
    private final ImageRequest request;
    private final Scope scope;
    private final DiscreteNoise noise;
    private final Guidance guidance;
    /** Of inpainting models, for each place: whether it may change, and the latent of the rest. */
    private float[] kept;

    /**
     * @param tiny          for previews, or null
     * @param unconditional what guidance leads away from, or null where there is none
     */
    StablePainting(ImageCheckpoint model, UNet unet, Autoencoder autoencoder, TinyDecoder tiny, TextCondition conditional, TextCondition unconditional, ImageRequest request, Backend backend) {
        this.model = model;
        this.unet = unet;
        this.autoencoder = autoencoder;
        this.tiny = tiny;
        this.conditional = conditional;
        this.unconditional = unconditional;
        this.request = request;
        scope = Scope.inference(backend);
        var discrete = model.family() == Family.STABLE_DIFFUSION_XL ? DiscreteNoise.stableDiffusionXl(model.prediction()) : DiscreteNoise.stableDiffusion(model.prediction());
        noise = model.zeroTerminal() ? discrete.zeroTerminal() : discrete;
        guidance = new Guidance(unconditional == null ? 1 : request.guidance(), request.rescale());
    }

    @Override public NoiseModel noise() { return noise; }
    @Override public int cell() { return model.autoencoderConfig().factor(); }
    @Override public int channels() { return model.autoencoderConfig().latentChannels(); }

    // ---- the network ---------------------------------------------------------------------------------------------------------------------------------

    @Override public Denoiser denoiser() {
        if (model.inpaints()) kept = kept();
        return (x, sigma) -> {
            var level = noise.preconditioning(sigma);
            float[] predicted = predict(level.input(x), level.time());
            if (!areNumbers(predicted)) {
                throw new IllegalStateException("%s gave values that are no numbers (NaN or infinite) at sigma %.4f; the file may be damaged, or a LoRA too strong".formatted(model.name(), sigma));
            }
            float[] clean = level.clean(x, Arrays.copyOf(predicted, x.length));
            return unconditional == null ? clean : guidance.combine(x, sigma, noise, clean, level.clean(x, Arrays.copyOfRange(predicted, x.length, 2 * x.length)));
        };
    }

    /** With the prompt, then without where there is guidance: both in one batch. */
    private float[] predict(float[] input, double time) {
        int batch = unconditional == null ? 1 : 2, width = request.width() / cell(), height = request.height() / cell(), channels = model.unetConfig().inChannels();
        scope.reset();
        float[] seen = kept == null ? input : beside(input, kept, channels()), pictures = Arrays.copyOf(seen, batch * seen.length);
        if (batch == 2) System.arraycopy(seen, 0, pictures, seen.length, seen.length);
        var times = new double[batch];
        Arrays.fill(times, time);
        var text = scope.floats(batch == 1 ? conditional.rows() : joined(conditional.rows(), unconditional.rows()), batch * conditional.length(), model.unetConfig().context());
        var labels = model.unetConfig().labels() == 0 ? null : scope.floats(labels(), batch, model.unetConfig().labels());
        return unet.forward(scope.floats(pictures, batch, height, width, channels), times, text, labels, request.guidance()).toFloats();
    }

    private float[] labels() {
        float[] with = conditional.labels(request.width(), request.height());
        return unconditional == null ? with : joined(with, unconditional.labels(request.width(), request.height()));
    }

    private static float[] joined(float[] a, float[] b) {
        var both = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, both, a.length, b.length);
        return both;
    }

    /** Channels of b behind those of a at each place. */
    private static float[] beside(float[] a, float[] b, int channels) {
        int places = a.length / channels, more = b.length / places;
        var both = new float[a.length + b.length];
        for (int i = 0; i < places; i++) {
            System.arraycopy(a, i * channels, both, i * (channels + more), channels);
            System.arraycopy(b, i * more, both, i * (channels + more) + channels, more);
        }
        return both;
    }

    /** Mask and latent of the picture without what may change, which is grey; without a mask all may change, and all is grey. */
    private float[] kept() {
        int width = request.width(), height = request.height(), cell = cell();
        Picture source = Painter.source(request), mask = Painter.mask(request);
        var pixels = new float[width * height * 3];
        if (mask != null) {
            float[] colors = source.toFloats();
            for (int i = 0; i < pixels.length; i++) pixels[i] = (mask.bytes()[i / 3] & 0xFF) < 128 ? colors[i] : 0;
        }
        float[] latent = encode(pixels, width, height, null);
        var free = new float[latent.length / channels()];
        for (int i = 0; i < free.length; i++) {
            int x = i % (width / cell) * cell, y = i / (width / cell) * cell;
            free[i] = mask == null || mask.at(x, y, 0) >= 128 ? 1 : 0;
        }
        return beside(free, latent, 1);
    }

    private static boolean areNumbers(float[] values) {
        float sum = 0;
        for (float value : values) sum += value * 0;
        return sum == 0;
    }

    // ---- pictures ------------------------------------------------------------------------------------------------------------------------------------

    @Override public float[] encode(Picture picture, NoiseSource noise) { return encode(picture.toFloats(), picture.width(), picture.height(), noise); }

    private float[] encode(float[] pixels, int width, int height, NoiseSource noise) {
        var config = model.autoencoderConfig();
        scope.reset();
        float[] latent = autoencoder.encoder().forward(scope.floats(pixels, 1, height, width, 3)).toFloats();
        if (config.variational()) latent = Moments.sample(latent, channels(), noise == null ? null : noise.normal(latent.length / 2));
        for (int i = 0; i < latent.length; i++) latent[i] = (latent[i] - config.shift()) * config.scale();
        return latent;
    }

    @Override public Picture decode(float[] latent, int width, int height) {
        var config = model.autoencoderConfig();
        var unscaled = new float[latent.length];
        for (int i = 0; i < latent.length; i++) unscaled[i] = latent[i] / config.scale() + config.shift();
        float[] pixels = TILES.needed(width, height) ? TILES.decode(unscaled, width, height, channels(), cell(), 3, this::decoded) : decoded(new Tiles.Tile(unscaled, width, height));
        if (!areNumbers(pixels)) throw new IllegalStateException("the autoencoder of %s gave values that are no numbers (NaN or infinite); the file may be damaged".formatted(model.name()));
        return Picture.of(width * cell(), height * cell(), 3, pixels);
    }

    private float[] decoded(Tiles.Tile tile) {
        scope.reset();
        return autoencoder.decoder().forward(scope.floats(tile.values(), 1, tile.height(), tile.width(), channels())).toFloats();
    }

    @Override public Picture preview(float[] latent, int width, int height) {
        if (tiny == null) return (model.family() == Family.STABLE_DIFFUSION_XL ? LatentColors.STABLE_DIFFUSION_XL : LatentColors.STABLE_DIFFUSION).picture(latent, width, height);
        scope.reset();
        return Picture.of(width * cell(), height * cell(), 3, tiny.forward(scope.floats(latent, 1, height, width, channels())).toFloats());
    }

    @Override public void close() { scope.close(); }
}
